/**
 * Resolves when one of the wakers in the set is called, which this adds and takes away again, or after `ms` milliseconds, or when
 * the signal aborts; does not tell which.
 */
export function nextWake(wakers: Set<() => void>, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      clearTimeout(timer)
      wakers.delete(wake)
      signal.removeEventListener('abort', wake)
      resolve()
    }
    const timer = setTimeout(wake, ms)
    wakers.add(wake)
    signal.addEventListener('abort', wake, { once: true })
  })
}
