import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { atWork, say, until } from './say.ts'

// Called as a suite that minds load: its first tests are at work when the load is wanted, the others have to wait for its end.
beforeAll(() => {
  say('smoke is set up')
})
afterAll(() => {
  say('smoke is over')
})

describe.each([1, 2, 3, 4, 5, 6])('part %i', (part) => {
  it.concurrent.each(['a', 'b'])('%s', async (name) => {
    await atWork(`smoke ${String(part)}${name}`, async () => {
      if (part === 1) await until((log) => log.includes('load is wanted'))
      await delay(150)
    })
  })
})
