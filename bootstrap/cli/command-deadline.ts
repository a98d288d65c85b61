import { LocalCloudError } from '../errors/local-cloud-error.ts'

/** The time that a command has, as a clock that can be stopped. */
export interface CommandDeadline {
  /** Aborts when the time is over (STEP_TIMEOUT) or the parent signal aborts. */
  signal: AbortSignal
  remainingMs(): number
  /** Stops the clock; what happens meanwhile does not count. */
  pause(): void
  resume(): void
  dispose(): void
}

/** Starts the clock. `what` is the command's name, for the error. */
export function commandDeadline(what: string, timeoutMs: number, parent: AbortSignal): CommandDeadline {
  const controller = new AbortController()
  let left = timeoutMs
  let since: number | undefined
  let timer: NodeJS.Timeout | undefined
  const remainingMs = (): number => left - (since === undefined ? 0 : Date.now() - since)
  const resume = (): void => {
    if (since !== undefined) return
    since = Date.now()
    timer = setTimeout(() => {
      controller.abort(
        new LocalCloudError('STEP_TIMEOUT', {
          message: `${what} did not end within ${String(Math.round(timeoutMs / 1000))} s.`,
        }),
      )
    }, left)
    timer.unref()
  }
  const pause = (): void => {
    left = remainingMs()
    since = undefined
    clearTimeout(timer)
  }
  resume()
  return {
    signal: AbortSignal.any([parent, controller.signal]),
    remainingMs,
    pause,
    resume,
    dispose() {
      clearTimeout(timer)
    },
  }
}
