import { setTimeout as delay } from 'node:timers/promises'
import { it } from 'vitest'
import { whileQuiet } from '../../harness/load-turn.ts'
import { atWork, say, until } from './say.ts'

// Called as the suite that loads the cluster; the others are at work before its load begins, and want to be after it.
it('loads', async ({ signal }) => {
  await until((log) =>
    ['smoke 1a begins', 'smoke 1b begins', 'rules 0 begins'].every((line) => log.includes(line)),
  )
  const rulesGoOn = () =>
    until(
      (log) => log.slice(log.indexOf('load begins')).filter((line) => line.startsWith('rules')).length >= 6,
    )
  const loaded = whileQuiet(() => atWork('load', () => Promise.all([delay(1_000), rulesGoOn()])), signal)
  // From here on whoever comes comes later than the load.
  say('load is wanted')
  await loaded
})
