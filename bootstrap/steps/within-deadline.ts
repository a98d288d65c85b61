import { setTimeout as delay } from 'node:timers/promises'
import { toLocalCloudError } from '../errors/to-local-cloud-error.ts'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { StepRun } from './step.ts'

export interface DeadlineOptions {
  id: string
  title: string
  timeoutMs: number
  /** Aborting it ends the work with the signal's reason. */
  signal: AbortSignal
  onProgress: (message: string) => void
  /** How long work that was told to stop may take to do so before it is given up; default 15 s. */
  settleMs?: number
}

/**
 * Runs a step's work under its deadline and gives what it returns. When the deadline passes or the signal aborts, the work
 * is told to stop and waited for, up to `settleMs`.
 * @throws LocalCloudError STEP_TIMEOUT with the step's name and last progress, the signal's own reason (INTERRUPTED when
 * that is no LocalCloudError), what the work threw, or INTERNAL around an error of another kind.
 */
export async function withinDeadline<T>(
  options: DeadlineOptions,
  work: (run: StepRun) => Promise<T>,
): Promise<T> {
  const { signal, timeoutMs, onProgress, settleMs = 15_000 } = options
  let last = ''
  const stop = new AbortController()
  const stopWith = (reason: LocalCloudError): void => {
    stop.abort(reason)
  }
  const onAbort = (): void => {
    stopWith(interruption(signal))
  }
  if (signal.aborted) throw interruption(signal)
  signal.addEventListener('abort', onAbort, { once: true })
  const timer = setTimeout(() => {
    stopWith(timeoutError(options, last))
  }, timeoutMs)
  try {
    const run: StepRun = {
      signal: stop.signal,
      progress(message) {
        last = message
        onProgress(message)
      },
    }
    return await Promise.race([work(run), givenUp(stop.signal, settleMs)])
  } catch (error) {
    throw explained(stop.signal, error)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
    // Ends the timer of `givenUp` for work that ended by itself.
    stop.abort()
  }
}

/** Rejects with the reason, some time after the signal has aborted. */
async function givenUp(signal: AbortSignal, settleMs: number): Promise<never> {
  await new Promise<void>((resolve) => {
    signal.addEventListener(
      'abort',
      () => {
        resolve()
      },
      { once: true },
    )
  })
  await delay(settleMs, undefined, { ref: false })
  throw signal.reason
}

/** The reason for stopping, with the error by which the work ended as its cause unless that says nothing more. */
function explained(signal: AbortSignal, error: unknown): LocalCloudError {
  const thrown = toLocalCloudError(error)
  const reason: unknown = signal.aborted ? signal.reason : undefined
  if (!(reason instanceof LocalCloudError) || thrown === reason) return thrown
  if (thrown.code === 'INTERNAL' || thrown.code === 'INTERRUPTED') return reason
  return new LocalCloudError(reason.code, {
    message: reason.message,
    hint: reason.hint,
    evidence: [...reason.evidence],
    cause: thrown,
  })
}

function interruption(signal: AbortSignal): LocalCloudError {
  const reason: unknown = signal.reason
  if (reason instanceof LocalCloudError) return reason
  return new LocalCloudError('INTERRUPTED', { message: 'Interrupted.', cause: reason })
}

function timeoutError({ title, timeoutMs }: DeadlineOptions, last: string): LocalCloudError {
  const seconds = String(Math.round(timeoutMs / 100) / 10)
  return new LocalCloudError('STEP_TIMEOUT', {
    message: `${title} did not finish within ${seconds} s; ${last === '' ? 'it reported no progress' : `the last it reported was: ${last}`}.`,
  })
}
