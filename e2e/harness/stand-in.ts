import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { deploymentRef, queryOf, replicaState, type ReplicaState } from './autoscaler.ts'
import type { Cluster } from './cluster.ts'
import { createNamespace } from './namespace.ts'
import { observe, type Observation } from './observe.ts'
import { parkedPod } from './parked-pod.ts'
import type { AutoscalerRow } from './scaling-subject.ts'
import { slateObjects } from './slate-objects.ts'
import { ExpectationFailed } from './verdict.ts'

/** A Deployment whose pods never run, under a copy of an autoscaler. Leaving its scope deletes both. */
export interface StandIn extends AsyncDisposable {
  replicas: Observation<ReplicaState>
}

/**
 * Makes, in a namespace of its own, a Deployment of the name that the contract gives as the autoscaler's target, with so many pods that
 * nobody schedules, and the autoscaler as the overlay renders it. An autoscaler keeps to its limits without any metrics.
 * @throws ExpectationFailed when the overlay has no such autoscaler
 */
export async function standIn(
  cluster: Cluster,
  row: AutoscalerRow,
  replicas: number,
  signal: AbortSignal,
): Promise<StandIn> {
  const { kube, runId } = cluster
  const autoscaler = (await slateObjects(cluster, signal)).find(
    ({ kind, metadata }) => kind === 'HorizontalPodAutoscaler' && metadata.name === row.name,
  )
  if (!autoscaler) throw new ExpectationFailed(`There is no autoscaler ${row.name}.`)
  await using stack = new AsyncDisposableStack()
  const { name: namespace } = stack.use(await createNamespace({ kube, runId, purpose: 'limits', signal }))
  const labels = { app: 'stand-in' }
  const { spec } = parkedPod({ namespace, runId, name: 'stand-in', containers: [{}] }) as KubeObject & {
    spec: Record<string, unknown>
  }
  const deployment: KubeObject = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: row.target, namespace },
    spec: { replicas, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  }
  const { name, labels: own } = autoscaler.metadata
  const copy = { ...autoscaler, metadata: { name, namespace, ...(own === undefined ? {} : { labels: own }) } }
  await kube.apply([deployment, copy], { signal, dryRun: 'skip' })
  const seen = stack.use(
    await observe(kube, queryOf(deploymentRef(namespace, row.target)), ([one]) => replicaState(one), {
      signal,
    }),
  )
  const kept = stack.move()
  return { replicas: seen, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}
