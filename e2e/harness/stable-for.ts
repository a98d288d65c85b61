import { duration, takeLook, untilNext, type Looker, type Pace } from './look.ts'
import { ExpectationFailed } from './verdict.ts'

/**
 * Looks until `times` looks in a row were ok, and returns what each of those saw. One that is not ok starts the count again.
 * @throws ExpectationFailed with the longest row and the last thing seen when the time is over; CheckBroke as soon as a look cannot run;
 * RangeError when `times` is less than 2, for which `eventually` is meant.
 */
export async function stableFor(times: number, what: string, looker: Looker, pace: Pace): Promise<string[]> {
  if (!Number.isInteger(times) || times < 2)
    throw new RangeError(`stableFor needs two looks or more, not ${String(times)}`)
  const deadline = AbortSignal.timeout(pace.timeoutMs)
  let row: string[] = []
  let longest = 0
  let last = 'nothing, the first look did not end'
  let lastBad = ''
  for (;;) {
    const { look } = await takeLook(what, looker, deadline, pace.signal)
    if (look) {
      last = look.seen
      if (look.ok) row.push(look.seen)
      else {
        row = []
        lastBad = `; last not ok: ${look.seen}`
      }
      longest = Math.max(longest, row.length)
      if (row.length === times) return row
    }
    await untilNext(pace.intervalMs, deadline, pace.signal)
    if (deadline.aborted) {
      throw new ExpectationFailed(
        `${what}: not ${String(times)} times in a row within ${duration(pace.timeoutMs)}, at most ${String(longest)}; last seen: ${last}${lastBad}`,
      )
    }
  }
}
