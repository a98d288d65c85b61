import { afterAll, beforeAll, describe, it } from 'vitest'
import { atWork, say } from './say.ts'

// Called as a suite that minds load.
beforeAll(() => {
  say('smoke is set up')
})
afterAll(() => {
  say('smoke is over')
})

describe.each([1, 2, 3, 4, 5, 6])('part %i', (part) => {
  it.concurrent.each(['a', 'b'])('%s', async (name) => {
    await atWork(`smoke ${String(part)}${name}`, 150)
  })
})
