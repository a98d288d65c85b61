import { duration, mayPass, takeLook, untilNext, type Looker, type Pace } from './look.ts'
import { type CheckBroke, ExpectationFailed } from './verdict.ts'

/**
 * Looks again and again until one look is ok, and returns what that look saw.
 * @throws ExpectationFailed with the last thing seen when the time is over; CheckBroke as soon as a look cannot run, or when the time is
 * over and the last look could not, where that may pass (`mayPass`).
 */
export async function eventually(what: string, looker: Looker, pace: Pace): Promise<string> {
  const started = performance.now()
  const deadline = AbortSignal.timeout(pace.timeoutMs)
  let looks = 0
  let last = 'nothing, the first look did not end'
  let broke: CheckBroke | undefined
  for (;;) {
    const { look } = await takeLook(what, looker, deadline, pace.signal).catch((error: unknown) => {
      if (!mayPass(error)) throw error
      broke = error
      return { look: undefined }
    })
    if (look) {
      looks += 1
      broke = undefined
      last = look.seen
      if (look.ok) return look.seen
    }
    await untilNext(pace.intervalMs, deadline, pace.signal)
    if (deadline.aborted) {
      if (broke) throw broke
      throw new ExpectationFailed(
        `${what}: not within ${duration(pace.timeoutMs)} (${String(looks)} looks in ${duration(performance.now() - started)}); last seen: ${last}`,
      )
    }
  }
}
