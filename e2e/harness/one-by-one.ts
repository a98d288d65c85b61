import type { KubeClient, KubeObject, ListQuery } from '../../bootstrap/kube/client.ts'
import type { ApiCaller } from './api-caller.ts'
import { eventually } from './eventually.ts'
import { evict } from './eviction.ts'
import { isReady } from './is-ready.ts'
import { ExpectationFailed } from './verdict.ts'

/**
 * Evicts the pods one after the other as a drain does: a refused one is asked for again until the budget lets it go. Looks meanwhile at all pods that the
 * query selects, and returns how few of them were healthy at the worst moment.
 * @throws ExpectationFailed when there are ever fewer than `least`, or when one is not let go in time
 */
export async function evictOneByOne(
  { kube, admin }: { kube: KubeClient; admin: ApiCaller },
  pods: readonly KubeObject[],
  {
    query,
    least,
    timeoutMs,
    signal,
  }: { query: ListQuery; least: number; timeoutMs: number; signal: AbortSignal },
): Promise<{ fewest: number; refusals: number }> {
  const before = (await kube.list(query, signal)).filter(isReady).length
  let fewest = before
  let refusals = 0
  const count = async (stop: AbortSignal): Promise<number> => {
    const healthy = (await kube.list(query, stop)).filter(isReady).length
    fewest = Math.min(fewest, healthy)
    if (healthy < least)
      throw new ExpectationFailed(`Only ${String(healthy)} pods are healthy, not ${String(least)}.`)
    return healthy
  }
  for (const { metadata } of pods) {
    const { name, namespace = '' } = metadata
    await eventually(
      `the budget lets ${name} go`,
      async (stop) => {
        const answer = await evict(admin, { namespace, name }, { signal: stop })
        if (answer.kind !== 'granted') refusals += 1
        const healthy = await count(stop)
        return { ok: answer.kind === 'granted', seen: `${answer.seen}; ${String(healthy)} healthy` }
      },
      { timeoutMs, intervalMs: 200, signal },
    )
  }
  await eventually(
    'as many are healthy as before',
    async (stop) => {
      const healthy = await count(stop)
      return { ok: healthy >= before, seen: `${String(healthy)} of ${String(before)}` }
    },
    { timeoutMs, intervalMs: 200, signal },
  )
  return { fewest, refusals }
}
