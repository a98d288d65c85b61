import type { ApiAnswer, ApiCaller } from './api-caller.ts'
import { CheckBroke } from './verdict.ts'

/** What the Eviction API says about a pod. */
export type Eviction =
  | { kind: 'granted'; seen: string }
  /** HTTP 429 by a budget: `needs` pods have to be healthy. */
  | { kind: 'refused'; budget: string; needs: number; seen: string }
  /** HTTP 429, because the budget is new and nothing is counted yet. */
  | { kind: 'unsettled'; seen: string }

/**
 * Asks to evict a pod, as a drain does (https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/); as a dry run nothing happens to
 * it. Sent once.
 * @throws CheckBroke for every answer that is not the budgets': the pod is gone, several budgets, too many requests of ours
 */
export async function evict(
  caller: ApiCaller,
  pod: { namespace: string; name: string },
  { signal, dryRun = false }: { signal: AbortSignal; dryRun?: boolean },
): Promise<Eviction> {
  const answer = await caller.call({
    method: 'POST',
    path: `/api/v1/namespaces/${pod.namespace}/pods/${pod.name}/eviction`,
    query: { dryRun: dryRun ? 'All' : undefined },
    body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: pod },
    signal,
  })
  return judgeEviction(answer)
}

/** The answer read: only a 429 that names a budget as its cause is the budget's. */
export function judgeEviction({ status, body, message }: ApiAnswer): Eviction {
  if (status === 201) return { kind: 'granted', seen: 'HTTP 201' }
  const cause = status === 429 ? causeOf(body) : ''
  const seen = `HTTP ${String(status)}: ${cause === '' ? message : cause}`
  const counted = /disruption budget (\S+) needs (\d+) healthy pods and has \d+ currently/.exec(cause)
  if (counted) return { kind: 'refused', budget: counted[1] ?? '', needs: Number(counted[2]), seen }
  if (cause.includes('still being processed')) return { kind: 'unsettled', seen }
  throw new CheckBroke(`This is no answer of a disruption budget: ${seen}`)
}

function causeOf(body: string): string {
  const { details } = JSON.parse(body) as {
    details?: { causes?: { reason?: string; message?: string }[] }
  }
  return details?.causes?.find(({ reason }) => reason === 'DisruptionBudget')?.message ?? ''
}
