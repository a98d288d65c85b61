import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { gpuResource } from '../../bootstrap/plan/gpu-plan.ts'
import type { Equivalent } from './equivalent.ts'
import { inPlace } from './in-place.ts'
import type { Mutation } from './mutation.ts'

/** What the changes below may touch of a workload. */
interface Pod {
  runtimeClassName?: string
  hostNetwork?: boolean
  dnsPolicy?: string
  containers: {
    resources: { requests: Record<string, string>; limits: Record<string, string> }
    startupProbe: { failureThreshold: number }
    livenessProbe: { periodSeconds: number }
    securityContext: { readOnlyRootFilesystem: boolean }
    volumeMounts: { name: string; readOnly?: boolean }[]
    env: { name: string; value?: string }[]
  }[]
  volumes: { name: string; persistentVolumeClaim?: { readOnly?: boolean } }[]
}
interface Policy {
  endpointSelector?: object
  podSelector?: object
  ingress?: { from?: object[]; ports?: object[] }[]
  ingressDeny?: object[]
  egress?: { to?: object[]; toPorts?: object[]; ports?: object[] }[]
}

const matrix = 'zones-access: who reaches whom › the orchestrator alone reaches the brain'
const copies = 'zones-access: with the model servers in the pod network (Z02), on copies'
const crossing = 'zones-access: a task › crosses the zones'
const bound = 'zones-volumes: the claims › are bound'
const runtimeClass = 'zones-isolation: the RuntimeClass gvisor'
/** Two tests that none of the changes to policies concerns. */
const elsewhere: [string, string] = [bound, runtimeClass]

const zone = (
  name: string,
  object: string,
  change: ((object: KubeObject) => void) | undefined,
  rest: Pick<Mutation, 'breaks' | 'caughtBy' | 'neighbours'>,
): Mutation => ({
  system: 'zones',
  name,
  object,
  change: change === undefined ? () => undefined : inPlace(change),
  ...rest,
})
const spec =
  (change: (spec: Policy) => void) =>
  (object: KubeObject): void => {
    change(object['spec'] as Policy)
  }
const pod =
  (change: (pod: Pod, server: Pod['containers'][number]) => void) =>
  (object: KubeObject): void => {
    const own = (object['spec'] as { template: { spec: Pod } }).template.spec
    const [first] = own.containers
    if (first) change(own, first)
  }

interface Data {
  data: Record<string, string>
}
/** Changes the rule file; Prometheus reads it within seconds of the kubelet. */
const rules =
  (change: (text: string) => string) =>
  (object: KubeObject): void => {
    const { data } = object as unknown as Data
    data['zones.yaml'] = change(data['zones.yaml'] ?? '')
  }
const targets = 'zones-monitoring: the targets › are the pods of both zones'
const ownRules = 'zones-monitoring: the rules'

const monitoringMutations: readonly Mutation[] = [
  zone(
    'zones-drop-blackwell-alert',
    'ConfigMap/prometheus-alerts',
    rules((text) => text.replace(/ {6}- alert: BlackwellGpuReset\n[^]*?(?= {6}- alert: )/, '')),
    {
      breaks: 'Nobody is told of a reset of a Blackwell card (L40).',
      caughtBy: ownRules,
      neighbours: [targets, bound],
    },
  ),
  zone(
    'zones-near-memory-limit-late',
    'ConfigMap/prometheus-alerts',
    rules((text) => text.replaceAll('> 0.9\n', '> 0.99\n')),
    {
      breaks: 'A model is killed before anybody is told that it is near its limit (L40).',
      caughtBy: ownRules,
      neighbours: [targets, bound],
    },
  ),
  zone(
    'zones-drop-way-of-prometheus-to-the-node',
    'NetworkPolicy/prometheus',
    spec((policy) => {
      for (const { to = [], ports = [] } of policy.egress ?? [])
        if (to.some((peer) => 'ipBlock' in peer)) ports.splice(0, 1)
    }),
    {
      breaks: 'Prometheus does not reach a model server that has the address of the node (Z01, Z13).',
      caughtBy: targets,
      neighbours: elsewhere,
    },
  ),
  zone(
    'zones-drop-agent-orchestrator-from-monitoring',
    'NetworkPolicy/agent-orchestrator-from-monitoring',
    undefined,
    {
      breaks: 'Prometheus does not reach the orchestrator (Z13).',
      caughtBy: targets,
      neighbours: elsewhere,
    },
  ),
]

