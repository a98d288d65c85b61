import { setTimeout as delay } from 'node:timers/promises'
import { LocalCloudError, type ErrorFamily } from '../../bootstrap/errors/local-cloud-error.ts'
import { CheckBroke, isVerdictError } from './verdict.ts'

/** What one look at the world found: whether it is as wanted, and what was seen, in words that a failure can quote. */
export interface Look {
  ok: boolean
  seen: string
}

/**
 * Looks once. It gets a signal that aborts when its time is over. A look that cannot tell throws, and is never read as "not yet": it ends
 * the waiting, at once unless the API or a tool failed it in a way that may pass (`mayPass`).
 */
export type Looker = (signal: AbortSignal) => Promise<Look> | Look

/** How long and how often to look, milliseconds. Both are required: a default would hide a wait that nobody chose. */
export interface Pace {
  timeoutMs: number
  intervalMs: number
  /** Ends the waiting early, for instance when the run is interrupted. */
  signal?: AbortSignal
}

/** Why the last look of a period has no result. */
export interface Looked {
  look: Look | undefined
  /** True when the period ended while the look was under way. */
  cutOff: boolean
}

/**
 * Takes one look and gives it up when `deadline` aborts.
 * @throws CheckBroke when the looker threw before that, unless it threw a verdict itself; whatever `outer` aborted with.
 */
export async function takeLook(
  what: string,
  looker: Looker,
  deadline: AbortSignal,
  outer: AbortSignal | undefined,
): Promise<Looked> {
  outer?.throwIfAborted()
  if (deadline.aborted) return { look: undefined, cutOff: true }
  const signal = outer ? AbortSignal.any([deadline, outer]) : deadline
  let stop: () => void = () => undefined
  const ended = new Promise<'ended'>((resolve) => {
    stop = () => {
      resolve('ended')
    }
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    const result = await Promise.race([Promise.resolve(looker(signal)), ended])
    outer?.throwIfAborted()
    return result === 'ended' ? { look: undefined, cutOff: true } : { look: result, cutOff: false }
  } catch (error) {
    outer?.throwIfAborted()
    if (isVerdictError(error)) throw error
    if (isOver(deadline)) return { look: undefined, cutOff: true }
    throw new CheckBroke(
      `${what}: the check could not run: ${error instanceof Error ? error.message : String(error)}`,
      {
        cause: error,
      },
    )
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** A call, because an abort in between is invisible to the type checker. */
const isOver = (signal: AbortSignal): boolean => signal.aborted

/** What a busy machine or an API server that is not well for a moment makes fail; the rest fails the next time as well. */
const passing: ReadonlySet<ErrorFamily> = new Set<ErrorFamily>(['kubernetes', 'command', 'wait-timeout'])

/** Whether a look that broke may run a moment later: the API, the engine or a tool did not do what it was asked. */
export const mayPass = (error: unknown): error is CheckBroke =>
  error instanceof CheckBroke && error.cause instanceof LocalCloudError && passing.has(error.cause.family)

/** Waits until the next look is due or the period is over; throws what `outer` aborted with. */
export async function untilNext(
  intervalMs: number,
  deadline: AbortSignal,
  outer: AbortSignal | undefined,
): Promise<void> {
  const signal = outer ? AbortSignal.any([deadline, outer]) : deadline
  await delay(intervalMs, undefined, { signal }).catch(() => undefined)
  outer?.throwIfAborted()
}

/** Milliseconds as a reader likes them: `850 ms`, `12.3 s`, `2 min 5 s`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${String(Math.round(ms))} ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`
  return `${String(Math.floor(ms / 60_000))} min ${String(Math.round((ms % 60_000) / 1000))} s`
}
