import { nextWake } from '../process/next-wake.ts'
import type { Target } from './targets.ts'

/** Milliseconds for which a pod that did not let a connection in is passed over while there is another one. */
const distrustMs = 2_000

/** To which pod the connections of one Service go at the moment. */
export interface Route {
  /** Tells which pods are ready now. */
  update(targets: readonly Target[]): void
  /** Tells that a connection to this pod could not be made. */
  distrust(pod: string): void
  /** The pod for a new connection; waits until one is ready, undefined when none is within `timeoutMs` or the signal aborts. */
  next(timeoutMs: number, signal: AbortSignal): Promise<Target | undefined>
}

/**
 * Keeps to one pod as long as it is ready, so that requests of one user see one pod, and tells when it has to take another:
 * `onMove` gets the pod before and the one after.
 */
export function createRoute(onMove: (from: string | undefined, to: string | undefined) => void): Route {
  let ready: readonly Target[] = []
  let current: Target | undefined
  let known = false
  const distrusted = new Map<string, number>()
  const waiting = new Set<() => void>()

  const choose = (): void => {
    const now = performance.now()
    for (const [pod, until] of distrusted) if (until <= now) distrusted.delete(pod)
    const kept = ready.find(({ pod }) => pod === current?.pod)
    const trusted = ready.find(({ pod }) => !distrusted.has(pod))
    const chosen = kept && !distrusted.has(kept.pod) ? kept : (trusted ?? kept ?? ready[0])
    const before = current
    current = chosen
    if (before?.pod !== chosen?.pod && known) onMove(before?.pod, chosen?.pod)
    known ||= chosen !== undefined
    if (chosen) for (const wake of [...waiting]) wake()
  }
  return {
    update(targets) {
      ready = targets
      choose()
    },
    distrust(pod) {
      distrusted.set(pod, performance.now() + distrustMs)
      choose()
    },
    async next(timeoutMs, signal) {
      const until = performance.now() + timeoutMs
      while (current === undefined && !signal.aborted) {
        const left = until - performance.now()
        if (left <= 0) return undefined
        await nextWake(waiting, left, signal)
      }
      return signal.aborted ? undefined : current
    },
  }
}
