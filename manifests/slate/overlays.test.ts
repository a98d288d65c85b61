import { beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { type EnvironmentName, readContract } from './contract.ts'
import { differences, type Difference, valuesOf } from './differences.ts'
import { documentedTable } from './documentation.ts'
import { idOf } from './manifest.ts'
import { rendered } from './rendered.ts'

const { environments } = readContract()
const overlays = (Object.keys(environments) as EnvironmentName[]).filter((name) => name !== 'base')

/** One line of the table of differences in `docs/systems/slate.md`. */
interface Row {
  what: string
  matches: (object: string, field: string) => boolean
  /** By environment: a value, undefined for a value that is not there, or a text that refers to another place. */
  cells: Map<string, Cell>
}
type Cell = { value: string | undefined } | { text: string } | 'as base'

const columns = ['what', 'objects', 'field', 'base, staging', 'local', 'dev', 'prod', 'reason']
const table = documentedTable(...columns).map((line): Row => {
  const patterns = (column: string) =>
    [...(line[column] ?? '').matchAll(/`([^`]+)`/g)].map(([, text = '']) => text)
  const [objects, fields] = [patterns('objects'), patterns('field')]
  return {
    what: line['what'] ?? '',
    matches: (object, field) =>
      objects.some((pattern) => isLike(object, pattern)) && fields.some((pattern) => isLike(field, pattern)),
    cells: new Map(columns.slice(3, -1).flatMap((column) => cellsOf(column, line[column] ?? ''))),
  }
})

/** A column for several environments has the value of the first; the others are the same. */
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

const explains = (row: Row, environment: string, difference: Difference): boolean => {
  const cell = row.cells.get(environment) ?? 'as base'
  if (!row.matches(difference.object, difference.field) || cell === 'as base') return false
  return 'text' in cell || cell.value === difference.other
}

describe.each(overlays)('the overlay %s', (environment) => {
  let found: Difference[]
  beforeAll(async () => {
    const [base, other] = await Promise.all(
      [environments.base, environments[environment]].map(({ render }) => rendered(render)),
    )
    found = differences(base ?? [], other ?? [])
  }, 30_000)

  it('differs from the base in nothing but what the documentation lists', () => {
    expect(found.filter((one) => !table.some((row) => explains(row, environment, one)))).toEqual([])
  })

  it('differs in everything that the documentation lists', () => {
    const stale = table.filter(
      (row) =>
        (row.cells.get(environment) ?? 'as base') !== 'as base' &&
        !found.some((one) => explains(row, environment, one)),
    )
    expect(stale.map(({ what }) => what)).toEqual([])
  })
})

describe('the table of differences', () => {
  let base: KubeObject[]
  beforeAll(async () => {
    base = await rendered(environments.base.render)
  })

  it('has a column for every overlay', () => {
    expect(overlays.filter((name) => !table.every(({ cells }) => cells.has(name)))).toEqual([])
  })

  it.each(table)('says what the base has: $what', ({ matches, cells }) => {
    const cell = cells.get('base')
    if (cell === undefined || cell === 'as base') throw new Error('no value of the base')
    const seen = base.flatMap((manifest) =>
      [...valuesOf(manifest), ['object', 'there'] as const].flatMap(([field, value]) =>
        matches(idOf(manifest), field) ? [value] : [],
      ),
    )
    if ('text' in cell) expect(seen).not.toEqual([])
    else expect([...new Set(seen)]).toEqual(cell.value === undefined ? [] : [cell.value])
  })
})
