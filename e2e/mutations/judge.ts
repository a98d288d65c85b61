import { refersTo } from '../harness/reference.ts'
import { testName, type RunReport, type TestReport } from '../report/run-report.ts'
import type { Mutation } from './mutation.ts'
import type { MutationOutcome } from './result.ts'

/**
 * What a run under a mutation says: `caught` when the test it names failed, and failed on what it saw, while both neighbours stayed green.
 * A test that broke instead of failing has caught nothing.
 */
export function judgeMutation(
  { caughtBy, neighbours }: Pick<Mutation, 'caughtBy' | 'neighbours'>,
  report: Pick<RunReport, 'tests'> | undefined,
): { outcome: MutationOutcome; why: string } {
  if (!report) return { outcome: 'broke', why: 'the run left no report' }
  const meant = (reference: string) => report.tests.filter((test) => refersTo(reference, test))
  const named = meant(caughtBy)
  if (named.length === 0) return { outcome: 'broke', why: `no test is named ${caughtBy}` }
  const failed = named.find(({ verdict }) => verdict === 'fail')
  const broken = named.find(({ verdict }) => verdict === 'error' || verdict === 'not-proven')
  if (!failed && broken)
    return { outcome: 'broke', why: `${testName(broken)} is ${broken.verdict}: ${first(broken)}` }
  if (!failed) return { outcome: 'survived', why: `${caughtBy} passed` }
  for (const reference of neighbours) {
    const tests = meant(reference)
    if (tests.length === 0) return { outcome: 'broke', why: `no test is named ${reference}` }
    const red = tests.find(({ verdict }) => verdict !== 'pass')
    if (red)
      return { outcome: 'neighbour-red', why: `${testName(red)} is ${red.verdict} as well: ${first(red)}` }
  }
  return { outcome: 'caught', why: `${testName(failed)}: ${first(failed)}` }
}

const first = ({ reasons }: TestReport): string => reasons[0]?.message.split('\n')[0] ?? 'no reason was given'
