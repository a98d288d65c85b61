import { describe, expect, it } from 'vitest'
import type { TestReport } from '../report/run-report.ts'
import { judgedTest } from '../report/sample/judged-test.ts'
import { judge, systemsOfRun, type Criterion } from './criteria.ts'

const criterion: Criterion = {
  id: 'C-1',
  text: 'it holds',
  source: '000',
  tests: ['s: a', 's: b'],
  controls: ['s: c'],
  mutations: ['m', 'n'],
}
const verdict = (...tests: TestReport[]) => judge(criterion, tests, new Map([['m', true]]))

describe('systemsOfRun', () => {
  const known = [
    { name: 'canary' },
    { name: 'slate-access', system: 'slate' },
    { name: 'zones-access', system: 'zones' },
  ]
  const of = (...ran: string[]) =>
    systemsOfRun(
      ran.map((suite) => ({ suite })),
      ['slate', 'zones'],
      known,
    )

  it('are those that a test is about, and all when none is about any', () => {
    expect(of('canary', 'zones-access')).toEqual(['zones'])
    expect(of('slate-access', 'zones-access')).toEqual(['slate', 'zones'])
    expect(of('canary')).toEqual(['slate', 'zones'])
  })
})

describe('judge', () => {
  it('passes when every test and a control passed, and tells which mutations were caught', () => {
    expect(verdict(judgedTest('a', 'pass'), judgedTest('b', 'pass'), judgedTest('c', 'pass'))).toMatchObject({
      verdict: 'pass',
      tests: ['s: a', 's: b'],
      controls: ['s: c'],
      mutations: [{ name: 'm', caught: true }, { name: 'n' }],
    })
  })

  it('is as red as its worst test, and says which', () => {
    const { verdict: seen, why } = verdict(
      judgedTest('a', 'fail'),
      judgedTest('b', 'error'),
      judgedTest('c', 'pass'),
    )
    expect([seen, why]).toEqual(['error', 's: b: why b'])
  })

  it.each([
    ['no test', []],
    ['one of its references', [judgedTest('a', 'pass'), judgedTest('c', 'pass')]],
    ['no control', [judgedTest('a', 'pass'), judgedTest('b', 'pass')]],
    ['a red control', [judgedTest('a', 'pass'), judgedTest('b', 'pass'), judgedTest('c', 'error')]],
  ])('is not proven with %s missing', (_, tests) => {
    expect(verdict(...tests).verdict).toBe('not-proven')
  })
})
