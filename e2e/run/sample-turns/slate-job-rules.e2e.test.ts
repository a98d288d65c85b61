import { setTimeout as delay } from 'node:timers/promises'
import { it } from 'vitest'
import { atWork, until } from './say.ts'

// Called as a suite that does not mind load: its first test is at work when the load begins, the others while it lasts.
it.each(Array.from({ length: 12 }, (_, index) => index))('%i', async (index) => {
  await atWork(`rules ${String(index)}`, () =>
    index === 0 ? until((log) => log.includes('load begins')) : delay(120),
  )
})
