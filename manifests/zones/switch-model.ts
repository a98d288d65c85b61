import { LocalCloudError } from '../../bootstrap/errors/local-cloud-error.ts'
import type { KubeClient, KubeObject } from '../../bootstrap/kube/client.ts'
import { deploymentAvailable } from '../../bootstrap/kube/conditions/deployment-available.ts'
import { as } from '../../bootstrap/kube/shapes.ts'

/** What happens during a switch, in order. */
export type SwitchEvent =
  { type: 'stopping' | 'starting'; model: string } | { type: 'waiting'; seen: string } | { type: 'gone' }

export interface SwitchOptions {
  /** Deployment of the model server that is to run. */
  to: string
  /** How long the pods of the others may take to go, milliseconds. */
  stopTimeoutMs: number
  /** How long the new one may take to be ready, milliseconds: more than its startup budget. */
  startTimeoutMs: number
  signal: AbortSignal
  emit: (event: SwitchEvent) => void
}

/** Namespace of Zone A, and the label of its model servers. */
const namespace = 'inference'
const labelSelector = 'app.kubernetes.io/component=model-server'
const nameLabel = 'app.kubernetes.io/name'

/**
 * Has one model server of Zone A run and no other: the others go to 0 replicas, and only when none of their pods is left is the new one
 * started, since they share GPUs, memory and the node's port (Z08, Z16). Done already, it changes nothing.
 * @throws LocalCloudError BAD_VALUE for a name that is none; WAIT_TIMEOUT when a pod of another does not go (then nothing was started), or
 * when the new one does not become ready
 */
export async function switchModel(kube: KubeClient, options: SwitchOptions): Promise<void> {
  const { to, stopTimeoutMs, startTimeoutMs, signal, emit } = options
  const query = { namespace, labelSelector }
  const deployments = await kube.list({ apiVersion: 'apps/v1', kind: 'Deployment', ...query }, signal)
  const names = deployments.map(({ metadata }) => metadata.name)
  if (!names.includes(to)) {
    throw new LocalCloudError('BAD_VALUE', {
      message: `${to} is no model server of Zone A; there is ${names.length === 0 ? 'none' : names.join(', ')}.`,
    })
  }
  const refOf = (name: string) => ({ apiVersion: 'apps/v1', kind: 'Deployment', namespace, name })
  const scale = (name: string, replicas: number): Promise<KubeObject> =>
    kube.patch(refOf(name), { spec: { replicas } }, { signal })

  for (const other of deployments) {
    const { name } = other.metadata
    if (name === to || replicasOf(other) === 0) continue
    emit({ type: 'stopping', model: name })
    await scale(name, 0)
  }
  await kube.waitForList(
    { apiVersion: 'v1', kind: 'Pod', ...query },
    (pods) => {
      const left = pods.filter(({ metadata }) => metadata.labels?.[nameLabel] !== to)
      return left.length === 0
        ? { met: true, seen: 'no pod of another model server' }
        : { met: false, seen: `${left.map(({ metadata }) => metadata.name).join(', ')} is still there` }
    },
    {
      timeoutMs: stopTimeoutMs,
      signal,
      onSeen(seen) {
        emit({ type: 'waiting', seen })
      },
    },
  )
  emit({ type: 'gone' })
  const wanted = deployments.find(({ metadata }) => metadata.name === to)
  if (wanted && replicasOf(wanted) !== 1) {
    emit({ type: 'starting', model: to })
    await scale(to, 1)
  }
  await kube.waitFor(refOf(to), deploymentAvailable, {
    timeoutMs: startTimeoutMs,
    signal,
    onSeen(seen) {
      emit({ type: 'waiting', seen })
    },
  })
}

const replicasOf = (deployment: KubeObject): number =>
  as<{ spec?: { replicas?: number } }>(deployment).spec?.replicas ?? 1
