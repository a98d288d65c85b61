import fc from 'fast-check'
import type { LabelSelector } from '../../bootstrap/kube/label-selector.ts'
import type { Protocol } from './ends.ts'
import type { NetworkPolicy, PolicyPeer, PolicyPort } from './evaluate-policies.ts'

/** What generated policies may talk about. */
export interface Universe {
  /** Namespaces that get policies. */
  namespaces: readonly string[]
  namespaceLabels: Readonly<Record<string, readonly string[]>>
  podLabels: Readonly<Record<string, readonly string[]>>
  protocols: readonly Protocol[]
  ports: readonly number[]
  portNames: readonly string[]
  /** Blocks, each with blocks inside it that may be cut out. */
  blocks: Readonly<Record<string, readonly string[]>>
}

const key = (labels: Universe['podLabels']): string[] => Object.keys(labels)

/** Selectors of every form: equality, In, NotIn, Exists, DoesNotExist, and the empty one. */
export function arbitrarySelector(labels: Universe['podLabels']): fc.Arbitrary<LabelSelector> {
  const one = fc.constantFrom(...key(labels)).chain((name) =>
    fc.record({
      name: fc.constant(name),
      values: fc.uniqueArray(fc.constantFrom(...(labels[name] ?? [])), { minLength: 1, maxLength: 2 }),
      operator: fc.constantFrom('equals', 'In', 'NotIn', 'Exists', 'DoesNotExist'),
    }),
  )
  return fc.uniqueArray(one, { maxLength: 2, selector: ({ name }) => name }).map((parts) => ({
    matchLabels: Object.fromEntries(
      parts.flatMap(({ name, operator, values }) => (operator === 'equals' ? [[name, values[0]]] : [])),
    ) as Record<string, string>,
    matchExpressions: parts.flatMap(({ name, operator, values }) =>
      operator === 'equals' ? [] : [{ key: name, operator, ...(operator.endsWith('In') ? { values } : {}) }],
    ),
  }))
}

function arbitraryPort({ protocols, ports, portNames }: Universe): fc.Arbitrary<PolicyPort> {
  const number = fc.constantFrom(...ports)
  return fc.record({ protocol: fc.constantFrom(...protocols) }).chain(({ protocol }) =>
    fc.oneof(
      fc.constant({ protocol }),
      number.map((port) => ({ protocol, port })),
      fc.constantFrom(...portNames).map((port) => ({ protocol, port })),
      fc.tuple(number, number).map(([a, b]) => ({ protocol, port: Math.min(a, b), endPort: Math.max(a, b) })),
    ),
  )
}

function arbitraryPeer({ namespaceLabels, podLabels, blocks }: Universe): fc.Arbitrary<PolicyPeer> {
  const pods = arbitrarySelector(podLabels)
  const namespaces = arbitrarySelector(namespaceLabels)
  return fc.oneof(
    pods.map((podSelector) => ({ podSelector })),
    namespaces.map((namespaceSelector) => ({ namespaceSelector })),
    fc.record({ podSelector: pods, namespaceSelector: namespaces }),
    fc
      .constantFrom(...Object.keys(blocks))
      .chain((cidr) =>
        fc
          .uniqueArray(fc.constantFrom(...(blocks[cidr] ?? [])), { maxLength: 2 })
          .map((except) => ({ ipBlock: { cidr, ...(except.length > 0 ? { except } : {}) } })),
      ),
  )
}

/** Policies of every form that the API knows, about the universe; named `generated-0` and so on within a list. */
export function arbitraryPolicies(
  universe: Universe,
  size: { minLength?: number; maxLength: number },
): fc.Arbitrary<NetworkPolicy[]> {
  const some = { maxLength: 2 }
  const peers = fc.array(arbitraryPeer(universe), some)
  const ports = fc.array(arbitraryPort(universe), some)
  const policy = fc.record({
    namespace: fc.constantFrom(...universe.namespaces),
    spec: fc.record(
      {
        podSelector: arbitrarySelector(universe.podLabels),
        policyTypes: fc.subarray(['Ingress', 'Egress'], { minLength: 1 }),
        ingress: fc.array(fc.record({ from: peers, ports }, { requiredKeys: [] }), some),
        egress: fc.array(fc.record({ to: peers, ports }, { requiredKeys: [] }), some),
      },
      { requiredKeys: ['podSelector'] },
    ),
  })
  return fc.array(policy, size).map((policies) =>
    policies.map(({ namespace, spec }, index) => ({
      metadata: { name: `generated-${String(index)}`, namespace },
      spec,
    })),
  )
}

/**
 * Lists of policies that are the same for the same seed. They have no rules in a direction that their types leave out: by the API those
 * say nothing, but Cilium 1.19 applies them (cilium/cilium issue 48703). SLATE's policies have none either.
 */
export const policiesFrom = (
  universe: Universe,
  options: { seed: number; policies: number; lists: number },
): NetworkPolicy[][] =>
  fc
    .sample(arbitraryPolicies(universe, { minLength: options.policies, maxLength: options.policies }), {
      seed: options.seed,
      numRuns: options.lists,
    })
    .map((policies) => policies.map(withinItsTypes))

function withinItsTypes({ metadata, spec }: NetworkPolicy): NetworkPolicy {
  const { ingress, egress, ...rest } = spec
  const has = (type: string): boolean => spec.policyTypes?.includes(type) ?? true
  return {
    metadata,
    spec: {
      ...rest,
      ...(ingress && has('Ingress') ? { ingress } : {}),
      ...(egress && has('Egress') ? { egress } : {}),
    },
  }
}
