import { AssertionError } from 'node:assert'
import { describe, expect, it } from 'vitest'
import { CheckBroke, ExpectationFailed, NotProven, verdictOf, worst } from './verdict.ts'

describe('verdictOf', () => {
  it('is pass when nothing was thrown', () => {
    expect(verdictOf(undefined)).toBe('pass')
  })

  it.each([
    [new ExpectationFailed('x'), 'fail'],
    [new AssertionError({ message: 'x' }), 'fail'],
    [new NotProven('no GPU'), 'not-proven'],
    [new CheckBroke('exec failed'), 'error'],
    [new TypeError('x is undefined'), 'error'],
  ] as const)('%s is %s', (error, verdict) => {
    expect(verdictOf(error)).toBe(verdict)
  })

  it('knows an error by its name after it crossed a process', () => {
    expect(verdictOf({ name: 'NotProven' })).toBe('not-proven')
  })

  it('knows the assertions of vitest', () => {
    let thrown: Error | undefined
    try {
      expect(1).toBe(2)
    } catch (error) {
      thrown = error as Error
    }
    expect(verdictOf(thrown)).toBe('fail')
  })
})

describe('worst', () => {
  it('is pass for none', () => {
    expect(worst([])).toBe('pass')
  })

  it('prefers a broken check to a failed one, and that to an unproven one', () => {
    expect(worst(['pass', 'not-proven'])).toBe('not-proven')
    expect(worst(['fail', 'not-proven', 'pass'])).toBe('fail')
    expect(worst(['fail', 'error'])).toBe('error')
  })
})
