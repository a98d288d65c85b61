import { isDeepStrictEqual } from 'node:util'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import type { Contract, EnvironmentName } from './contract.ts'
import { accessFacts } from './facts/access.ts'
import { configurationFacts } from './facts/configuration.ts'
import { deploymentFacts } from './facts/deployments.ts'
import type { Fact, Violation } from './facts/fact.ts'
import { ingressFacts } from './facts/ingress.ts'
import { inventoryFacts } from './facts/inventory.ts'
import { jobFacts } from './facts/jobs.ts'
import { limitFacts } from './facts/limits.ts'
import { networkFacts } from './facts/network.ts'
import { scalingFacts } from './facts/scaling.ts'
import { serviceFacts } from './facts/services.ts'
import { storageFacts } from './facts/storage.ts'
import { idOf } from './manifest.ts'

export type { Violation } from './facts/fact.ts'

/** Compares the rendered objects of an environment with every fact of the contract; an empty list means all hold. */
export function checkContract(
  contract: Contract,
  environment: EnvironmentName,
  manifests: readonly KubeObject[],
): Violation[] {
  return violationsOf(factsOf(contract, environment, manifests), manifests)
}

/** How many facts `checkContract` compares for these objects. */
export function countFacts(
  contract: Contract,
  environment: EnvironmentName,
  manifests: readonly KubeObject[],
): number {
  return factsOf(contract, environment, manifests).length
}

/** The facts that the objects do not hold, with what was seen in their place. */
export function violationsOf(facts: readonly Fact[], manifests: readonly KubeObject[]): Violation[] {
  const byId = new Map(manifests.map((manifest) => [idOf(manifest), manifest]))
  const look = (fact: Fact): unknown => {
    if ('seeAll' in fact) return fact.seeAll(manifests)
    const manifest = byId.get(fact.object)
    return manifest === undefined ? 'no such object' : fact.see(manifest)
  }
  return facts.flatMap((fact): Violation[] => {
    const seen = look(fact)
    const { section, object, expected } = fact
    return isDeepStrictEqual(seen, expected) ? [] : [{ fact: fact.fact, section, object, expected, seen }]
  })
}

/** Every fact that `checkContract` compares, in the order in which it tells them. */
export function factsOf(
  contract: Contract,
  environment: EnvironmentName,
  manifests: readonly KubeObject[],
): Fact[] {
  return [
    ...inventoryFacts(contract, environment, manifests),
    ...accessFacts(contract),
    ...deploymentFacts(contract, environment, manifests),
    ...jobFacts(contract, environment, manifests),
    ...serviceFacts(contract),
    ...ingressFacts(contract, environment),
    ...storageFacts(contract, environment),
    ...configurationFacts(contract, environment),
    ...networkFacts(contract),
    ...scalingFacts(contract),
    ...limitFacts(contract, environment, manifests),
  ]
}
