import { exitCodeOf, type RunReport } from '../e2e/report/run-report.ts'

/**
 * What a run ends with: the red tests once more, loudly what could not be proven, where the report is, and last, alone on its line,
 * `N passed, N failed`. A test that broke counts as failed; one that could not be proven counts as neither and has a line of its own.
 */
export function summarize(
  report: RunReport | undefined,
  directory: string,
): { lines: string[]; exitCode: number } {
  if (!report) return { lines: ['', 'The run ended without a report.', '0 passed, 1 failed'], exitCode: 1 }
  const { tests, totals } = report
  const named = (verdict: string) => tests.filter((test) => test.verdict === verdict)
  const list = (title: string, verdict: string) =>
    named(verdict).length === 0
      ? []
      : [
          '',
          title,
          ...named(verdict).map(
            (test) =>
              `  ${test.suite}: ${test.path.join(' › ')}: ${test.reasons[0]?.message.split('\n')[0] ?? ''}`,
          ),
        ]
  return {
    lines: [
      ...list('FAILED:', 'fail'),
      ...list('BROKEN (the check itself could not run):', 'error'),
      ...list(
        `NOT PROVEN, ${String(totals['not-proven'])} tests say nothing about this environment:`,
        'not-proven',
      ),
      ...(tests.length === 0 ? ['', 'No test ran.'] : []),
      '',
      `Report: ${directory}/index.html (also report.json and junit.xml)`,
      `${String(totals.pass)} passed, ${String(totals.fail + totals.error + (tests.length === 0 ? 1 : 0))} failed`,
    ],
    exitCode: exitCodeOf(report),
  }
}
