import type { KubeObject } from '../../../bootstrap/kube/client.ts'
import type { Contract, NetworkPolicyRow } from '../contract.ts'
import { at, listAt, textAt } from '../../checks/manifest.ts'
import type { Fact } from '../../checks/fact.ts'

/** Which pods every policy is for, in which directions, and what it lets through. */
export function networkFacts(contract: Contract): Fact[] {
  return contract.networkPolicies.flatMap(networkPolicyFacts)
}

/** What one policy has to hold. */
export function networkPolicyFacts(row: NetworkPolicyRow): Fact[] {
  const place = { section: row.section, object: `NetworkPolicy/${row.name}` }
  return [
    {
      ...place,
      fact: 'policy pods',
      expected: row.pods,
      see: (manifest) => selectedBy(at(manifest, 'spec', 'podSelector')),
    },
    {
      ...place,
      fact: 'policy directions',
      expected: row.types,
      see: (manifest) => listAt(manifest, 'spec', 'policyTypes'),
    },
    {
      ...place,
      fact: 'policy ingress',
      expected: row.ingress,
      see: (manifest) => rulesOf(manifest, 'ingress', 'from'),
    },
    {
      ...place,
      fact: 'policy egress',
      expected: row.egress,
      see: (manifest) => rulesOf(manifest, 'egress', 'to'),
    },
  ]
}

/**
 * Label → its values, sorted; empty for a selector of everything. What a selector says beyond equality and `In` shows up as a key of
 * its own, so that it equals no row of the contract.
 */
function selectedBy(selector: unknown): Record<string, string[]> {
  const labels = Object.entries((at(selector, 'matchLabels') ?? {}) as Record<string, string>)
  return Object.fromEntries([
    ...labels.map(([key, value]): [string, string[]] => [key, [value]]),
    ...listAt(selector, 'matchExpressions').map((one): [string, string[]] => {
      const plain = at(one, 'operator') === 'In'
      return [
        plain ? textAt(one, 'key') : JSON.stringify(one),
        (listAt(one, 'values') as string[]).toSorted(),
      ]
    }),
  ])
}

function rulesOf(manifest: KubeObject, direction: string, side: string): unknown[] {
  return listAt(manifest, 'spec', direction).map((rule) => ({
    peers: orAny(listAt(rule, side).map(peerText)),
    ports: orAny(listAt(rule, 'ports').map(portText)),
  }))
}

/** A rule without peers or ports is one for all of them. */
const orAny = (texts: string[]): string[] => (texts.length === 0 ? ['any'] : texts)

function portText(port: unknown): string {
  const { port: number = 'any', protocol = 'TCP', ...others } = port as Record<string, string | number>
  return Object.keys(others).length === 0 ? `${protocol} ${number}` : JSON.stringify(port)
}

function peerText(peer: unknown): string {
  const { ipBlock, namespaceSelector, podSelector } = peer as Record<string, unknown>
  if (ipBlock !== undefined)
    return at(ipBlock, 'except') === undefined ? textAt(ipBlock, 'cidr') : JSON.stringify(peer)
  const texts = [
    ...(namespaceSelector === undefined ? [] : [namespaceText(namespaceSelector)]),
    ...(podSelector === undefined ? [] : [podsText(podSelector)]),
  ]
  return texts.join(', ')
}

function namespaceText(selector: unknown): string {
  const { 'kubernetes.io/metadata.name': name, ...others } = selectedBy(selector)
  return name?.length === 1 && Object.keys(others).length === 0
    ? `namespace ${name.join()}`
    : `namespaces ${JSON.stringify(selector)}`
}

function podsText(selector: unknown): string {
  const selected = Object.entries(selectedBy(selector))
  if (selected.length === 0) return 'all pods'
  return `pods ${selected.map(([key, values]) => `${key}=${values.join('|')}`).join(', ')}`
}
