import { mkdir, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import type { Reporter, TestCase, TestModule, TestSuite } from 'vitest/node'
import { describeControls } from '../harness/controls.ts'
import { duration } from '../harness/look.ts'
import { profileOf } from '../harness/profile.ts'
import { verdictOf, worst, type Verdict } from '../harness/verdict.ts'
import { redact } from '../../bootstrap/process/redact.ts'
import { html } from './html.ts'
import { junit } from './junit.ts'
import {
  totalsOf,
  type CriterionReport,
  type EnvironmentFact,
  type RunReport,
  type TestReport,
} from './run-report.ts'

export interface ReporterOptions {
  /** Where report.json, junit.xml and index.html go; made when absent. */
  directory: string
  runId: string
  /** Asked once, at the end. What it throws becomes a line of the report. */
  environment: () => Promise<EnvironmentFact[]>
  /** What the tests say about the criteria of the specifications; asked once, at the end. */
  criteria?: (tests: readonly TestReport[]) => CriterionReport[]
  /** Whether this test has to fail, because what it guards is broken on purpose: such a failure is printed as `caught`, in short. */
  meantToFail?: (test: TestReport) => boolean
  /** Why a test was not to run at all, and undefined for all others: then it is not proven, for that reason. */
  refused?: (test: Pick<TestReport, 'suite' | 'path'>) => string | undefined
  /** Takes one line for people. */
  print: (line: string) => void
}

interface Thrown {
  name?: string
  message: string
  stack?: string | undefined
  diff?: string | undefined
}

const marks: Record<Verdict, string> = {
  pass: 'pass',
  fail: 'FAIL',
  'not-proven': 'NOT PROVEN',
  error: 'ERROR',
}

/**
 * Reporter for vitest: prints each verdict as it comes and writes the three reports at the end, each whole or not at all. A suite that
 * broke before its tests, a test that never ran and an error outside of any test are verdicts `error`; below a set-up that threw NotProven,
 * and in a run that was interrupted, what did not run is not proven. Nothing is left out, except what a name filter excluded.
 */
export function reportTo(options: ReporterOptions): Reporter {
  const started = new Date()
  let filter: RegExp | undefined
  let files: readonly string[] = []
  const unrunYet = new Set<TestCase>()
  const print = (testCase: TestCase, stopped = false): void => {
    unrunYet.delete(testCase)
    const test = reportOf(testCase, { filter, refused: options.refused, stopped })
    if (test) printTest(test, options)
  }
  return {
    onInit(vitest) {
      filter = vitest.config.testNamePattern
    },
    onTestRunStart(specifications) {
      files = specifications.map(({ moduleId }) => moduleId)
    },
    onTestCaseResult(testCase) {
      // Why a test did not run is known when what is around it has ended: a set-up may have failed or found that nothing can be proven.
      const result = testCase.result()
      if (result.state === 'skipped' && result.note === undefined) unrunYet.add(testCase)
      else print(testCase)
    },
    onTestModuleEnd({ moduleId }) {
      for (const testCase of unrunYet) if (testCase.module.moduleId === moduleId) print(testCase)
    },
    async onTestRunEnd(modules, unhandled, reason) {
      const stopped = reason === 'interrupted'
      for (const testCase of unrunYet) print(testCase, stopped)
      const outside = unhandled.map((error) => lost('run', ['an error outside of any test'], [error]))
      const broken = modules.flatMap((module) => brokenParts(module))
      const unbegun = files
        .filter((file) => !modules.some((module) => module.moduleId === file && hasBegun(module)))
        .map((file) => notBegun(suiteNameOf(file), stopped))
      for (const test of [...broken, ...outside]) printTest(test, options)
      const tests = [
        ...modules.flatMap((module) =>
          [...module.children.allTests()].flatMap(
            (test) => reportOf(test, { filter, refused: options.refused, stopped }) ?? [],
          ),
        ),
        ...broken,
        ...outside,
        ...unbegun,
      ]
      await writeReports(
        {
          format: 'local-cloud-e2e-report/1',
          runId: options.runId,
          profile: profileOf(),
          startedAt: started.toISOString(),
          durationMs: Date.now() - started.getTime(),
          environment: await options.environment().catch((error: unknown) => [
            {
              group: 'Cluster',
              name: 'could not be read',
              value: error instanceof Error ? error.message : String(error),
            },
          ]),
          totals: totalsOf(tests),
          criteria: options.criteria?.(tests) ?? [],
          tests,
        },
        options.directory,
      )
    },
  }
}

interface Circumstances {
  /** What a title must match to be run at all. */
  filter: RegExp | undefined
  refused: ReporterOptions['refused']
  /** Whether the run was interrupted. */
  stopped?: boolean
}

function reportOf(
  testCase: TestCase,
  { filter, refused, stopped = false }: Circumstances,
): TestReport | undefined {
  const filtered = filter !== undefined
  const result = testCase.result()
  const suite = suiteName(testCase.module)
  const base = {
    suite,
    path: testCase.fullName.split(' > '),
    startedAt: new Date(testCase.diagnostic()?.startTime ?? Date.now()).toISOString(),
    durationMs: Math.round(testCase.diagnostic()?.duration ?? 0),
    record: testCase.meta().e2e ?? { controls: [], facts: [] },
  }
  if (result.state === 'passed') return { ...base, verdict: 'pass', reasons: [] }
  if (result.state === 'failed') {
    return {
      ...base,
      verdict: worst(result.errors.map((error) => verdictOf(error))),
      reasons: result.errors.map(reason),
    }
  }
  const why = refused?.(base)
  if (why !== undefined) {
    // A pattern that leaves it out leaves nothing to be said of it.
    if (filter?.test(testCase.fullName) === false) return undefined
    return { ...base, verdict: 'not-proven', reasons: [{ name: 'NotProven', message: why }] }
  }
  if (result.state === 'skipped' && result.note !== undefined) {
    return { ...base, verdict: 'not-proven', reasons: [{ name: 'NotProven', message: result.note }] }
  }
  const above = errorsAbove(testCase)
  if (result.state === 'skipped' && filtered && above.length === 0) return undefined
  return { ...base, ...(cannotBeProven(above) ? unproven(above) : unrun(stopped)) }
}

const unrun = (stopped: boolean): Pick<TestReport, 'verdict' | 'reasons'> =>
  stopped
    ? {
        verdict: 'not-proven',
        reasons: [{ name: 'Interrupted', message: 'The run was interrupted before this.' }],
      }
    : { verdict: 'error', reasons: [{ name: 'DidNotRun', message: 'The test did not run.' }] }

/** Whether a set-up found the environment too weak; then that, and not an error, is what is to be said of each test below it. */
const cannotBeProven = (errors: readonly Thrown[]): boolean =>
  worst(errors.map((error) => verdictOf(error))) === 'not-proven'

const unproven = (errors: readonly Thrown[]): Pick<TestReport, 'verdict' | 'reasons'> => ({
  verdict: 'not-proven',
  reasons: errors.map(reason),
})

/** Whether its tests are known, or why not. */
const hasBegun = (module: TestModule): boolean =>
  module.errors().length > 0 || [...module.children.allTests()].length > 0

const notBegun = (suite: string, stopped: boolean): TestReport => ({
  suite,
  path: ['the whole suite'],
  startedAt: new Date().toISOString(),
  durationMs: 0,
  record: { controls: [], facts: [] },
  ...unrun(stopped),
})

/** The module and those of its suites that failed by themselves: a file that does not load, a hook that threw an error. */
function brokenParts(module: TestModule): TestReport[] {
  const suite = suiteName(module)
  const broken = (errors: readonly Thrown[]): boolean => errors.length > 0 && !cannotBeProven(errors)
  const hooks = [...module.children.allSuites()].flatMap((part) =>
    broken(part.errors()) ? [lost(suite, [part.fullName, 'set-up or clean-up'], part.errors())] : [],
  )
  const own = module.errors()
  return broken(own) ? [lost(suite, ['the file'], own), ...hooks] : hooks
}

/** What the set-ups around a test threw. */
function errorsAbove(test: TestCase): readonly Thrown[] {
  const errors: Thrown[] = []
  for (let part: TestSuite | TestModule = test.parent; ; part = part.parent) {
    errors.push(...part.errors())
    if (part.type === 'module') return errors
  }
}

const lost = (suite: string, titles: string[], errors: readonly Thrown[]): TestReport => ({
  suite,
  path: titles,
  verdict: 'error',
  startedAt: new Date().toISOString(),
  durationMs: 0,
  reasons: errors.map(reason),
  record: { controls: [], facts: [] },
})

const reason = ({ name, message, stack, diff }: Thrown): TestReport['reasons'][number] => ({
  name: name ?? 'Error',
  message: redact(diff === undefined ? message : `${message}\n${stripVTControlCharacters(diff).trim()}`),
  ...(stack === undefined ? {} : { stack: redact(stack) }),
})

const suiteName = ({ moduleId }: TestModule): string => suiteNameOf(moduleId)

const suiteNameOf = (file: string): string =>
  path.basename(file).replace(/(\.e2e)?\.(test|sample)\.[cm]?[jt]s$/, '')

function printTest(test: TestReport, { print, meantToFail }: ReporterOptions): void {
  const caught = test.verdict === 'fail' && meantToFail?.(test) === true
  print(
    `${(caught ? 'caught' : marks[test.verdict]).padEnd(10)}  ${test.suite}: ${test.path.join(' › ')}  (${duration(test.durationMs)})`,
  )
  for (const { message } of test.reasons) {
    const lines = message.split('\n')
    for (const line of caught ? lines.slice(0, 1) : lines) print(`            ${line}`)
  }
  for (const entry of test.record.controls) print(`            ${describeControls(entry)}`)
}

/** Writes all three forms of a report; a reader never sees half a file. */
export async function writeReports(report: RunReport, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true })
  const files = {
    'report.json': `${JSON.stringify(report, undefined, 2)}\n`,
    'junit.xml': junit(report),
    'index.html': html(report),
  }
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(directory, name)
    await writeFile(`${file}.part`, text)
    await rename(`${file}.part`, file)
  }
}
