import { describe, expect, it } from 'vitest'
import { quantity } from './quantity.ts'

describe('quantity', () => {
  it.each([
    ['250m', 0.25],
    ['1', 1],
    [2, 2],
    ['0.5', 0.5],
    ['.5', 0.5],
    ['2Gi', 2_147_483_648],
    ['128M', 128e6],
    ['1e3', 1000],
    ['1E', 1e18],
    ['1u', 1e-6],
    ['-5', -5],
  ])('%s is %d', (text, value) => {
    expect(quantity(text)).toBe(value)
  })

  it.each(['', 'x', '1 Gi', '1gi', undefined, {}])('%s is none', (text) => {
    expect(quantity(text)).toBeNaN()
  })
})
