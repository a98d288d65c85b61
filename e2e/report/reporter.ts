import { mkdir, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import type { Reporter, TestCase, TestModule, TestSuite } from 'vitest/node'
import { describeControls } from '../harness/controls.ts'
import { duration } from '../harness/look.ts'
import { verdictOf, worst, type Verdict } from '../harness/verdict.ts'
import { redact } from '../../bootstrap/process/redact.ts'
import { html } from './html.ts'
import { junit } from './junit.ts'
import { totalsOf, type EnvironmentFact, type RunReport, type TestReport } from './run-report.ts'

export interface ReporterOptions {
  /** Where report.json, junit.xml and index.html go; made when absent. */
  directory: string
  runId: string
  /** Asked once, at the end. What it throws becomes a line of the report. */
  environment: () => Promise<EnvironmentFact[]>
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
 * broke before its tests, a test that never ran and an error outside of any test are verdicts `error`; nothing is left out, except what a
 * name filter excluded.
 */
export function reportTo(options: ReporterOptions): Reporter {
  const started = new Date()
  let filtered = false
  return {
    onInit(vitest) {
      filtered = vitest.config.testNamePattern !== undefined
    },
    onTestCaseResult(testCase) {
      const test = reportOf(testCase, filtered)
      if (test) printTest(test, options.print)
    },
    async onTestRunEnd(modules, unhandled) {
      const outside = unhandled.map((error) => lost('run', ['an error outside of any test'], [error]))
      const broken = modules.flatMap((module) => brokenParts(module))
      for (const test of [...broken, ...outside]) printTest(test, options.print)
      const tests = [
        ...modules.flatMap((module) =>
          [...module.children.allTests()].flatMap((test) => reportOf(test, filtered) ?? []),
        ),
        ...broken,
        ...outside,
      ]
      await writeReports(
        {
          format: 'local-cloud-e2e-report/1',
          runId: options.runId,
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
          tests,
        },
        options.directory,
      )
    },
  }
}

function reportOf(testCase: TestCase, filtered: boolean): TestReport | undefined {
  const result = testCase.result()
  const suite = suiteName(testCase.module)
  const base = {
    suite,
    path: testCase.fullName.split(' > '),
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
  if (result.state === 'skipped' && result.note !== undefined) {
    return { ...base, verdict: 'not-proven', reasons: [{ name: 'NotProven', message: result.note }] }
  }
  if (result.state === 'skipped' && filtered && !brokenAbove(testCase)) return undefined
  return { ...base, verdict: 'error', reasons: [{ name: 'DidNotRun', message: 'The test did not run.' }] }
}

/** The module and those of its suites that failed by themselves: a file that does not load, a hook that threw. */
function brokenParts(module: TestModule): TestReport[] {
  const suite = suiteName(module)
  const hooks = [...module.children.allSuites()].flatMap((part) =>
    part.errors().length === 0 ? [] : [lost(suite, [part.fullName, 'set-up or clean-up'], part.errors())],
  )
  const own = module.errors()
  return own.length === 0 ? hooks : [lost(suite, ['the file'], own), ...hooks]
}

function brokenAbove(test: TestCase): boolean {
  for (let part: TestSuite | TestModule = test.parent; ; part = part.parent) {
    if (part.errors().length > 0) return true
    if (part.type === 'module') return false
  }
}

const lost = (suite: string, titles: string[], errors: readonly Thrown[]): TestReport => ({
  suite,
  path: titles,
  verdict: 'error',
  durationMs: 0,
  reasons: errors.map(reason),
  record: { controls: [], facts: [] },
})

const reason = ({ name, message, stack, diff }: Thrown): TestReport['reasons'][number] => ({
  name: name ?? 'Error',
  message: redact(diff === undefined ? message : `${message}\n${stripVTControlCharacters(diff).trim()}`),
  ...(stack === undefined ? {} : { stack: redact(stack) }),
})

const suiteName = (module: TestModule): string =>
  path.basename(module.moduleId).replace(/(\.e2e)?\.(test|sample)\.[cm]?[jt]s$/, '')

function printTest(test: TestReport, print: (line: string) => void): void {
  print(
    `${marks[test.verdict].padEnd(10)}  ${test.suite}: ${test.path.join(' › ')}  (${duration(test.durationMs)})`,
  )
  for (const { message } of test.reasons) for (const line of message.split('\n')) print(`            ${line}`)
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
