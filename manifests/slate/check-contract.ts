import type { KubeObject } from '../../bootstrap/kube/client.ts'
import type { Contract, EnvironmentName } from './contract.ts'
import { accessFacts } from './facts/access.ts'
import { configurationFacts } from './facts/configuration.ts'
import { deploymentFacts } from './facts/deployments.ts'
import type { Fact, Violation } from '../checks/fact.ts'
import { violationsOf } from '../checks/violations.ts'
import { ingressFacts } from './facts/ingress.ts'
import { inventoryFacts } from './facts/inventory.ts'
import { jobFacts } from './facts/jobs.ts'
import { limitFacts } from './facts/limits.ts'
import { networkFacts } from './facts/network.ts'
import { scalingFacts } from './facts/scaling.ts'
import { serviceFacts } from './facts/services.ts'
import { storageFacts } from './facts/storage.ts'

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
