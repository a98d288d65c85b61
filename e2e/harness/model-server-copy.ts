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

interface Container {
  name: string
  image: string
  env: { name: string; value?: string; valueFrom?: object }[]
  startupProbe: Probe
  [field: string]: unknown
}

/**
 * A pod with the model server of deepseek-v32 as it is on the cluster, probes, image and security included, in a namespace of the test: in
 * the pod network, with a model of its own in a folder of its own, and without Ollama, so that it takes exactly `loadSeconds` to load.
 * Returns once it is made.
 */
export async function startModelServerCopy(
  { kube, runId }: Pick<Cluster, 'kube' | 'runId'>,
  options: { namespace: string; purpose: string; loadSeconds: number; signal: AbortSignal },
): Promise<ModelServerPod> {
  const { namespace, purpose, loadSeconds, signal } = options
  const ref = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: zoneA, name: 'deepseek-v32' }
  const original = await kube.get(ref, signal)
  const spec = (
    original?.['spec'] as
      { template: { spec: { containers: Container[]; securityContext: object } } } | undefined
  )?.template.spec
  const server = spec?.containers.find(({ name }) => name === 'model-server')
  if (!spec || !server) throw new CheckBroke('The cluster has no model server deepseek-v32 to copy.')
  const changed = new Set(['OMNI_OLLAMA_URL', 'OMNI_LOAD_SECONDS', 'OMNI_PROMPT_FILE'])
  const name = `${purpose}-${randomBytes(3).toString('hex')}`
  const pod: KubeObject = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { [runLabel]: runId } },
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
          env: [
            ...server.env.filter((one) => !changed.has(one.name)),
            { name: 'OMNI_LOAD_SECONDS', value: String(loadSeconds) },
          ],
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
