import type { Plan } from '../plan/plan.ts'
import { observePart, recordedObjects } from './part.ts'
import { partsOf } from './prune.ts'
import type { ClusterRecord } from './record.ts'
import type { Session } from './session.ts'
import type { Observation, Step } from './step.ts'

/**
 * The graph of `up` as far as a cluster's own record knows it, for looking only: nothing is rendered, no image source and
 * no registry is asked.
 */
export function statusSteps(
  session: Session,
  plan: Plan | undefined,
  record: ClusterRecord | undefined,
): Step[] {
  const look = (
    id: string,
    title: string,
    needs: readonly string[],
    observe: () => Promise<Observation>,
  ): Step => ({
    id,
    title,
    needs,
    timeoutMs: 20_000,
    observe,
    apply: () => Promise.resolve(),
    verify: () => Promise.resolve(''),
  })
  const parts = plan ? partsOf(plan) : []
  const engine = [
    look('engine', 'Container engine', [], async () => {
      const { engine } = await session.look()
      return engine
        ? { state: 'done', reason: `${engine.kind} ${engine.version}` }
        : { state: 'absent', reason: 'no container engine on this machine' }
    }),
  ]
  return [
    ...(session.existing ? [] : engine),
    look(
      'cluster',
      session.existing ? `Cluster of context ${session.existing.context}` : `Cluster ${session.name}`,
      session.existing ? [] : ['engine'],
      () => clusterState(session, plan),
    ),
    ...parts.map((part) => {
      const recorded = record?.parts[part]
      const [kind, name] = [part.slice(0, part.indexOf('.')), part.slice(part.indexOf('.') + 1)]
      return look(
        kind === 'addon' ? `addon:${name}` : kind,
        recorded?.title ?? name,
        ['cluster'],
        async () =>
          recorded
            ? observePart(session, part, recordedObjects(recorded))
            : { state: 'absent', reason: 'not applied yet' },
      )
    }),
    look('record-plan', 'Record of the plan', ['cluster'], async () => {
      const { cluster, kube } = await session.look()
      if (!cluster) return { state: 'absent', reason: `no cluster ${session.name}` }
      if (!kube) await session.kube()
      if (!record) return { state: 'absent', reason: 'the cluster has no record of its plan' }
      return record.complete
        ? { state: 'done', reason: `made with version ${record.toolVersion}` }
        : { state: 'partial', reason: 'the last up was not finished; run it again' }
    }),
  ]
}

async function clusterState(session: Session, plan: Plan | undefined): Promise<Observation> {
  const { cluster, kube, trouble } = await session.look()
  if (!cluster) return { state: 'absent', reason: `no cluster ${session.name}` }
  if (cluster.owner === 'foreign')
    return { state: 'absent', reason: 'a cluster of that name exists that is not ours' }
  if (cluster.complete === false) return { state: 'partial', reason: 'its creation was interrupted' }
  if (session.existing) {
    const ready = cluster.nodes.filter((node) => node.running).length
    return kube
      ? {
          state: 'done',
          reason: `${String(ready)} of ${String(cluster.nodes.length)} nodes ready, the API answers`,
        }
      : { state: 'partial', reason: `the API does not answer: ${trouble ?? 'no reason known'}` }
  }
  const running = cluster.nodes.filter((node) => node.running).length
  const nodes = `${String(running)} of ${String(plan?.nodes.length ?? cluster.nodes.length)} nodes running`
  if (!kube)
    return { state: 'partial', reason: `${nodes}; the API does not answer: ${trouble ?? 'no reason known'}` }
  return {
    state: running === (plan?.nodes.length ?? running) ? 'done' : 'partial',
    reason: `${nodes}, the API answers`,
  }
}
