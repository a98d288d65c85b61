import { isDeepStrictEqual } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { checkContract, countFacts, factsOf } from './check-contract.ts'
import type { Violation } from '../checks/fact.ts'
import { type EnvironmentName, readContract } from './contract.ts'
import { idOf } from '../checks/manifest.ts'
import { mutationsOf, set } from './mutations.ts'
import { rendered } from '../checks/rendered.ts'

const contract = readContract()
const environments = Object.keys(contract.environments) as EnvironmentName[]
const mutations = mutationsOf(contract)
/** Broken by a missing or an extra object only, which a test of its own tries. */
const ofTheSet = ['inventory']

describe('the check of the contract', () => {
  const renderings = new Map<EnvironmentName, KubeObject[]>()
  const standing = new Map<EnvironmentName, Violation[]>()
  const of = (environment: EnvironmentName): KubeObject[] =>
    structuredClone(renderings.get(environment) ?? [])

  beforeAll(async () => {
    for (const name of environments) {
      const manifests = await rendered(contract.environments[name].render)
      renderings.set(name, manifests)
      standing.set(name, checkContract(contract, name, manifests))
    }
  }, 60_000)

  /** The violations that the change alone causes, so that a broken overlay fails in its own test only. */
  const caused = (environment: EnvironmentName, manifests: readonly KubeObject[]) =>
    checkContract(contract, environment, manifests).filter(
      (violation) => !standing.get(environment)?.some((one) => isDeepStrictEqual(one, violation)),
    )

  const mutated = (environment: EnvironmentName, object: string, change: (manifest: KubeObject) => void) => {
    const changed = of(environment)
    const manifest = changed.find((one) => idOf(one) === object)
    if (manifest === undefined) throw new Error(`${object} is not rendered in ${environment}`)
    change(manifest)
    return caused(environment, changed)
  }

  it.each(mutations)(
    'sees a change of $object in $environment: $facts',
    ({ environment, object, change, facts }) => {
      const violations = mutated(environment, object, change)
      const kinds = [...new Set(violations.map(({ fact }) => fact))]
      expect(kinds.toSorted()).toEqual(facts.toSorted())
      expect(violations.some((one) => [object, 'all'].includes(one.object))).toBe(true)
    },
  )

  it('is tried with a change for every kind of fact', () => {
    const tried = new Set([...mutations.flatMap(({ facts }) => facts), ...ofTheSet])
    const kinds = new Set(
      environments.flatMap((name) => factsOf(contract, name, of(name)).map(({ fact }) => fact)),
    )
    expect([...kinds].filter((kind) => !tried.has(kind))).toEqual([])
    expect([...tried].filter((kind) => !kinds.has(kind))).toEqual([])
  })

  it.each(environments)('sees that any one object is missing in %s', (environment) => {
    const objects = of(environment)
    for (const gone of objects) {
      const violations = caused(
        environment,
        objects.filter((one) => one !== gone),
      )
      expect(violations.find(({ fact }) => fact === 'inventory')?.seen).toEqual({
        missing: [idOf(gone)],
        extra: [],
      })
    }
  })

  it('sees an extra object, and one that is there twice', () => {
    const [first, ...others] = of('local')
    if (first === undefined) throw new Error('nothing is rendered')
    const twin = { ...first, metadata: { ...first.metadata, name: 'twin' } }
    const extra = (manifests: KubeObject[]) =>
      caused('local', manifests).find(({ fact }) => fact === 'inventory')?.seen
    expect(extra([first, ...others, twin])).toEqual({ missing: [], extra: [idOf(twin)] })
    expect(extra([first, ...others, first])).toEqual({ missing: [], extra: [idOf(first)] })
  })

  it('sees the objects of one environment in another', () => {
    const pairs = environments.flatMap((mine) =>
      environments
        .filter((other) => !isDeepStrictEqual(of(mine), of(other)))
        .map((other) => [mine, other] as const),
    )
    expect(pairs.length).toBeGreaterThan(0)
    for (const [mine, other] of pairs) expect(checkContract(contract, mine, of(other))).not.toEqual([])
  })

  it('tells section, object, expectation and what it saw', () => {
    const [row] = contract.deployments
    if (row === undefined) throw new Error('no Deployment')
    const object = `Deployment/${row.name}`
    expect(mutated('local', object, set(row.replicas + 1, 'spec', 'replicas'))).toEqual([
      { fact: 'replicas', section: row.section, object, expected: row.replicas, seen: row.replicas + 1 },
    ])
  })

  it('counts a fact for every object and more', () => {
    const objects = of('base')
    expect(countFacts(contract, 'base', objects)).toBeGreaterThan(objects.length)
    expect(countFacts(contract, 'base', objects.slice(1))).toBeLessThan(countFacts(contract, 'base', objects))
  })
})
