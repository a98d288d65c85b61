import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { expect, it } from 'vitest'
import { eventually } from './eventually.ts'
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

/** Time in which what must not go on would have. */
const settled = (): Promise<void> => delay(250)

const says = (log: string[], lines: string[]): Promise<string> =>
  eventually('the log', () => ({ ok: isDeepStrictEqual(log, lines), seen: log.join(', ') }), {
    timeoutMs: 10_000,
    intervalMs: 10,
  })

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
  await says(log, ['load begins'])
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
  await says(log, ['one begins', 'other begins'])
  const late = keepQuiet().then((end) => {
    log.push('quiet')
    end()
  })
  one.end()
  await says(log, ['one begins', 'other begins', 'one ends'])
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
