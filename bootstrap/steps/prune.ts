import type { KubeClient, ObjectRef } from '../kube/client.ts'
import { parseRefKey } from './objects.ts'
import type { Plan } from '../plan/plan.ts'
import type { Session } from './session.ts'
import type { Step } from './step.ts'

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

/** Removes from the cluster the add-ons and systems that an earlier plan had and this one has not. */
export function pruneStep(session: Session, plan: Plan, needs: readonly string[], timeoutMs: number): Step {
  const kept = new Set(partsOf(plan))
  const obsolete = async (): Promise<string[]> => {
    const { record } = await session.look()
    return Object.keys(record?.parts ?? {}).filter((part) => !kept.has(part))
  }
  return {
    id: 'prune',
    title: 'Remove what is no longer wanted',
    needs,
    timeoutMs,
    async observe() {
      const parts = await obsolete()
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
        await deleteObjects(kube, refs, run.signal)
        session.objectsChanged()
        await session.record({ parts: { [part]: undefined } })
      }
    },
    async verify(run) {
      const parts = await obsolete()
      run.signal.throwIfAborted()
      return parts.length === 0 ? 'removed' : `still there: ${parts.join(', ')}`
    },
  }
}
