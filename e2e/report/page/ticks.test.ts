import { describe, expect, it } from 'vitest'
import { packLanes } from './pack-lanes.ts'
import { timeTicks, valueTicks } from './ticks.ts'
import { elapsed } from './times.ts'

describe('ticks', () => {
  it.each([
    [8_000, [0, 1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 7_000, 8_000]],
    [200_000, [0, 30_000, 60_000, 90_000, 120_000, 150_000, 180_000]],
    [20 * 60_000, [0, 5, 10, 15, 20].map((minutes) => minutes * 60_000)],
  ])('divide %i ms as people count', (length, ticks) => {
    expect(timeTicks(length, 9)).toEqual(ticks)
  })

  it('never become too many', () => {
    for (let length = 1; length < 1e9; length *= 1.7)
      expect(timeTicks(length, 9).length).toBeLessThanOrEqual(10)
  })

  it('reach the greatest value, in whole numbers where things are counted', () => {
    expect(valueTicks(6, 5, true)).toEqual([0, 2, 4, 6])
    expect(valueTicks(2, 5, true)).toEqual([0, 1, 2])
    expect(valueTicks(237, 5, false)).toEqual([0, 50, 100, 150, 200, 250])
    expect(valueTicks(0, 5, true)).toEqual([0, 1])
    for (let max = 0.001; max < 1e9; max *= 1.3)
      expect(valueTicks(max, 5, false).at(-1)).toBeGreaterThanOrEqual(max)
  })
})

describe('elapsed', () => {
  it('reads like a watch', () => {
    expect([0, 7_400, 750_000, 3_723_000].map(elapsed)).toEqual(['0:00', '0:07', '12:30', '1:02:03'])
  })
})

describe('packLanes', () => {
  it('puts only what does not overlap into one lane', () => {
    const [a, b, c] = [
      { from: 0, to: 5 },
      { from: 2, to: 4 },
      { from: 5, to: 6 },
    ]
    expect(packLanes([c, b, a])).toEqual([[a, c], [b]])
    expect(packLanes([a, c], 1)).toEqual([[a], [c]])
    expect(packLanes([])).toEqual([])
  })
})
