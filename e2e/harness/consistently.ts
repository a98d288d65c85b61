import { duration, takeLook, untilNext, type Looker, type Pace } from './look.ts'
import { CheckBroke, ExpectationFailed } from './verdict.ts'

/** A period that was looked at once was not observed. */
const fewest = 2
/** How many times the period may last until there were enough looks: on a busy machine one look takes longer than it should. */
const patience = 10

/**
 * Looks again and again for the whole of `timeoutMs`, or longer until there were two looks, and requires every look to be ok; the only way to
 * say that something does not happen. Returns what the last look saw. A look still under way at the end does not count.
 * @throws ExpectationFailed at the first look that is not ok, with what it saw and when; CheckBroke when a look cannot run or when
 * fewer than two looks fitted into ten times the period, because that is no observation of a period.
 */
export async function consistently(what: string, looker: Looker, pace: Pace): Promise<string> {
  const started = performance.now()
  const period = AbortSignal.timeout(pace.timeoutMs)
  const longest = AbortSignal.timeout(pace.timeoutMs * patience)
  let looks = 0
  let last = ''
  const deadline = (): AbortSignal => (looks < fewest ? longest : period)
  while (!deadline().aborted) {
    const { look } = await takeLook(what, looker, deadline(), pace.signal)
    if (look) {
      looks += 1
      last = look.seen
      if (!look.ok) {
        throw new ExpectationFailed(
          `${what}: did not hold; look ${String(looks)} after ${duration(performance.now() - started)} saw: ${look.seen}`,
        )
      }
    }
    await untilNext(pace.intervalMs, deadline(), pace.signal)
  }
  if (looks < fewest) {
    throw new CheckBroke(
      `${what}: only ${String(looks)} look(s) fitted into ${duration(pace.timeoutMs * patience)}; a period needs at least two`,
    )
  }
  return last
}
