import { gpuResource } from '../../bootstrap/plan/gpu-plan.ts'
import { inPlace } from './in-place.ts'
import type { Mutation } from './mutation.ts'

interface Container {
  resources: { limits: Record<string, string> }
  imagePullPolicy?: string
  env?: { name: string; value?: string; valueFrom?: unknown }[]
  livenessProbe?: Record<string, unknown>
  readinessProbe?: Record<string, unknown>
}

interface DeploymentSpec {
  replicas: number
  strategy: Record<string, unknown>
  template: {
    metadata: { annotations?: Record<string, string> }
    spec: {
      containers: [Container, ...Container[]]
      volumes: { name: string; persistentVolumeClaim?: unknown; emptyDir?: unknown }[]
    }
  }
}

const deployment = (change: (spec: DeploymentSpec, container: Container) => void) =>
  inPlace((object) => {
    const spec = object['spec'] as DeploymentSpec
    change(spec, spec.template.spec.containers[0])
  })

const runs = (name: string): string =>
  `slate-rollout: Deployments of SLATE › ${name} runs the stated image with the stated command and pull policy`
const replaced = (name: string): string =>
  `slate-rollout: Deployments of SLATE › ${name} is replaced as stated, and has the stated ports and labels`
const wants = (name: string): string =>
  `slate-rollout: Deployments of SLATE › ${name} wants the stated number of replicas, or what its autoscaler may choose`
const probed = (name: string): string =>
  `slate-probes: probes of SLATE › ${name} has the stated startup, liveness and readiness probes`
const addressed = (name: string): string =>
  `slate-configuration: in the containers › ${name} has the addresses of the stores and who it is in its environment`
const secret = (name: string): string =>
  `slate-configuration: in the containers › ${name} has what its Secret holds in its environment, and only that Secret`
const mounts = (name: string): string =>
  `slate-storage: claims of SLATE › ${name} mounts the stated claims, and each is a mount of its own in the container`
const scraped = (name: string): string =>
  `slate-discovery: metrics › pods of ${name} say where they are scraped`

