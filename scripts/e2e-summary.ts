import { exitCodeOf, type RunReport } from '../e2e/report/run-report.ts'
import { summaryText } from '../e2e/report/summary-text.ts'

/**
 * What a run ends with: the verdict over every criterion, what is red and what could not be proven with the reasons, where the report is,
 * and last, alone on its line, `N passed, N failed`. A test that broke counts as failed; one that could not be proven counts as neither.
 */
export function summarize(
  report: RunReport | undefined,
  directory: string,
  width = process.stdout.columns,
): { lines: string[]; exitCode: number } {
  if (!report)
    return { lines: ['', `There is no report in ${directory}.`, '0 passed, 1 failed'], exitCode: 1 }
  const { tests, totals } = report
  const lost = tests.length === 0 ? 1 : 0
  return {
    lines: [
      '',
      ...summaryText(report, { directory, ...(width > 0 ? { width } : {}) }),
      `${String(totals.pass)} passed, ${String(totals.fail + totals.error + lost)} failed`,
    ],
    exitCode: exitCodeOf(report),
  }
}
