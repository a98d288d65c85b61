import { setTimeout as delay } from 'node:timers/promises'
import { it } from 'vitest'
import { whileQuiet } from '../../harness/load-turn.ts'
import { atWork } from './say.ts'

// Called as the suite that loads the cluster; the others are at work before its load begins, and want to be after it.
it('loads', async ({ signal }) => {
  await delay(300)
  await whileQuiet(() => atWork('load', 1_000), signal)
})
