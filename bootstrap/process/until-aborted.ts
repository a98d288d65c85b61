import { throwIfAborted } from './run-command.ts'

/**
 * What the work comes to, or the signal's reason as soon as it aborts; the work itself goes on then.
 * @throws LocalCloudError INTERRUPTED when the signal has aborted before
 */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  work.catch(() => undefined)
  throwIfAborted(signal)
  let stop: () => void = () => undefined
  const aborted = new Promise<never>((_, reject) => {
    stop = () => {
      reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'))
    }
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
