import { it } from 'vitest'
import { atWork } from './say.ts'

// Called as a suite that does not mind load.
it.each(Array.from({ length: 12 }, (_, index) => index))('%i', async (index) => {
  await atWork(`rules ${String(index)}`, 120)
})
