import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { inParallel } from './in-parallel.ts'

const { signal } = new AbortController()

describe('inParallel', () => {
  it('returns results in order, whatever ends first', async () => {
    expect(await inParallel([30, 1, 10], 3, signal, async (ms) => delay(ms, ms))).toEqual([30, 1, 10])
  })

  it('begins nothing after a failure, stops what runs, waits for its end and throws the first failure', async () => {
    const begun: number[] = []
    const ended: number[] = []
    const running = inParallel([0, 1, 2, 3, 4], 2, signal, async (item, stop) => {
      begun.push(item)
      if (item === 1) throw new Error('first')
      await delay(10_000, undefined, { signal: stop }).catch(() => undefined)
      ended.push(item)
      throw new Error('second')
    })
    await expect(running).rejects.toThrow('first')
    expect(begun).toEqual([0, 1])
    expect(ended).toEqual([0])
  })

  it('does nothing for no items', async () => {
    expect(await inParallel([], 8, signal, () => Promise.reject(new Error('never')))).toEqual([])
  })
})
