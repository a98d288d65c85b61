import type { MatrixCell, MatrixRecord } from '../../harness/record.ts'
import { matrixResult, squaresOf, squareState, squareWords, type SquareState } from '../matrix-squares.ts'
import { markup, type Markup } from './markup.ts'

/** One matrix with where it comes from. */
export interface PlacedMatrix {
  matrix: MatrixRecord
  /** Name and anchor of the test that measured it. */
  test: { name: string; id: string }
}

const marks: Readonly<Record<SquareState, string>> = {
  open: '●',
  closed: '–',
  leak: '!',
  shut: '×',
  disputed: '§',
}

const legend: readonly (readonly [SquareState, string])[] = [
  ['open', 'open, as expected'],
  ['closed', 'closed, as expected'],
  ['leak', 'should be closed, is not'],
  ['shut', 'should be open, is not'],
  ['disputed', 'the specification and the policies disagree'],
]

/** Rows from which on a matrix is shown unfolded although it is as expected: it tells by its shape. */
const tellingRows = 8

/**
 * Every matrix as a table of squares: the half at the upper left is what was expected, the other one what was measured, so that only a
 * mismatch has two colours; it has a mark of its own, too, and is listed below with the command that shows it again.
 */
export function reachability(placed: readonly PlacedMatrix[]): Markup | undefined {
  if (placed.length === 0) return undefined
  return markup`<section id="reachability"><h2>Reachability</h2>
<p class="lead">Rows are who asks, columns are who is asked, each with a new connection. Pointing at a square tells what was expected and measured.</p>
${placed.map((one) => heatMap(one, one.matrix.rows.length >= tellingRows))}</section>`
}

function heatMap({ matrix, test }: PlacedMatrix, open: boolean): Markup {
  const { row, mismatches, missing } = squaresOf(matrix)
  const states = new Set<SquareState>(matrix.cells.map(squareState))
  return markup`<details class="card matrix ${mismatches.length > 0 ? 'fail' : 'pass'}"${open || mismatches.length > 0 ? markup` open` : ''}>
<summary><b>${matrix.title}</b> <span class="${mismatches.length > 0 ? 'alarm' : 'soft'}">${matrixResult(matrix)}</span></summary>
<p class="soft">measured by <a href="#${test.id}">${test.name}</a></p>
<ul class="legend">${legend.flatMap(([state, text]) =>
    states.has(state) || state === 'open' || state === 'closed'
      ? [markup`<li><span class="sq ${state}" aria-hidden="true">${marks[state]}</span> ${text}</li>`]
      : [],
  )}${matrix.cells.some(isNoted) && markup`<li><span class="sq closed" aria-hidden="true">§</span> as the policies mean it; the specification reads otherwise</li>`}${missing === 0 ? '' : markup`<li><span class="sq none" aria-hidden="true"></span> not asked (${missing})</li>`}</ul>
<div class="scroll" tabindex="0" role="region" aria-label="${matrix.title}"><table class="heat"><thead><tr><td class="corner"><span>from ↓</span> <span>to →</span></td>${matrix.columns.map((column) => markup`<th scope="col" title="${column}"><span>${column}</span></th>`)}</tr></thead>
<tbody>
${matrix.rows.map((name) => markup`<tr><th scope="row">${name}</th>${row(name).map(square)}</tr>\n`)}</tbody></table></div>
${mismatches.length === 0 ? '' : mismatchList(mismatches)}</details>`
}

/** A square that is as expected although the specification, read by the letter, says otherwise. */
const isNoted = ({ ok, stated, expected }: MatrixCell): boolean =>
  ok && stated !== undefined && stated !== expected

function square(cell: MatrixCell | undefined): Markup {
  if (!cell) return markup`<td class="sq none"><span class="sr">not asked</span></td>`
  const state = squareState(cell)
  const noted = isNoted(cell)
  const said = squareWords(cell)
  const told = `${cell.row} → ${cell.column}: ${said}${cell.control === undefined ? '' : `; control: ${cell.control}`}`
  return markup`<td class="sq ${state}" title="${told}"><span aria-hidden="true">${noted ? '§' : marks[state]}</span><span class="sr">${cell.ok && !noted ? cell.measured : said}</span></td>`
}

const mismatchList = (cells: readonly MatrixCell[]): Markup =>
  markup`<h3 class="alarm">Not as expected</h3>
<ol class="mismatches">${cells.map(
    (cell) =>
      markup`<li><span class="sq ${squareState(cell)}" aria-hidden="true">${marks[squareState(cell)]}</span> <b>${cell.row} → ${cell.column}</b>: ${squareWords(cell)}${
        cell.control === undefined ? '' : markup` <span class="soft">(control: ${cell.control})</span>`
      }${cell.command === undefined ? '' : markup`<pre class="command">${cell.command}</pre>`}</li>`,
  )}</ol>`
