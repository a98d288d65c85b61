import Table from 'cli-table3'
import { noFrame } from '../../bootstrap/cli/text-table.ts'
import { duration } from '../harness/look.ts'
import type { MatrixRecord, SeriesRecord } from '../harness/record.ts'
import { criteriaLine, headline } from './headline.ts'
import { matrixResult, squaresOf, squareWords } from './matrix-squares.ts'
import { plain } from './plain.ts'
import { moment } from './page/times.ts'
import { verdictOrder, verdictWords } from './page/verdict-chip.ts'
import { testName, totalsOf, type CriterionReport, type RunReport, type TestReport } from './run-report.ts'
import { lineWords, spanOf } from './series-words.ts'

export interface SummaryOptions {
  /** Where the report is; named at the end when it is given. */
  directory?: string
  /** Columns of the terminal; 110 unless told. Commands are never broken. */
  width?: number
}

/** Tests without a proof that are named for one reason; the rest is counted. */
const namedUnproven = 3
/** Squares of one matrix that are named. */
const namedSquares = 12

/**
 * The report as text: the criteria with their verdicts, how the suites did, the matrices and series in a line each, what is red with its
 * first cause and its evidence, what is not proven by reason, and last where the report is. Verdicts are words; there are no colours.
 */
export function summaryText(report: RunReport, options: SummaryOptions = {}): string[] {
  const { width = 110, directory } = options
  const { tests, profile, startedAt, durationMs, runId } = report
  const criteria = criteriaLine(report)
  return [
    `${headline(report).text}${criteria === undefined ? '' : `; ${criteria}`}`,
    `${moment(startedAt)}, took ${duration(durationMs)}, profile ${profile}, run ${runId}`,
    ...part('Success criteria', criteriaTable(report.criteria, width)),
    ...part('Suites', suiteTable(tests)),
    ...part(
      'Reachability',
      tests.flatMap(({ record }) => (record.matrices ?? []).flatMap(matrixLines)),
    ),
    ...part(
      'Over time',
      tests.flatMap(({ record }) => seriesLines(record.series ?? [])),
    ),
    ...part(
      'Red',
      verdictOrder.flatMap((verdict) => redLines(tests.filter((test) => test.verdict === verdict))),
    ),
    ...part('Not proven', unprovenLines(tests)),
    ...(directory === undefined
      ? []
      : ['', `Report: ${directory}/index.html (also report.json and junit.xml)`]),
  ].map((line) => plain(line).trimEnd())
}

const part = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${line}`)]

/** Verdict of a criterion in capitals where it is not green, so that the eye finds it without a colour. */
const loud = (verdict: CriterionReport['verdict']): string =>
  verdict === 'pass' ? verdictWords.pass : verdictWords[verdict].toUpperCase()

function criteriaTable(criteria: readonly CriterionReport[], width: number): string[] {
  const rows = criteria.map(({ id, verdict, text, why, tests, mutations }) => [
    loud(verdict),
    id,
    String(tests.length),
    mutationWords(mutations),
    verdict === 'pass' || why === '' ? text : `${text} (${why})`,
  ])
  return table(['verdict', 'id', 'tests', 'mutations', 'criterion'], rows, width - 2)
}

function mutationWords(mutations: CriterionReport['mutations']): string {
  const ran = mutations.filter(({ caught }) => caught !== undefined)
  const caught = ran.filter((mutation) => mutation.caught === true).length
  if (mutations.length === 0) return 'none'
  if (ran.length === 0) return `${String(mutations.length)} not run`
  return `${String(caught)}/${String(mutations.length)} caught${caught < ran.length ? `, ${String(ran.length - caught)} SURVIVED` : ''}`
}

function suiteTable(tests: readonly TestReport[]): string[] {
  const rows = [...Map.groupBy(tests, ({ suite }) => suite)].map(([suite, list]) => {
    const totals = totalsOf(list)
    const count = (verdict: keyof typeof totals): string =>
      totals[verdict] === 0 ? '.' : String(totals[verdict])
    return [
      suite,
      count('pass'),
      count('fail'),
      count('error'),
      count('not-proven'),
      duration(list.reduce((sum, { durationMs }) => sum + durationMs, 0)),
    ]
  })
  return table(['suite', 'pass', 'fail', 'error', 'not proven', 'time'], rows)
}

function matrixLines(matrix: MatrixRecord): string[] {
  const { mismatches } = squaresOf(matrix)
  const more = mismatches.length - namedSquares
  return [
    `${matrix.title}: ${matrixResult(matrix)}`,
    ...mismatches
      .slice(0, namedSquares)
      .flatMap((cell) => [
        `  ${cell.row} → ${cell.column}: ${squareWords(cell)}`,
        ...(cell.command === undefined ? [] : [`    ${cell.command}`]),
      ]),
    ...(more > 0 ? [`  and ${String(more)} more`] : []),
  ]
}

function seriesLines(series: readonly SeriesRecord[]): string[] {
  const from = spanOf(series)?.from ?? 0
  return series.flatMap(({ title, lines }) => lines.map((line) => `${title}: ${lineWords(line, from)}`))
}

/** The folder of a test's evidence, `evidence/TEST`, and how many files it has: the page links each of them. */
const evidenceFolders = ({ record }: TestReport): [string, string][] =>
  [...Map.groupBy(record.evidence ?? [], (file) => file.split('/').slice(0, 2).join('/'))].map(
    ([folder, files]) => [folder, String(files.length)],
  )

function redLines(tests: readonly TestReport[]): string[] {
  return tests.flatMap((test) =>
    test.verdict !== 'fail' && test.verdict !== 'error'
      ? []
      : [
          `${loud(test.verdict)} ${testName(test)} (${duration(test.durationMs)})`,
          `  ${firstLine(test)}`,
          ...evidenceFolders(test).map(([folder, files]) => `  evidence: ${folder}/ (${files} files)`),
        ],
  )
}

function unprovenLines(tests: readonly TestReport[]): string[] {
  const unproven = tests.filter(({ verdict }) => verdict === 'not-proven')
  return [...Map.groupBy(unproven, firstLine)].flatMap(([reason, list]) => {
    const more = list.length - namedUnproven
    return [
      `${reason} (${String(list.length)})`,
      ...list.slice(0, namedUnproven).map((test) => `  ${testName(test)}`),
      ...(more > 0 ? [`  and ${String(more)} more`] : []),
    ]
  })
}

const firstLine = ({ reasons }: TestReport): string =>
  reasons[0]?.message.split('\n')[0] ?? 'no reason was given'

/** Lines of a table without a frame; with a width its last column is wrapped, but never below 40 columns. */
function table(head: readonly string[], rows: readonly (readonly string[])[], width?: number): string[] {
  if (rows.length === 0) return []
  const clean = rows.map((row) => row.map((cell) => plain(cell).replaceAll('\n', ' ')))
  const widths = head.map((title, column) =>
    Math.max(title.length, ...clean.map((row) => row[column]?.length ?? 0)),
  )
  const before = widths.slice(0, -1).reduce((sum, each) => sum + each + 2, 0)
  const last = width === undefined ? null : Math.max(40, width - before)
  const made = new Table({
    head: [...head],
    chars: noFrame,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    colWidths: head.map((_, column) => (column === head.length - 1 ? last : null)),
    wordWrap: true,
  })
  made.push(...clean)
  return made.toString().split('\n')
}
