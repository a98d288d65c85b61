import { describe, expect, it } from 'vitest'
import { junit } from './junit.ts'
import { exitCodeOf, totalsOf, type RunReport, type TestReport } from './run-report.ts'

const test = (change: Partial<TestReport>): TestReport => ({
  suite: 'smoke',
  path: ['ingress', 'answers'],
  verdict: 'pass',
  startedAt: '2026-01-01T00:00:00.500Z',
  durationMs: 1_500,
  reasons: [],
  record: { controls: [], facts: [] },
  ...change,
})

const report = (tests: TestReport[]): RunReport => ({
  format: 'local-cloud-e2e-report/1',
  runId: 'r',
  profile: 'quick',
  startedAt: '2026-01-01T00:00:00.000Z',
  durationMs: 2_000,
  environment: [],
  totals: totalsOf(tests),
  criteria: [],
  tests,
})

describe('junit', () => {
  it('escapes what XML cannot hold', () => {
    const reasons = [{ name: 'ExpectationFailed', message: '\u001b[31m<a> & "b"\u001b[0m\u0000\nnext' }]
    expect(junit(report([test({ verdict: 'fail', reasons })]))).toContain(
      '<failure type="ExpectationFailed" message="&lt;a&gt; &amp; &quot;b&quot;&#10;next">',
    )
  })

  it('has an element for each verdict', () => {
    const reasons = [{ name: 'X', message: 'why' }]
    const xml = junit(
      report([
        test({}),
        test({ verdict: 'error', reasons }),
        test({ verdict: 'not-proven', reasons }),
        test({ suite: 'addons' }),
      ]),
    )
    expect(xml).toContain(
      '<testsuite name="smoke" tests="3" failures="0" errors="1" skipped="1" time="4.500"',
    )
    expect(xml).toContain('<testcase classname="smoke" name="ingress › answers" time="1.500" />')
    expect(xml).toContain('<error type="X" message="why">')
    expect(xml).toContain('<skipped message="why" />')
    expect(xml).toContain('<testsuite name="addons" tests="1"')
  })
})

describe('the criteria in JUnit', () => {
  const criterion = { text: 'a < b', source: '', why: 'so', controls: [], mutations: [] }
  const xml = junit({
    ...report([test({})]),
    criteria: [
      { ...criterion, id: 'C1', verdict: 'pass', tests: ['smoke: ingress › answers'] },
      { ...criterion, id: 'C2', verdict: 'not-proven', tests: ['gone: away'] },
    ],
  })

  it('are properties of the suites that serve them, before the tests', () => {
    expect(xml).toMatch(
      /<testsuite name="smoke"[^>]*>\n {4}<properties>\n {6}<property name="criterion.C1" value="pass: a &lt; b \(so\)" \/>\n {4}<\/properties>\n {4}<testcase/,
    )
  })

  it('are not lost when none of their tests ran', () => {
    expect(xml).toMatch(
      /<testsuite name="criteria without a test in this run" tests="0" [^>]*>\n {4}<properties>\n {6}<property name="criterion.C2" value="not-proven: /,
    )
    expect(xml.match(/<property /g)).toHaveLength(2)
  })
})

describe('exitCodeOf', () => {
  it('is 1 for a failure, for an error and for an empty run, 0 for not proven', () => {
    expect(exitCodeOf(report([test({})]))).toBe(0)
    expect(exitCodeOf(report([test({ verdict: 'not-proven' })]))).toBe(0)
    expect(exitCodeOf(report([test({}), test({ verdict: 'fail' })]))).toBe(1)
    expect(exitCodeOf(report([test({ verdict: 'error' })]))).toBe(1)
    expect(exitCodeOf(report([]))).toBe(1)
  })
})
