import type { RunReport, TestReport } from './run-report.ts'

/** The report in the XML that CI servers read: `not-proven` is `skipped` with its reason, for the format knows no other word. */
export function junit(report: RunReport): string {
  const suites = Map.groupBy(report.tests, ({ suite }) => suite)
  const { totals } = report
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="local-cloud e2e" tests="${String(report.tests.length)}" failures="${String(totals.fail)}" errors="${String(totals.error)}" skipped="${String(totals['not-proven'])}" time="${seconds(report.durationMs)}">`,
    ...[...suites].flatMap(([name, tests]) => suite(name, tests, report.startedAt)),
    '</testsuites>',
    '',
  ].join('\n')
}

function suite(name: string, tests: readonly TestReport[], startedAt: string): string[] {
  const count = (verdict: TestReport['verdict']) =>
    String(tests.filter((test) => test.verdict === verdict).length)
  const time = seconds(tests.reduce((sum, { durationMs }) => sum + durationMs, 0))
  return [
    `  <testsuite name="${escape(name)}" tests="${String(tests.length)}" failures="${count('fail')}" errors="${count('error')}" skipped="${count('not-proven')}" time="${time}" timestamp="${startedAt}">`,
    ...tests.flatMap((test) => {
      const head = `    <testcase classname="${escape(name)}" name="${escape(test.path.join(' › '))}" time="${seconds(test.durationMs)}"`
      return test.verdict === 'pass'
        ? [`${head} />`]
        : [`${head}>`, `      ${outcome(test)}`, '    </testcase>']
    }),
    '  </testsuite>',
  ]
}

function outcome({ verdict, reasons }: TestReport): string {
  const message = escape(reasons.map((reason) => reason.message).join('\n'))
  if (verdict === 'not-proven') return `<skipped message="${message}" />`
  const tag = verdict === 'fail' ? 'failure' : 'error'
  const text = escape(reasons.map(({ stack, message: said }) => stack ?? said).join('\n\n'))
  return `<${tag} type="${escape(reasons[0]?.name ?? 'Error')}" message="${message}">${text}</${tag}>`
}

const seconds = (ms: number): string => (ms / 1000).toFixed(3)

/** Also drops the control characters that XML 1.0 cannot hold, such as the colours of a terminal. */
const escape = (text: string): string =>
  text
    .replaceAll(/\u001b\[[0-9;]*m|[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\n', '&#10;')
