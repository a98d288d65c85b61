import { beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { differences, valuesOf, type Difference } from '../checks/differences.ts'
import { differenceTable, explains } from '../checks/difference-table.ts'
import { documentedTable } from '../checks/documented-table.ts'
import { at, containersOf, idOf, listAt } from '../checks/manifest.ts'
import { rendered } from '../checks/rendered.ts'
import { environments, readContract } from './contract.ts'

const contract = readContract()
const overlays = environments.filter((name) => name !== 'base')
const table = differenceTable('zones', environments)

let base: KubeObject[]
beforeAll(async () => {
  base = await rendered(contract.environments.base)
}, 30_000)

describe.each(overlays)('the overlay %s of the zones', (environment) => {
  let found: Difference[]
  beforeAll(async () => {
    found = differences(base, await rendered(contract.environments[environment]))
  }, 30_000)

  it('differs from the base in nothing but what the documentation lists', () => {
    expect(found.filter((one) => !table.some((row) => explains(row, environment, one)))).toEqual([])
  })

  it('differs in everything that the documentation lists', () => {
    const stale = table.filter(
      (row) =>
        !['as base', undefined].includes(cellOf(row, environment)) &&
        !found.some((one) => explains(row, environment, one)),
    )
    // A line whose overlay has nothing there, as the base has, says no difference.
    expect(
      stale.filter((row) => cellOf(row, environment) !== cellOf(row, 'base')).map(({ what }) => what),
    ).toEqual([])
  })
})

const cellOf = ({ cells }: (typeof table)[number], environment: string): string | undefined => {
  const cell = cells.get(environment)
  if (cell === undefined || cell === 'as base') return cell
  return 'text' in cell ? cell.text : (cell.value ?? 'none')
}

describe('the page of the zones', () => {
  it.each(table)('says what the base has: $what', (row) => {
    const cell = row.cells.get('base')
    if (cell === undefined || cell === 'as base') throw new Error('no value of the base')
    const seen = base.flatMap((manifest) =>
      [...valuesOf(manifest), ['object', 'there'] as const].flatMap(([field, value]) =>
        row.matches(idOf(manifest), field) ? [value] : [],
      ),
    )
    if ('text' in cell) expect(seen).not.toEqual([])
    else expect([...new Set(seen)]).toEqual(cell.value === undefined ? [] : [cell.value])
  })

  it('lists every workload with its replicas and port', () => {
    const listed = documentedTable('zones', 'workload', 'namespace', 'replicas', 'port', 'what it is')
    const deployments = base.filter(({ kind }) => kind === 'Deployment')
    expect(
      listed.map(({ workload, namespace, replicas, port }) => [workload, namespace, replicas, port]).sort(),
    ).toEqual(
      deployments
        .map((one) => [
          one.metadata.name,
          one.metadata.namespace,
          String(at(one, 'spec', 'replicas')),
          String(at(containersOf(one)[0], 'ports', 0, 'containerPort')),
        ])
        .sort(),
    )
  })

  it('lists every policy, and each port that it opens or denies', async () => {
    const all = [...base, ...(await rendered(contract.environments.local))]
    const policies = new Map(
      all.filter(({ kind }) => kind.endsWith('NetworkPolicy')).map((one) => [one.metadata.name, one]),
    )
    const listed = documentedTable('zones', 'policy', 'pods', 'in', 'out')
    expect(listed.map(({ policy }) => policy).sort()).toEqual([...policies.keys()].sort())
    for (const { policy = '', in: into = '', out = '' } of listed) {
      const spec: unknown = policies.get(policy)?.['spec']
      const ports = (side: string): string[] => [
        ...new Set(
          [...listAt(spec, side), ...listAt(spec, `${side}Deny`)].flatMap((rule) => [
            ...listAt(rule, 'ports').map((one) => String(at(one, 'port'))),
            ...listAt(rule, 'toPorts').flatMap((one) =>
              listAt(one, 'ports').map((port) => String(at(port, 'port'))),
            ),
          ]),
        ),
      ]
      const told = (text: string): string[] =>
        [...text.matchAll(/(?:TCP|port) (\d+)/g)].map(([, port = '']) => port)
      expect([told(into), told(out)], policy).toEqual([ports('ingress'), ports('egress')])
    }
  })
})
