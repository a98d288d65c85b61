import { removeOurs } from '../existing/remove-ours.ts'
import type { KubeClient, ObjectRef } from '../kube/client.ts'
import { gpuLabels } from '../plan/gpu-plan.ts'
import { noGpuLabels } from './gpu.ts'
import { clearGpus } from './gpu-node.ts'
import { parseRefKey } from './objects.ts'
import type { Plan } from '../plan/plan.ts'
import type { Session } from './session.ts'
import type { Step, StepRun } from './step.ts'

/** Names of the parts that a plan has, as keys of the record. */
export const partsOf = (plan: Plan): string[] => [
  ...plan.addons.map((addon) => `addon.${addon.name}`),
  ...plan.systems.map((system) => `system.${system.name}`),
]

/**
 * Deletes these objects and returns when they are gone: what lives in a deleted namespace goes with it, volumes after the claims
 * that protect them, everything else first. Absent objects are success.
 */
export async function deleteObjects(
  kube: KubeClient,
  refs: readonly ObjectRef[],
  signal: AbortSignal,
): Promise<void> {
  const namespaces = new Set(refs.filter((ref) => ref.kind === 'Namespace').map((ref) => ref.name))
  const remove = async (some: readonly ObjectRef[]): Promise<void> => {
    await Promise.all(some.map((ref) => kube.delete(ref, { signal, wait: true })))
  }
  const others = refs.filter(
    (ref) => ref.kind !== 'Namespace' && !(ref.namespace !== undefined && namespaces.has(ref.namespace)),
  )
  await remove(others.filter((ref) => ref.kind !== 'PersistentVolume'))
  await remove([...namespaces].map((name) => ({ apiVersion: 'v1', kind: 'Namespace', name })))
  await remove(others.filter((ref) => ref.kind === 'PersistentVolume'))
}

/**
 * The same for what the record names as ours. On an existing cluster only what carries our labels is removed, and a namespace in which
 * others have put something stays.
 */
export async function deleteRecorded(
  session: Session,
  refs: readonly ObjectRef[],
  run: StepRun,
): Promise<void> {
  if (!session.existing) {
    await deleteObjects(await session.kube(), refs, run.signal)
    return
  }
  const { kept } = await removeOurs(await session.listing(), session.name, run, refs)
  for (const line of kept)
    session.emit({ type: 'notice', level: 'warning', message: `Not removed: ${line}.` })
}

/** Removes from the cluster the add-ons, systems and GPUs that an earlier plan had and this one has not. */
export function pruneStep(session: Session, plan: Plan, needs: readonly string[], timeoutMs: number): Step {
  const kept = new Set(partsOf(plan))
  const obsolete = async (): Promise<string[]> => {
    const { record } = await session.look()
    return Object.keys(record?.parts ?? {}).filter((part) => !kept.has(part))
  }
  /** Nodes whose GPUs are to go: told by their labels, for an interrupted `up` leaves no record. */
  const losers = async (signal: AbortSignal): Promise<string[]> => {
    const { kube } = await session.look()
    // Nodes of an existing cluster are not ours, whatever labels they carry.
    if (!kube || plan.gpu !== undefined || session.existing) return []
    const nodes = await kube.list({ apiVersion: 'v1', kind: 'Node', labelSelector: gpuLabels.tier }, signal)
    return nodes.map(({ metadata }) => metadata.name)
  }
  const obsoleteWords = async (signal: AbortSignal): Promise<string[]> => [
    ...(await obsolete()),
    ...(await losers(signal)).map((node) => `the GPUs of ${node}`),
  ]
  return {
    id: 'prune',
    title: 'Remove what is no longer wanted',
    needs,
    timeoutMs,
    async observe({ signal }) {
      const parts = await obsoleteWords(signal)
      return parts.length === 0
        ? { state: 'done', reason: 'nothing of an earlier plan is there' }
        : { state: 'partial', reason: `no longer wanted: ${parts.join(', ')}` }
    },
    async apply(run) {
      const kube = await session.kube()
      const { record } = await session.look()
      const wanted = new Set([...kept].flatMap((part) => Object.keys(record?.parts[part]?.objects ?? {})))
      for (const part of await obsolete()) {
        const refs = Object.keys(record?.parts[part]?.objects ?? {})
          .filter((key) => !wanted.has(key))
          .map(parseRefKey)
        run.progress(`removing ${part}: ${String(refs.length)} objects`)
        await deleteRecorded(session, refs, run)
        session.objectsChanged()
        await session.record({ parts: { [part]: undefined } })
      }
      for (const node of await losers(run.signal)) {
        run.progress(`taking the GPUs out of ${node}`)
        await clearGpus(await session.provider(), node, run)
        const ref = { apiVersion: 'v1', kind: 'Node', name: node }
        await kube.patch(ref, { metadata: { labels: noGpuLabels } }, { signal: run.signal })
      }
    },
    async verify(run) {
      const parts = await obsolete()
      run.signal.throwIfAborted()
      return parts.length === 0 ? 'removed' : `still there: ${parts.join(', ')}`
    },
  }
}
