import { isDeepStrictEqual } from 'node:util'
import type { KubeClient, KubeObject, ListQuery } from '../../bootstrap/kube/client.ts'
import { nextWake } from '../../bootstrap/process/next-wake.ts'
import { duration, type Look } from './look.ts'
import { CheckBroke, ExpectationFailed } from './verdict.ts'

/** A value and when it was first seen, milliseconds since the Unix epoch. */
export interface Observed<T> {
  atMs: number
  value: T
}

/** A look at one observed value; `fatal` says that waiting longer is of no use. */
export type ObservedLook = Look & { fatal?: boolean }

/** What a watch sees of some objects from now on. Leaving its scope ends the watch. */
export interface Observation<T> extends AsyncDisposable {
  /** Every value so far, the oldest first; equal ones in a row are one. */
  readonly series: readonly Observed<T>[]
  /** The value that holds now. @throws CheckBroke when the watch has ended, because then nobody knows */
  latest(): T
  /**
   * Returns the first value from now on that is ok, together with when it was first seen.
   * @throws ExpectationFailed with the last thing seen when the time is over or a look is fatal; CheckBroke when the watch ends
   */
  until(
    what: string,
    judge: (value: T) => ObservedLook,
    options: { timeoutMs: number; signal: AbortSignal },
  ): Promise<Observed<T>>
}

/** Longest that anything is observed, milliseconds; longer than any run. */
const longestMs = 2 * 60 * 60_000

/**
 * Watches the objects that a query selects and keeps what `pick` makes of them, at every change and without looking in between: nothing
 * that the API server announces is missed. Returns when it has seen them once.
 * @throws LocalCloudError when the first list fails, by the signal when it aborts before that
 */
export async function observe<T>(
  kube: Pick<KubeClient, 'waitForList'>,
  query: ListQuery,
  pick: (objects: readonly KubeObject[]) => T,
  { signal }: { signal: AbortSignal },
): Promise<Observation<T>> {
  const series: Observed<T>[] = []
  const wakers = new Set<() => void>()
  const stop = new AbortController()
  const wake = (): void => {
    for (const waker of [...wakers]) waker()
  }
  let broken: unknown
  const watching = kube
    .waitForList(
      query,
      (objects) => {
        const value = pick(objects)
        const last = series.at(-1)
        if (last === undefined || !isDeepStrictEqual(last.value, value)) {
          series.push({ atMs: Date.now(), value: structuredClone(value) })
          wake()
        }
        return { met: false, seen: 'observed' }
      },
      { timeoutMs: longestMs, signal: AbortSignal.any([signal, stop.signal]) },
    )
    .catch((error: unknown) => {
      broken = error
      wake()
    })

  const subject = `${query.kind} in ${query.namespace ?? 'all namespaces'}`
  const current = (): Observed<T> => {
    const last = series.at(-1)
    if (broken !== undefined || last === undefined)
      throw new CheckBroke(`Nobody watches ${subject} any more: ${wordsOf(broken)}`, { cause: broken })
    return last
  }
  while (series.length === 0 && broken === undefined) await nextWake(wakers, longestMs, signal)
  if (series.length === 0) throw broken

  return {
    series,
    latest: () => current().value,
    async until(what, judge, { timeoutMs, signal: stopWaiting }) {
      const started = performance.now()
      for (;;) {
        stopWaiting.throwIfAborted()
        const last = current()
        const { ok, seen, fatal } = judge(last.value)
        if (ok) return last
        const passed = performance.now() - started
        if (fatal === true) throw new ExpectationFailed(`${what}: ${seen}`)
        if (passed >= timeoutMs)
          throw new ExpectationFailed(`${what}: not within ${duration(timeoutMs)}; last seen: ${seen}`)
        await nextWake(wakers, timeoutMs - passed, stopWaiting)
      }
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      await watching
    },
  }
}

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : 'it has seen nothing')

/** A number of each observed value as points of a plot; equal ones in a row are one, values without the number are left out. */
export function pointsOf<T>(
  series: readonly Observed<T>[],
  number: (value: T) => number | undefined,
): [atMs: number, value: number][] {
  const points: [number, number][] = []
  for (const { atMs, value } of series) {
    const at = number(value)
    if (at !== undefined && points.at(-1)?.[1] !== at) points.push([atMs, at])
  }
  return points
}
