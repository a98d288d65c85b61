import { randomBytes } from 'node:crypto'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import type { Cluster } from './cluster.ts'
import { runLabel } from './run-id.ts'
import { CheckBroke } from './verdict.ts'
import { zoneA } from './zones.ts'

interface Probe {
  initialDelaySeconds?: number
  periodSeconds?: number
  failureThreshold?: number
  [field: string]: unknown
}

export interface ModelServerPod {
  namespace: string
  name: string
  startupProbe: Probe
}

interface Template {
  metadata: { labels: Record<string, string>; annotations: Record<string, string> }
  spec: { containers: Container[]; securityContext: object }
}

interface Container {
  name: string
  image: string
  env: { name: string; value?: string; valueFrom?: object }[]
  startupProbe: Probe
  [field: string]: unknown
}

export interface ModelServerCopyOptions {
  namespace: string
  /** Beginning of the pod's name. */
  purpose: string
  loadSeconds: number
  /** Name of the model that it says it has; default deepseek-v32. */
  model?: string
  /** Whether Prometheus finds it: in a namespace of the zones, with the labels by which policies know a model server. */
  scraped?: boolean
  /** Whether it can be told to count resets and to hold memory; default as the original. */
  debug?: boolean
  signal: AbortSignal
}

/**
 * A pod with the model server of deepseek-v32 as it is on the cluster, probes, image and security included, in a namespace of the test: in
 * the pod network, with a model of its own in a folder of its own, and without Ollama, so that it takes exactly `loadSeconds` to load.
 * Returns once it is made.
 */
export async function startModelServerCopy(
  { kube, runId }: Pick<Cluster, 'kube' | 'runId'>,
  options: ModelServerCopyOptions,
): Promise<ModelServerPod> {
  const { namespace, purpose, loadSeconds, model, scraped = false, debug = false, signal } = options
  const ref = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: zoneA, name: 'deepseek-v32' }
  const original = await kube.get(ref, signal)
  const template = (original?.['spec'] as { template: Template } | undefined)?.template
  const spec = template?.spec
  const server = spec?.containers.find(({ name }) => name === 'model-server')
  if (!template || !spec || !server)
    throw new CheckBroke('The cluster has no model server deepseek-v32 to copy.')
  const added = [
    { name: 'OMNI_LOAD_SECONDS', value: String(loadSeconds) },
    ...(model === undefined ? [] : [{ name: 'OMNI_MODEL', value: model }]),
    ...(debug ? [{ name: 'OMNI_DEBUG', value: 'enabled' }] : []),
  ]
  const changed = new Set(['OMNI_OLLAMA_URL', 'OMNI_PROMPT_FILE', ...added.map((one) => one.name)])
  // Without the name of the original, whose Service and Deployment are not to take it for theirs.
  const component = 'app.kubernetes.io/component'
  const labels = scraped ? { [component]: template.metadata.labels[component] ?? '' } : {}
  const name = `${purpose}-${randomBytes(3).toString('hex')}`
  const pod: KubeObject = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      labels: { ...labels, [runLabel]: runId },
      ...(scraped ? { annotations: template.metadata.annotations } : {}),
    },
    spec: {
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 3,
      securityContext: spec.securityContext,
      initContainers: [
        {
          name: 'model-writer',
          image: server.image,
          imagePullPolicy: 'IfNotPresent',
          args: ['--write-models', '/models', 'deepseek-v32'],
          resources: { requests: { cpu: '10m', memory: '64Mi' }, limits: { cpu: '500m', memory: '192Mi' } },
          securityContext: server['securityContext'],
          volumeMounts: [{ name: 'models', mountPath: '/models' }],
        },
      ],
      containers: [
        {
          name: server.name,
          image: server.image,
          imagePullPolicy: 'IfNotPresent',
          ports: server['ports'],
          env: [...server.env.filter((one) => !changed.has(one.name)), ...added],
          resources: { requests: { cpu: '10m', memory: '64Mi' }, limits: { cpu: '500m', memory: '192Mi' } },
          startupProbe: server.startupProbe,
          livenessProbe: server['livenessProbe'],
          readinessProbe: server['readinessProbe'],
          securityContext: server['securityContext'],
          volumeMounts: [{ name: 'models', mountPath: '/models', readOnly: true }],
        },
      ],
      volumes: [{ name: 'models', emptyDir: {} }],
    },
  }
  await kube.apply([pod], { signal, dryRun: 'skip' })
  return { namespace, name, startupProbe: server.startupProbe }
}
