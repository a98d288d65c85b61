import type { MatrixCell, MatrixRecord } from '../harness/record.ts'

/**
 * How a square stands: as expected (`open`, `closed`), open where it should be closed (`leak`), closed where it should be open (`shut`), or
 * `disputed`: the specification says otherwise than the policies.
 */
export type SquareState = 'open' | 'closed' | 'leak' | 'shut' | 'disputed'

export function squareState(cell: MatrixCell): SquareState {
  if (cell.ok) return cell.expected
  if (cell.stated !== undefined && cell.stated !== cell.expected) return 'disputed'
  return cell.expected === 'closed' ? 'leak' : 'shut'
}

/** What was expected and what was measured, in words: "expected closed, measured connected". */
export const squareWords = (cell: MatrixCell): string =>
  [
    ...(cell.stated === undefined || cell.stated === cell.expected
      ? [`expected ${cell.expected}`]
      : [`the specification says ${cell.stated}`, `the policies mean ${cell.expected}`]),
    `measured ${cell.measured}`,
  ].join(', ')

/** The squares of a matrix by place; `row(i)` has a hole where nothing was asked. */
export function squaresOf(matrix: MatrixRecord): {
  row: (name: string) => (MatrixCell | undefined)[]
  mismatches: MatrixCell[]
  /** Places of the grid for which there is no square. */
  missing: number
} {
  const rows = Map.groupBy(matrix.cells, ({ row }) => row)
  const row = (name: string): (MatrixCell | undefined)[] => {
    const cells = new Map((rows.get(name) ?? []).map((cell) => [cell.column, cell]))
    return matrix.columns.map((column) => cells.get(column))
  }
  return {
    row,
    mismatches: matrix.cells.filter(({ ok }) => !ok),
    missing: matrix.rows.flatMap(row).filter((cell) => cell === undefined).length,
  }
}

/** Size and result in one phrase: "16 × 20, all 320 squares as expected". */
export function matrixResult(matrix: MatrixRecord): string {
  const { cells, rows, columns } = matrix
  const wrong = cells.filter(({ ok }) => !ok).length
  const size = `${String(rows.length)} × ${String(columns.length)}`
  if (cells.length === 0) return `${size}, nothing was measured`
  return wrong === 0
    ? `${size}, all ${String(cells.length)} squares as expected`
    : `${size}, ${String(wrong)} of ${String(cells.length)} squares ${wrong === 1 ? 'is' : 'are'} not as expected`
}
