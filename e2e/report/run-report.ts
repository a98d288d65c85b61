import type { Profile } from '../harness/profile.ts'
import type { TestRecord } from '../harness/record.ts'
import type { Verdict } from '../harness/verdict.ts'

/** Variable that names the directory of the report. */
export const reportVariable = 'LOCAL_CLOUD_E2E_REPORT'

/** One test with its verdict and everything it told. */
export interface TestReport {
  /** File of the suite, relative to e2e/suites, without its ending. */
  suite: string
  /** Titles of the describe blocks and of the test. */
  path: string[]
  verdict: Verdict
  /** When it began, ISO 8601; of a test that never ran, when that became known. */
  startedAt: string
  durationMs: number
  /** Why it is not green: message first, stack after. */
  reasons: { name: string; message: string; stack?: string }[]
  record: TestRecord
}

/** One line about where the run took place: "Kubernetes" → "v1.36.4". */
export interface EnvironmentFact {
  group: string
  name: string
  value: string
}

/** One success criterion of a specification, and what a run says about it. */
export interface CriterionReport {
  id: string
  text: string
  /** Document and section that it comes from. */
  source: string
  verdict: Verdict
  /** Why it has that verdict, in one sentence. */
  why: string
  /** Its tests, as `testName` names them: `suite: describe › title`. */
  tests: string[]
  /** What the controls of those tests saw. */
  controls: string[]
  /** Changes to the manifests that its tests must notice; `caught` is absent where the mutation was not run. */
  mutations: { name: string; caught?: boolean }[]
}

/** What `report.json` holds. Times are ISO 8601, durations milliseconds. */
export interface RunReport {
  format: 'local-cloud-e2e-report/1'
  runId: string
  profile: Profile
  startedAt: string
  durationMs: number
  environment: EnvironmentFact[]
  totals: Record<Verdict, number>
  criteria: CriterionReport[]
  tests: TestReport[]
}

/** The name by which criteria and mutations refer to a test: `suite: describe › title`. */
export const testName = ({ suite, path }: Pick<TestReport, 'suite' | 'path'>): string =>
  `${suite}: ${path.join(' › ')}`

/** How many tests have each verdict. */
export function totalsOf(tests: readonly Pick<TestReport, 'verdict'>[]): Record<Verdict, number> {
  const totals: Record<Verdict, number> = { pass: 0, fail: 0, 'not-proven': 0, error: 0 }
  for (const { verdict } of tests) totals[verdict] += 1
  return totals
}

/** 1 when a test failed or broke, or when none ran at all; a test that could not be proven does not fail the run, but is not green. */
export const exitCodeOf = ({ tests, totals }: Pick<RunReport, 'tests' | 'totals'>): number =>
  tests.length === 0 || totals.fail + totals.error > 0 ? 1 : 0
