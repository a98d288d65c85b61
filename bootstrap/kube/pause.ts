import { abortedError } from './aborted.ts'

/**
 * Resolves after `ms` milliseconds, for the distance between two attempts.
 * @throws LocalCloudError as soon as the signal aborts: see `abortedError`, which gets `problem`.
 */
export function pause(
  ms: number,
  signal: AbortSignal,
  problem?: { message: string; cause: unknown },
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(abortedError(signal, problem))
      return
    }
    const stop = (): void => {
      clearTimeout(timer)
      reject(abortedError(signal, problem))
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop)
      resolve()
    }, ms)
    signal.addEventListener('abort', stop, { once: true })
  })
}

/** Milliseconds before attempt `attempt` (0 is the first repetition): doubles from 50 to 2000, with a tenth of jitter. */
export const backoffMs = (attempt: number): number =>
  Math.min(2_000, 50 * 2 ** attempt) * (0.95 + Math.random() / 10)
