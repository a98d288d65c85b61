import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { keepQuiet, whileQuiet } from './load-turn.ts'

const never = new AbortController().signal

/** Writes down when it begins and ends; ends when told to. */
function work(name: string, log: string[]): { run: () => Promise<string>; end: () => void } {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  return {
    run: async () => {
      log.push(`${name} begins`)
      await promise
      log.push(`${name} ends`)
      return name
    },
    end: () => {
      resolve(undefined)
    },
  }
}

/** By now everything that can go on without somebody else has gone on. */
const settled = (): Promise<void> => delay(250)

it('load waits for those that want quiet, and those that come later wait for its end', async () => {
  const log: string[] = []
  const load = work('load', log)
  const [first, second] = await Promise.all([keepQuiet(), keepQuiet()])
  const loading = whileQuiet(load.run, never)
  const late = keepQuiet().then((end) => {
    log.push('a late one has quiet')
    end()
  })
  await settled()
  first()
  await settled()
  expect(log).toEqual([])
  second()
  await settled()
  expect(log).toEqual(['load begins'])
  load.end()
  expect(await loading).toBe('load')
  await late
  expect(log).toEqual(['load begins', 'load ends', 'a late one has quiet'])
})

it('what one suite loads at the same time has one turn, which ends with the last of it', async () => {
  const log: string[] = []
  const [one, other] = [work('one', log), work('other', log)]
  const both = Promise.all([whileQuiet(one.run, never), whileQuiet(other.run, never)])
  await settled()
  expect(log).toEqual(['one begins', 'other begins'])
  const late = keepQuiet().then((end) => {
    log.push('quiet')
    end()
  })
  one.end()
  await settled()
  expect(log.at(-1)).toBe('one ends')
  other.end()
  await Promise.all([both, late])
  expect(log.slice(-2)).toEqual(['other ends', 'quiet'])
})

it('load that is given up while it waits hinders nobody', async () => {
  const first = await keepQuiet()
  const controller = new AbortController()
  const loading = whileQuiet(() => Promise.reject(new Error('it was not its turn')), controller.signal)
  await settled()
  controller.abort(new Error('given up'))
  await expect(loading).rejects.toThrow('given up')
  first()
  const next = await keepQuiet()
  next()
})

it('load that fails ends its turn', async () => {
  await expect(whileQuiet(() => Promise.reject(new Error('broken')), never)).rejects.toThrow('broken')
  const next = await keepQuiet()
  next()
})
