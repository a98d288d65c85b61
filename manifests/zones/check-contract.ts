import { isDeepStrictEqual } from 'node:util'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import type { Fact, Violation } from '../checks/fact.ts'
import { at, containersOf, idOf } from '../checks/manifest.ts'
import { violationsOf } from '../checks/violations.ts'
import type { Contract, EnvironmentName } from './contract.ts'

/** Compares the rendered objects of an environment with every fact of the contract; an empty list means all hold. */
export function checkContract(
  contract: Contract,
  environment: EnvironmentName,
  manifests: readonly KubeObject[],
): Violation[] {
  return violationsOf(factsOf(contract, environment), manifests)
}

/** Every fact that `checkContract` compares, in the order in which it tells them. */
export function factsOf(contract: Contract, environment: EnvironmentName): Fact[] {
  return [
    inventoryFact(contract, environment),
    ...contract.facts.flatMap((row) => statedFacts(row, environment)),
    ...budgetFacts(contract, environment),
    ...contract.guaranteed.objects.map((object) => guaranteedFact(object, contract.guaranteed.section)),
  ]
}

/** The value under the keys; an item of a list is found by its name. */
export function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (seen, key) =>
      Array.isArray(seen) ? seen.find((item: unknown) => at(item, 'name') === key) : at(seen, key),
    value,
  )
}

function inventoryFact({ objects }: Contract, environment: EnvironmentName): Fact {
  const expected = [...new Set([...objects.base, ...objects[environment]])]
  return {
    fact: 'inventory',
    section: 'L35-40, Z15',
    object: 'all',
    expected: { missing: [], extra: [] },
    seeAll(manifests) {
      const ids = manifests.map(idOf)
      return {
        missing: expected.filter((id) => !ids.includes(id)),
        extra: ids.filter((id, index) => !expected.includes(id) || ids.indexOf(id) !== index),
      }
    },
  }
}

function statedFacts(row: Contract['facts'][number], environment: EnvironmentName): Fact[] {
  const { fact, section, path, values, objects = [], only } = row
  if (only !== undefined && !only.includes(environment)) return []
  const own = row.in ?? {}
  const isOwn = environment in own
  const everywhere = isOwn ? own[environment] : row.is
  const stated =
    values === undefined ? objects.map((id) => [id, everywhere] as const) : Object.entries(values)
  return stated.map(([object, value]) => ({
    fact,
    // What an overlay has in the place of the document's value is no requirement of the document.
    section: isOwn ? `Z15 in the place of ${section}` : section,
    object,
    expected: value ?? undefined,
    see: (manifest) => valueAt(manifest, path),
  }))
}

interface Probe {
  initialDelaySeconds?: number
  periodSeconds?: number
  failureThreshold?: number
}

/** Seconds until the kubelet gives up a container that never becomes healthy; absent fields count as Kubernetes' defaults. */
export const startupBudget = (probe: Probe): number =>
  (probe.initialDelaySeconds ?? 0) + (probe.failureThreshold ?? 3) * (probe.periodSeconds ?? 10)

/** Seconds for which a container may be unhealthy before it is started again. */
export const livenessBudget = (probe: Probe): number =>
  (probe.failureThreshold ?? 3) * (probe.periodSeconds ?? 10)

/** The budgets that the probes add up to, times the number by which the overlay divides them. */
function budgetFacts({ budgets, guaranteed }: Contract, environment: EnvironmentName): Fact[] {
  const probeOf = (manifest: KubeObject, name: string): Probe =>
    valueAt(manifest, ['spec', 'template', 'spec', 'containers', 'model-server', name]) ?? {}
  const times = budgets.divided[environment]
  return guaranteed.objects.flatMap((object): Fact[] => [
    {
      fact: 'startup budget',
      section: budgets.startup.section,
      object,
      expected: budgets.startup.seconds,
      see: (manifest) => startupBudget(probeOf(manifest, 'startupProbe')) * times,
    },
    {
      fact: 'liveness budget',
      section: budgets.liveness.section,
      object,
      expected: budgets.liveness.seconds,
      see: (manifest) => livenessBudget(probeOf(manifest, 'livenessProbe')) * times,
    },
  ])
}

/**
 * Guaranteed: every container, init containers too, has limits of CPU and memory and requests that are the same
 * (https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/).
 */
function guaranteedFact(object: string, section: string): Fact {
  const isEqual = (container: unknown): boolean => {
    const of = (kind: string) => ['cpu', 'memory'].map((name) => at(container, 'resources', kind, name))
    const [limits, requests] = [of('limits'), of('requests')]
    return limits.every((amount) => amount !== undefined) && isDeepStrictEqual(limits, requests)
  }
  return {
    fact: 'quality of service',
    section,
    object,
    expected: 'Guaranteed',
    see: (manifest) => (containersOf(manifest).every(isEqual) ? 'Guaranteed' : 'less than Guaranteed'),
  }
}
