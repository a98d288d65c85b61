import { beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { type EnvironmentName, readContract } from './contract.ts'
import { differences, type Difference, valuesOf } from '../checks/differences.ts'
import { differenceTable, explains } from '../checks/difference-table.ts'
import { idOf } from '../checks/manifest.ts'
import { rendered } from '../checks/rendered.ts'

const { environments } = readContract()
const overlays = (Object.keys(environments) as EnvironmentName[]).filter((name) => name !== 'base')

const table = differenceTable('slate', ['base, staging', 'local', 'dev', 'prod'])

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
