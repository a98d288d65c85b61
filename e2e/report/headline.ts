import type { Verdict } from '../harness/verdict.ts'
import type { RunReport } from './run-report.ts'

/** The run in one sentence, and the verdict that colours it. Green only when tests ran, none is red or unproven, and so is no criterion. */
export function headline({ tests, totals, criteria }: RunReport): { text: string; verdict: Verdict } {
  const red = totals.fail + totals.error
  const all = (count: number, noun: string) =>
    count === 1 ? `The only ${noun}` : `All ${String(count)} ${noun}s`
  const broken = criteria.filter(({ verdict }) => verdict === 'fail' || verdict === 'error').length
  const unproven = criteria.filter(({ verdict }) => verdict === 'not-proven').length
  if (tests.length === 0) return { text: 'No test ran', verdict: 'fail' }
  if (red > 0) {
    return {
      text: `${String(red)} of ${String(tests.length)} tests ${red === 1 ? 'is' : 'are'} red`,
      verdict: 'fail',
    }
  }
  if (broken > 0) {
    return {
      text: `No test is red, but ${String(broken)} of ${String(criteria.length)} criteria ${broken === 1 ? 'does' : 'do'} not hold`,
      verdict: 'fail',
    }
  }
  if (totals['not-proven'] > 0) {
    return {
      text: `Nothing is red; ${String(totals['not-proven'])} of ${String(tests.length)} tests could not be proven here`,
      verdict: 'not-proven',
    }
  }
  if (unproven > 0) {
    return {
      text: `Nothing is red; ${String(unproven)} of ${String(criteria.length)} criteria could not be proven here`,
      verdict: 'not-proven',
    }
  }
  return { text: `${all(tests.length, 'test')} ${tests.length === 1 ? 'passes' : 'pass'}`, verdict: 'pass' }
}

/** What the criteria say together: "5 of 8 success criteria hold"; undefined when the run has none. */
export function criteriaLine({ criteria }: RunReport): string | undefined {
  if (criteria.length === 0) return undefined
  const held = criteria.filter(({ verdict }) => verdict === 'pass').length
  return `${String(held)} of ${String(criteria.length)} success criteria proven`
}
