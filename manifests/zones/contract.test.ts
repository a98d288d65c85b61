import { readdirSync, readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { validateObjects } from '../../bootstrap/manifests/validate.ts'
import { idOf } from '../checks/manifest.ts'
import { rendered } from '../checks/rendered.ts'
import { checkContract, factsOf, livenessBudget, startupBudget } from './check-contract.ts'
import { environments, isRequirement, readContract, type EnvironmentName } from './contract.ts'

const contract = readContract()
const renderings = new Map<EnvironmentName, KubeObject[]>()

beforeAll(async () => {
  for (const name of environments) renderings.set(name, await rendered(contract.environments[name]))
}, 60_000)

const of = (environment: EnvironmentName): KubeObject[] => structuredClone(renderings.get(environment) ?? [])

describe.each(environments)('the zones, environment %s', (environment) => {
  it('hold every requirement of the document and every decision', () => {
    expect(checkContract(contract, environment, of(environment))).toEqual([])
    const sections = factsOf(contract, environment).map(({ section }) => section)
    const requirements = sections.filter(isRequirement).length
    process.stdout.write(
      `zones, ${environment}: ${requirements} requirements and ${sections.length - requirements} decisions compared\n`,
    )
  })

  it('are valid, and no name in them leads nowhere', () => {
    expect(validateObjects(of(environment), environment)).toEqual([])
  })

  it('are seen when any one object is missing, is there twice, or is one too many', () => {
    const inventory = (manifests: KubeObject[]) =>
      checkContract(contract, environment, manifests).find(({ fact }) => fact === 'inventory')?.seen
    for (const gone of of(environment)) {
      const others = of(environment).filter((one) => idOf(one) !== idOf(gone))
      expect(inventory(others)).toEqual({ missing: [idOf(gone)], extra: [] })
      expect(inventory([...of(environment), gone])).toEqual({ missing: [], extra: [idOf(gone)] })
    }
  })

  it('are seen when any stated value is another', () => {
    for (const row of contract.facts) {
      if (row.only !== undefined && !row.only.includes(environment)) continue
      for (const object of row.objects ?? Object.keys(row.values ?? {})) {
        const manifests = of(environment)
        const manifest = manifests.find((one) => idOf(one) === object)
        if (manifest === undefined) throw new Error(`${object} is not rendered in ${environment}`)
        change(manifest, row.path)
        const seen = checkContract(contract, environment, manifests)
        expect(
          seen.some((one) => one.fact === row.fact && one.object === object),
          `${row.fact} of ${object}`,
        ).toBe(true)
      }
    }
  })

  it('are seen when a container asks for less than its limit', () => {
    for (const object of contract.guaranteed.objects) {
      const manifests = of(environment)
      const manifest = manifests.find((one) => idOf(one) === object)
      const spec = (manifest?.['spec'] as { template: { spec: Record<string, unknown> } }).template.spec
      const all = [
        ...((spec['initContainers'] as unknown[] | undefined) ?? []),
        ...(spec['containers'] as unknown[]),
      ]
      for (const container of all as { resources: { requests?: Record<string, string> } }[]) {
        const { requests } = container.resources
        container.resources.requests = { ...requests, cpu: '1m' }
        expect(checkContract(contract, environment, manifests).map(({ fact }) => fact)).toContain(
          'quality of service',
        )
        if (requests) container.resources.requests = requests
      }
      expect(checkContract(contract, environment, manifests)).toEqual([])
    }
  })
})

/** Puts another value at the end of the way, or one where there is none; items of lists go by name. */
function change(manifest: KubeObject, path: readonly string[]): void {
  let place: unknown = manifest
  for (const key of path.slice(0, -1)) {
    const next: unknown = Array.isArray(place)
      ? (place as { name?: string }[]).find((item) => item.name === key)
      : (place as Record<string, unknown>)[key]
    if (next === undefined) (place as Record<string, unknown>)[key] = {}
    place = next ?? (place as Record<string, unknown>)[key]
  }
  const last = path.at(-1) ?? ''
  if (Array.isArray(place)) {
    const item = (place as { name?: string }[]).find(({ name }) => name === last)
    if (item) (item as Record<string, unknown>)['changed'] = true
  } else (place as Record<string, unknown>)[last] = 'changed'
}

describe('the contract', () => {
  it('knows every overlay that there is', () => {
    const overlays = readdirSync(new URL('../../overlays/zones', import.meta.url))
    expect(environments.filter((name) => name !== 'base').sort()).toEqual(overlays.sort())
  })

  it('adds up the budgets of the document and divides the short ones by a whole number', () => {
    expect(startupBudget({ initialDelaySeconds: 300, periodSeconds: 30, failureThreshold: 40 })).toBe(25 * 60)
    expect(livenessBudget({ initialDelaySeconds: 600, periodSeconds: 60, failureThreshold: 10 })).toBe(
      10 * 60,
    )
    // What the document's fields alone come to, with Kubernetes' default of 10 s (Z05).
    expect(startupBudget({ initialDelaySeconds: 300, failureThreshold: 40 })).toBe(700)
    expect(livenessBudget({ failureThreshold: 10 })).toBe(100)
  })

  it('cites decisions that are written down', () => {
    const page = readFileSync(new URL('../../docs/decisions/0033-zones.md', import.meta.url), 'utf8')
    const text = readFileSync(new URL('contract.yaml', import.meta.url), 'utf8')
    const cited = [...new Set(text.match(/\bZ\d\d\b/g))]
    expect(cited.length).toBeGreaterThan(10)
    expect(cited.filter((id) => !page.includes(`| ${id} `))).toEqual([])
  })

  it('tells the environments apart', () => {
    for (const mine of environments)
      for (const other of environments)
        if (!isDeepStrictEqual(of(mine), of(other)))
          expect(checkContract(contract, mine, of(other)), `${other} as ${mine}`).not.toEqual([])
  })
})
