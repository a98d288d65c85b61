import { describe, expect, it } from 'vitest'
import { stableFor } from './stable-for.ts'

const pace = { timeoutMs: 1_000, intervalMs: 2 }

describe('stableFor', () => {
  it('wants looks in a row: one that is not ok starts the count again', async () => {
    const outcomes = [true, true, false, true, true, true]
    let looks = 0
    const look = () => ({ ok: outcomes[looks++] ?? false, seen: `look ${String(looks)}` })
    expect(await stableFor(3, 'x', look, pace)).toEqual(['look 4', 'look 5', 'look 6'])
    expect(looks).toBe(6)
  })

  it('says how far it came and what was wrong', async () => {
    let looks = 0
    const flapping = stableFor(
      3,
      'route',
      () => ({ ok: ++looks % 3 !== 0, seen: looks % 3 === 0 ? '502' : '200' }),
      {
        timeoutMs: 400,
        intervalMs: 2,
      },
    )
    await expect(flapping).rejects.toThrow(
      /route: not 3 times in a row within 400 ms, at most 2; .*last not ok: 502/,
    )
  })

  it('breaks when a look cannot run', async () => {
    await expect(stableFor(2, 'x', () => Promise.reject(new Error('pod gone')), pace)).rejects.toMatchObject({
      name: 'CheckBroke',
    })
  })

  it('is not for a single look', async () => {
    await expect(stableFor(1, 'x', () => ({ ok: true, seen: '' }), pace)).rejects.toThrow(RangeError)
  })
})
