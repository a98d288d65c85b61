import { plain } from './plain.ts'
import { testName, type CriterionReport, type RunReport, type TestReport } from './run-report.ts'

/**
 * The report in the XML that CI servers read: `not-proven` is `skipped` with its reason, for the format knows no other word. The criteria
 * that a suite's tests serve are its properties; those without a test here are the properties of a suite that has no tests.
 */
export function junit(report: RunReport): string {
  const suites = Map.groupBy(report.tests, ({ suite }) => suite)
  const { totals, criteria } = report
  const ran = new Set(report.tests.map(testName))
  const idle = criteria.filter(({ tests }) => !tests.some((name) => ran.has(name)))
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="local-cloud e2e" tests="${String(report.tests.length)}" failures="${String(totals.fail)}" errors="${String(totals.error)}" skipped="${String(totals['not-proven'])}" time="${seconds(report.durationMs)}">`,
    ...[...suites].flatMap(([name, tests]) => suite(name, tests, report)),
    ...(idle.length === 0
      ? []
      : suite('criteria without a test in this run', [], { ...report, criteria: idle })),
    '</testsuites>',
    '',
  ].join('\n')
}

function suite(
  name: string,
  tests: readonly TestReport[],
  { criteria, startedAt }: Pick<RunReport, 'criteria' | 'startedAt'>,
): string[] {
  const names = new Set(tests.map(testName))
  const served =
    tests.length === 0 ? criteria : criteria.filter((one) => one.tests.some((test) => names.has(test)))
  const count = (verdict: TestReport['verdict']) =>
    String(tests.filter((test) => test.verdict === verdict).length)
  const time = seconds(tests.reduce((sum, { durationMs }) => sum + durationMs, 0))
  return [
    `  <testsuite name="${escape(name)}" tests="${String(tests.length)}" failures="${count('fail')}" errors="${count('error')}" skipped="${count('not-proven')}" time="${time}" timestamp="${escape(startedAt)}">`,
    ...properties(served),
    ...tests.flatMap((test) => {
      const head = `    <testcase classname="${escape(name)}" name="${escape(test.path.join(' › '))}" time="${seconds(test.durationMs)}"`
      return test.verdict === 'pass'
        ? [`${head} />`]
        : [`${head}>`, `      ${outcome(test)}`, '    </testcase>']
    }),
    '  </testsuite>',
  ]
}

/** `criterion.ID` is the verdict, the specification's sentence and why. */
const properties = (criteria: readonly CriterionReport[]): string[] =>
  criteria.length === 0
    ? []
    : [
        '    <properties>',
        ...criteria.map(
          ({ id, verdict, text, why }) =>
            `      <property name="${escape(`criterion.${id}`)}" value="${escape(`${verdict}: ${text}${why === '' ? '' : ` (${why})`}`)}" />`,
        ),
        '    </properties>',
      ]

function outcome({ verdict, reasons }: TestReport): string {
  const message = escape(reasons.map((reason) => reason.message).join('\n'))
  if (verdict === 'not-proven') return `<skipped message="${message}" />`
  const tag = verdict === 'fail' ? 'failure' : 'error'
  const text = escape(reasons.map(({ stack, message: said }) => stack ?? said).join('\n\n'))
  return `<${tag} type="${escape(reasons[0]?.name ?? 'Error')}" message="${message}">${text}</${tag}>`
}

const seconds = (ms: number): string => (ms / 1000).toFixed(3)

const escape = (text: string): string =>
  plain(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\n', '&#10;')