/** Changes to SLATE's Deployments; none touches Ollama or ChromaDB, and none loses data. */
export const workloadMutations: readonly Mutation[] = [
  {
    name: 'router-without-a-second-pod',
    breaks: 'The agent router runs once.',
    object: 'Deployment/slate-agent-router',
    change: deployment((spec) => {
      spec.replicas = 1
    }),
    caughtBy: wants('slate-agent-router'),
    neighbours: [wants('slate-workflow-manager'), runs('slate-agent-router')],
  },
  {
    name: 'dashboard-recreated',
    breaks: 'An update of the dashboard stops all its pods before it starts new ones.',
    object: 'Deployment/slate-dashboard',
    change: deployment((spec) => {
      spec.strategy = { type: 'Recreate' }
    }),
    caughtBy:
      'slate-rollout: replacing pods › a rolling update of the dashboard under constant requests loses none',
    neighbours: [replaced('slate-core'), replaced('slate-copilot-bridge')],
  },
  {
    name: 'core-may-miss-a-pod',
    breaks: 'An update of slate-core takes one of its pods away before the new one is ready.',
    object: 'Deployment/slate-core',
    change: deployment((spec) => {
      spec.strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } }
    }),
    caughtBy: replaced('slate-core'),
    neighbours: [replaced('slate-dashboard'), runs('slate-core')],
  },
  {
    name: 'gpu-of-the-loop-turned-round',
    breaks:
      'The autonomous loop asks for a GPU where it is to have none, and for none where it is to have one.',
    object: 'Deployment/slate-autonomous-loop',
    change: deployment((_spec, { resources }) => {
      const { [gpuResource]: asked, ...others } = resources.limits
      resources.limits = asked === undefined ? { ...others, [gpuResource]: '1' } : others
    }),
    caughtBy:
      'slate-gpu: the Deployments › ask for the GPUs that they are to have, on the node that has them',
    neighbours: [runs('slate-autonomous-loop'), wants('slate-autonomous-loop')],
  },
  {
    name: 'workflow-manager-twice-on-one-volume',
    breaks: 'During an update two workflow managers write to one volume.',
    object: 'Deployment/slate-workflow-manager',
    change: deployment((spec) => {
      spec.strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } }
    }),
    caughtBy: replaced('slate-workflow-manager'),
    neighbours: [replaced('slate-autonomous-loop'), wants('slate-workflow-manager')],
  },
  {
    name: 'bridge-pulls-its-image',
    breaks: 'The image of the copilot bridge may come from a registry.',
    object: 'Deployment/slate-copilot-bridge',
    change: deployment((_, container) => {
      container.imagePullPolicy = 'IfNotPresent'
    }),
    caughtBy: runs('slate-copilot-bridge'),
    neighbours: [runs('slate-core'), probed('slate-copilot-bridge')],
  },
  {
    name: 'bridge-rarely-asked-for-life',
    breaks: 'A copilot bridge that hangs is restarted after three minutes in place of one and a half.',
    object: 'Deployment/slate-copilot-bridge',
    change: deployment((_, container) => {
      container.livenessProbe = { ...container.livenessProbe, periodSeconds: 60 }
    }),
    caughtBy: probed('slate-copilot-bridge'),
    neighbours: [probed('slate-workflow-manager'), runs('slate-copilot-bridge')],
  },
  {
    name: 'dashboard-never-leaves-its-service',
    breaks: 'A dashboard that is ill gets requests for a quarter of an hour.',
    object: 'Deployment/slate-dashboard',
    change: deployment((_, container) => {
      container.readinessProbe = { ...container.readinessProbe, failureThreshold: 100 }
    }),
    caughtBy:
      'slate-probes: on copies › a pod that is not ready leaves its Service without a restart and without a failed request',
    neighbours: [probed('slate-dashboard'), runs('slate-dashboard')],
  },
  {
    name: 'bridge-looks-for-ollama-at-home',
    breaks: 'The copilot bridge looks for Ollama in its own pod.',
    object: 'Deployment/slate-copilot-bridge',
    change: deployment((_, container) => {
      container.env = [
        ...(container.env ?? []).filter(({ name }) => name !== 'OLLAMA_HOST'),
        { name: 'OLLAMA_HOST', value: 'localhost:11434' },
      ]
    }),
    caughtBy: addressed('slate-copilot-bridge'),
    neighbours: [addressed('slate-core'), probed('slate-copilot-bridge')],
  },
  {
    name: 'workflow-manager-without-its-secret',
    breaks: 'The workflow manager has no GitHub token.',
    object: 'Deployment/slate-workflow-manager',
    change: deployment((_, container) => {
      container.env = (container.env ?? []).filter(({ name }) => name !== 'GITHUB_TOKEN')
    }),
    caughtBy: secret('slate-workflow-manager'),
    neighbours: [secret('slate-dashboard'), addressed('slate-workflow-manager')],
  },
  {
    name: 'bridge-without-the-workspace',
    breaks: 'What the copilot bridge has as its workspace is an empty folder that ends with the pod.',
    object: 'Deployment/slate-copilot-bridge',
    change: deployment(({ template }) => {
      for (const volume of template.spec.volumes) {
        if (volume.persistentVolumeClaim === undefined) continue
        delete volume.persistentVolumeClaim
        volume.emptyDir = {}
      }
    }),
    caughtBy: mounts('slate-copilot-bridge'),
    neighbours: [mounts('slate-workflow-manager'), addressed('slate-copilot-bridge')],
  },
  {
    name: 'router-scraped-at-another-port',
    breaks: 'Prometheus is sent to the port of the agent router that does not tell of the whole system.',
    object: 'Deployment/slate-agent-router',
    change: deployment(({ template }) => {
      template.metadata.annotations = { ...template.metadata.annotations, 'prometheus.io/port': '8081' }
    }),
    caughtBy: scraped('slate-agent-router'),
    neighbours: [scraped('slate-dashboard'), runs('slate-agent-router')],
  },
]