/** Changes to the zones, each seen by who gets through, what a process may do, or how long it may take. */
export const zonesMutations: readonly Mutation[] = [
  zone('zones-drop-way-to-the-node', 'CiliumNetworkPolicy/orchestrator-to-brain-on-node', undefined, {
    breaks: 'The orchestrator has no way to a brain in the host’s network.',
    caughtBy: matrix,
    neighbours: elsewhere,
  }),
  zone(
    'zones-every-port-of-the-node',
    'CiliumNetworkPolicy/orchestrator-to-brain-on-node',
    spec(({ egress = [] }) => {
      for (const rule of egress) delete rule.toPorts
    }),
    {
      breaks: 'The orchestrator reaches everything on the node, its kubelet included.',
      caughtBy: matrix,
      neighbours: [crossing, bound],
    },
  ),
  zone('zones-drop-guard-of-the-node', 'CiliumClusterwideNetworkPolicy/brain-on-node', undefined, {
    breaks: 'Every pod and every machine reaches a brain in the host’s network (Z01).',
    caughtBy: matrix,
    neighbours: [crossing, bound],
  }),
  zone(
    'zones-guard-of-the-node-lets-the-world-in',
    'CiliumClusterwideNetworkPolicy/brain-on-node',
    spec((policy) => {
      policy.ingressDeny?.pop()
    }),
    {
      breaks: 'Machines outside the cluster reach a brain in the host’s network (Z01).',
      caughtBy: matrix,
      neighbours: [crossing, bound],
    },
  ),
  zone(
    'zones-open-egress-of-zone-b',
    'NetworkPolicy/agents-dns',
    spec((policy) => {
      policy.egress = [{}]
    }),
    {
      breaks: 'Every pod of Zone B reaches everything from its first instant on (L53).',
      caughtBy: "zones-access: who reaches whom › a new pod of Zone B in the node's own runtime",
      neighbours: [crossing, bound],
    },
  ),
  zone('zones-drop-offer-to-metacognition', 'NetworkPolicy/orchestrator-to-metacognition', undefined, {
    breaks: 'The orchestrator cannot offer its answers for checking.',
    caughtBy: 'zones-access: metacognition › is there and checks on its timer',
    neighbours: elsewhere,
  }),
  zone(
    'zones-metacognition-from-everywhere',
    'NetworkPolicy/metacognition-from-orchestrator',
    spec(({ ingress = [] }) => {
      for (const rule of ingress) delete rule.from
    }),
    {
      breaks: 'Every pod of the cluster comes into metacognition.',
      caughtBy: matrix,
      neighbours: [crossing, bound],
    },
  ),
  zone(
    'zones-brain-from-everywhere',
    'NetworkPolicy/brain-from-orchestrator',
    spec(({ ingress = [] }) => {
      for (const rule of ingress) delete rule.from
    }),
    {
      breaks: 'In the pod network every pod of the cluster reaches the brain (Z02).',
      caughtBy: copies,
      neighbours: elsewhere,
    },
  ),
  zone('zones-drop-inference-default-deny', 'NetworkPolicy/inference-default-deny', undefined, {
    breaks: 'In the pod network Zone A reaches everything (Z02).',
    caughtBy: copies,
    neighbours: elsewhere,
  }),
  zone(
    'zones-service-of-nobody',
    'Service/deepseek-v32',
    (object) => {
      const { selector } = object['spec'] as { selector: Record<string, string> }
      selector['app.kubernetes.io/name'] = 'nobody'
    },
    { breaks: 'The name of the brain leads to no pod (Z18).', caughtBy: crossing, neighbours: elsewhere },
  ),
  zone(
    'zones-agent-without-sandbox',
    'Deployment/agent-orchestrator',
    pod((own) => {
      delete own.runtimeClassName
    }),
    {
      breaks: 'The orchestrator runs on the node’s kernel (L52).',
      caughtBy: 'zones-isolation: agent-orchestrator › runs on the sandbox',
      neighbours: ['zones-isolation: agent-orchestrator › has no capability', bound],
    },
  ),
  zone(
    'zones-agent-writes-to-its-root',
    'Deployment/metacognition',
    pod((_, server) => {
      server.securityContext.readOnlyRootFilesystem = false
    }),
    {
      breaks: 'Metacognition may write to its root file system (Z24).',
      caughtBy: 'zones-isolation: metacognition › cannot write to its root file system',
      neighbours: ['zones-isolation: metacognition › has no capability', bound],
    },
  ),
  zone(
    'zones-lower-level-of-agents',
    'Namespace/agents',
    ({ metadata }) => {
      metadata.labels = { ...metadata.labels, 'pod-security.kubernetes.io/enforce': 'privileged' }
    },
    {
      breaks: 'Zone B lets in pods with every right (Z24).',
      caughtBy: 'zones-isolation: the namespace agents',
      neighbours: elsewhere,
    },
  ),
  zone(
    'zones-failsafe-runs',
    'Deployment/glm-executor',
    (object) => {
      ;(object['spec'] as { replicas: number }).replicas = 1
    },
    {
      breaks: 'GLM is on from the start (L31).',
      caughtBy: 'zones-startup: the live objects › have the replicas',
      neighbours: elsewhere,
    },
  ),
  zone(
    'zones-longer-startup-budget',
    'Deployment/glm-executor',
    pod((_, server) => {
      server.startupProbe.failureThreshold = 400
    }),
    {
      breaks: 'A model server may take ten times as long to start (L192).',
      caughtBy: 'zones-startup: the live objects › have the startup budget',
      neighbours: ['zones-startup: the live objects › have the liveness budget', bound],
    },
  ),
  zone(
    'zones-shorter-liveness-budget',
    'Deployment/minimax-failsafe',
    pod((_, server) => {
      server.livenessProbe.periodSeconds = 1
    }),
    {
      breaks: 'A model server is killed too early (L195).',
      caughtBy: 'zones-startup: the live objects › have the liveness budget',
      neighbours: ['zones-startup: the live objects › have the startup budget', bound],
    },
  ),
  zone(
    'zones-brain-not-guaranteed',
    'Deployment/deepseek-v32',
    pod((_, server) => {
      server.resources.requests['cpu'] = '10m'
    }),
    {
      breaks: 'The pod of the brain is no longer Guaranteed (L205).',
      caughtBy: 'zones-startup: the live objects › the pod of the brain is Guaranteed',
      neighbours: elsewhere,
    },
  ),
  zone(
    'zones-gpus-of-the-failover-turned-round',
    'Deployment/minimax-failsafe',
    pod((_, { resources }) => {
      const { [gpuResource]: asked, ...others } = resources.limits
      resources.limits = asked === undefined ? { ...others, [gpuResource]: '2' } : others
    }),
    {
      breaks: 'The failover asks for GPUs where there are none, and for none where DeepSeek leaves it some.',
      caughtBy: 'zones-gpu: the Deployments › ask for the GPUs that they are to have',
      neighbours: elsewhere,
    },
  ),
  zone(
    'zones-brain-may-write-models',
    'Deployment/deepseek-v32',
    pod((own, server) => {
      for (const mount of server.volumeMounts) if (mount.name === 'models') mount.readOnly = false
      for (const { name, persistentVolumeClaim } of own.volumes)
        if (name === 'models' && persistentVolumeClaim) persistentVolumeClaim.readOnly = false
    }),
    {
      breaks: 'The model server may write to the models (L102).',
      caughtBy: 'zones-volumes: the models › the model server itself cannot write to /models',
      neighbours: ['zones-volumes: the models › the model server itself cannot write to /prompts', bound],
    },
  ),
  zone(
    'zones-glm-in-the-pod-network',
    'Deployment/glm-executor',
    pod((own) => {
      delete own.hostNetwork
      delete own.dnsPolicy
    }),
    {
      breaks: 'GLM runs beside DeepSeek, for no port keeps it away (Z08).',
      caughtBy: 'zones-failover: GLM',
      neighbours: elsewhere,
    },
  ),
  ...monitoringMutations,
]

/** Changes to the zones that change no behaviour. */
export const zonesEquivalents: readonly Equivalent[] = [
  {
    name: 'the way to the node for all agents (behaviour)',
    object: 'CiliumNetworkPolicy/orchestrator-to-brain-on-node',
    reason:
      'With an empty endpointSelector every pod of Zone B is let out to port 8000 of nodes, where brain-on-node lets in the orchestrator alone. The contract sees it as an object.',
  },
  {
    name: 'drop agents-default-deny (behaviour)',
    object: 'NetworkPolicy/agents-default-deny',
    reason:
      'agents-dns selects every pod of the namespace for egress, and each agent has a policy of its own for ingress, so that every pod that is there is isolated without it. The contract sees it as an object.',
  },
]
