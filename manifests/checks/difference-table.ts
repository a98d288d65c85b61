import type { Difference } from './differences.ts'
import { documentedTable } from './documented-table.ts'

/** One line of the table of differences in a system's documentation: columns `what`, `objects`, `field`, overlays, `reason`. */
export interface DifferenceRow {
  what: string
  matches: (object: string, field: string) => boolean
  /** By environment: a value, undefined for a value that is not there, or a text that refers to another place. */
  cells: Map<string, Cell>
}
type Cell = { value: string | undefined } | { text: string } | 'as base'

/**
 * The table of differences in `docs/systems/SYSTEM.md`; `overlays` are the titles of its columns between `field` and `reason`. A column
 * for several environments, `base, staging`, has the value of the first; the others are the same.
 * @throws Error when there is none
 */
export function differenceTable(system: string, overlays: readonly string[]): DifferenceRow[] {
  return documentedTable(system, 'what', 'objects', 'field', ...overlays, 'reason').map((line) => {
    const patterns = (column: string) =>
      [...(line[column] ?? '').matchAll(/`([^`]+)`/g)].map(([, text = '']) => text)
    const [objects, fields] = [patterns('objects'), patterns('field')]
    return {
      what: line['what'] ?? '',
      matches: (object, field) =>
        objects.some((pattern) => isLike(object, pattern)) &&
        fields.some((pattern) => isLike(field, pattern)),
      cells: new Map(overlays.flatMap((column) => cellsOf(column, line[column] ?? ''))),
    }
  })
}

/** Whether the line says that the overlay differs from the base as it does here. */
export function explains(row: DifferenceRow, environment: string, difference: Difference): boolean {
  const cell = row.cells.get(environment) ?? 'as base'
  if (!row.matches(difference.object, difference.field) || cell === 'as base') return false
  return 'text' in cell || cell.value === difference.other
}

function cellsOf(column: string, text: string): [string, Cell][] {
  return column.split(', ').map((name, index) => [name, index === 0 ? cellOf(text) : 'as base'])
}

/** `*` stands for any part of a name, and for one word of a field. */
function isLike(text: string, pattern: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.\\/[\]]/g, '\\$&'))
  return new RegExp(`^${parts.join('[^ ]*')}$`).test(text)
}

function cellOf(text: string): Cell {
  if (text === 'as base') return text
  if (text === 'none') return { value: undefined }
  const [, code] = /^`(.*)`$/.exec(text) ?? []
  return code === undefined ? { text } : { value: code === "''" ? '' : code }
}
