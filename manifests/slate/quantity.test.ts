import { describe, expect, it } from 'vitest'
import { bytes, millicores } from './quantity.ts'

describe('quantities', () => {
  it.each([
    ['250m', 250],
    ['1', 1000],
    ['0.5', 500],
    ['1000m', 1000],
  ])('reads %s of CPU as %i millicores', (quantity, expected) => {
    expect(millicores(quantity)).toBe(expected)
  })

  it.each([
    ['64Mi', 64 * 2 ** 20],
    ['2Gi', 2 ** 31],
    ['1G', 1e9],
    ['12', 12],
  ])('reads %s of memory as %i bytes', (quantity, expected) => {
    expect(bytes(quantity)).toBe(expected)
  })

  it.each(['', '1 Gi', '-1', '1Xi', 'm'])('refuses %j', (quantity) => {
    expect(() => millicores(quantity)).toThrow(RangeError)
    expect(() => bytes(quantity)).toThrow(RangeError)
  })
})
