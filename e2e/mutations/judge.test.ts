import { describe, expect, it } from 'vitest'
import type { Verdict } from '../harness/verdict.ts'
import { judgedTest } from '../report/sample/judged-test.ts'
import { judgeMutation } from './judge.ts'

const judge = (named: Verdict, beside: Verdict, other: Verdict) =>
  judgeMutation(
    { caughtBy: 's: named', neighbours: ['s: beside', 's: other'] },
    { tests: [judgedTest('named', named), judgedTest('beside', beside), judgedTest('other', other)] },
  )

describe('judgeMutation', () => {
  it('has caught it when the named test failed and both neighbours are green', () => {
    expect(judge('fail', 'pass', 'pass')).toEqual({ outcome: 'caught', why: 's: named: why named' })
  })

  it.each([
    ['pass', 'pass', 'pass', 'survived'],
    ['error', 'pass', 'pass', 'broke'],
    ['not-proven', 'pass', 'pass', 'broke'],
    ['fail', 'fail', 'pass', 'neighbour-red'],
    ['fail', 'pass', 'error', 'neighbour-red'],
    ['fail', 'not-proven', 'pass', 'neighbour-red'],
  ] as const)('%s beside %s and %s: %s', (named, beside, other, outcome) => {
    expect(judge(named, beside, other).outcome).toBe(outcome)
  })

  it('takes a test that is not there, or no report, for no proof', () => {
    const mutation = { caughtBy: 's: named', neighbours: ['s: beside', 's: gone'] as const }
    const tests = [judgedTest('named', 'fail'), judgedTest('beside', 'pass')]
    expect(judgeMutation(mutation, { tests }).outcome).toBe('broke')
    expect(judgeMutation({ ...mutation, caughtBy: 's: none' }, { tests }).outcome).toBe('broke')
    expect(judgeMutation(mutation, undefined).outcome).toBe('broke')
  })
})
