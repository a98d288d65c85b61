import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { factsOf } from '../../manifests/slate/check-contract.ts'
import { readContract } from '../../manifests/slate/contract.ts'
import type { Fact } from '../../manifests/checks/fact.ts'
import type { Cluster } from './cluster.ts'
import { expectLiveFacts } from './live-facts.ts'
import { CheckBroke } from './verdict.ts'

const contract = readContract()

/**
 * Asserts that a live object of SLATE holds the named facts of the contract (`manifests/slate/facts`) as its local overlay is to have them.
 * @throws ExpectationFailed with the section, what was expected and what was seen; CheckBroke when the contract has no such fact about it
 */
export async function expectFacts(
  { kube }: Pick<Cluster, 'kube'>,
  object: string,
  names: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const namespace = contract.namespace.name
  const addresses = { apiVersion: 'v1', kind: 'ConfigMap', namespace, name: contract.addresses.configMap }
  const found = await kube.get(addresses, signal)
  await expectLiveFacts({ kube }, namespace, factsAbout(object, names, found ? [found] : []), signal)
}

/** These facts about one object. @throws CheckBroke when one of them is not in the contract: then the check would say nothing */
export function factsAbout(
  object: string,
  names: readonly string[],
  others: readonly KubeObject[] = [],
): Fact[] {
  const facts = factsOf(contract, 'local', others).filter(
    (one) => one.object === object && names.includes(one.fact),
  )
  const missing = names.filter((name) => !facts.some(({ fact }) => fact === name))
  if (missing.length > 0)
    throw new CheckBroke(`The contract says nothing about ${missing.join(', ')} of ${object}.`)
  return facts.map((fact): Fact =>
    'see' in fact ? { ...fact, see: (seen) => fact.see(withoutMarks(seen)) } : fact,
  )
}

/** `kubectl rollout restart` and local-cloud itself mark the pod template; what SLATE states about it stays. */
function withoutMarks(object: KubeObject): KubeObject {
  const copy = structuredClone(object)
  const metadata = (
    copy['spec'] as { template?: { metadata?: { annotations?: Record<string, string> } } } | undefined
  )?.template?.metadata
  if (metadata?.annotations === undefined) return copy
  const kept = Object.entries(metadata.annotations).filter(
    ([key]) => !key.endsWith('/restartedAt') && !key.startsWith('local-cloud.io/'),
  )
  if (kept.length === 0) delete metadata.annotations
  else metadata.annotations = Object.fromEntries(kept)
  return copy
}
