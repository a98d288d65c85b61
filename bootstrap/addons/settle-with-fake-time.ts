import { vi } from 'vitest'

/** For tests: runs what waits under fake timers, so that minutes of waiting take no time, and returns its result. */
export async function settleWithFakeTime<T>(start: () => Promise<T>): Promise<T> {
  vi.useFakeTimers({ shouldAdvanceTime: false })
  try {
    let settled = false
    const outcome = start().finally(() => {
      settled = true
    })
    outcome.catch(() => undefined)
    for (let turn = 0; turn < 5_000; turn += 1) {
      await vi.advanceTimersByTimeAsync(100)
      if (settled as boolean) break
    }
    return await outcome
  } finally {
    vi.useRealTimers()
  }
}
