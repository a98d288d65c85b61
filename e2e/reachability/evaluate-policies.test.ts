import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { arbitraryPolicies, type Universe } from './arbitrary-policies.ts'
import type { AddressEnd, Connection, End, PodEnd, Protocol } from './ends.ts'
import { evaluate, explain, type NetworkPolicy, type PolicyWorld } from './evaluate-policies.ts'

const namespaces: PolicyWorld['namespaces'] = {
  default: { 'kubernetes.io/metadata.name': 'default' },
  red: { team: 'red', project: 'myproject' },
  blue: { team: 'blue' },
}
const universe: Universe = {
  namespaces: ['red', 'blue'],
  namespaceLabels: { team: ['red', 'blue', 'green'], project: ['myproject'] },
  podLabels: { tier: ['web', 'db'], role: ['a', 'b', 'c'] },
  protocols: ['TCP', 'UDP', 'SCTP'],
  ports: [53, 80, 81, 90],
  portNames: ['http', 'dns'],
  blocks: { '10.0.0.0/8': ['10.1.0.0/16', '10.1.2.0/24'], '0.0.0.0/0': ['10.0.0.0/8', '192.0.2.0/24'] },
}

const pod = (namespace: string, name: string, labels: Record<string, string> = {}): PodEnd => ({
  kind: 'pod',
  namespace,
  name,
  labels,
  ports: [
    { name: 'http', containerPort: 80 },
    { name: 'dns', containerPort: 53, protocol: 'UDP' },
  ],
})
const at = (ip: string): AddressEnd => ({ kind: 'address', ip })

const arbitraryEnd: fc.Arbitrary<End> = fc.oneof(
  { weight: 4, arbitrary: arbitraryPod() },
  {
    weight: 1,
    arbitrary: fc.constantFrom('10.1.2.3', '10.1.9.9', '10.9.9.9', '192.0.2.1', '198.51.100.1').map(at),
  },
)
function arbitraryPod(): fc.Arbitrary<PodEnd> {
  return fc
    .record({
      namespace: fc.constantFrom('red', 'blue', 'default'),
      name: fc.constantFrom('one', 'two', 'three'),
      tier: fc.option(fc.constantFrom('web', 'db'), { nil: undefined }),
      role: fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined }),
    })
    .map(({ namespace, name, tier, role }) =>
      pod(namespace, `${name}-${tier ?? ''}-${role ?? ''}`, {
        ...(tier === undefined ? {} : { tier }),
        ...(role === undefined ? {} : { role }),
      }),
    )
}
const arbitraryConnection: fc.Arbitrary<Connection> = fc.record({
  from: arbitraryEnd,
  to: arbitraryEnd,
  protocol: fc.constantFrom<Protocol>('TCP', 'UDP', 'SCTP'),
  port: fc.constantFrom(53, 80, 81, 85, 90),
})
const some = arbitraryPolicies(universe, { maxLength: 6 })
const open = (policies: readonly NetworkPolicy[], connection: Connection): boolean =>
  evaluate({ policies, namespaces }, connection).open

const check = (...args: Parameters<typeof fc.property<[NetworkPolicy[], Connection, NetworkPolicy[]]>>) => {
  fc.assert(fc.property(...args), { numRuns: 300 })
}

describe('whatever the policies', () => {
  it('without any everything is open', () => {
    check(fc.constant([]), arbitraryConnection, some, (policies, connection) => {
      expect(open(policies, connection)).toBe(true)
    })
  })

  it('their order says nothing', () => {
    check(some, arbitraryConnection, some, (policies, connection, more) => {
      const all = [...policies, ...more]
      expect(evaluate({ policies: all.toReversed(), namespaces }, connection)).toEqual(
        evaluate({ policies: all, namespaces }, connection),
      )
    })
  })

  it('one that says nothing new says nothing', () => {
    check(some, arbitraryConnection, some, (policies, connection) => {
      expect(open([...policies, ...policies], connection)).toBe(open(policies, connection))
    })
  })

  it('where both ends are isolated already, one more never closes anything', () => {
    const isolating: NetworkPolicy[] = ['default', 'red', 'blue'].map((namespace) => ({
      metadata: { name: 'deny', namespace },
      spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
    }))
    check(some, arbitraryConnection, some, (policies, connection, more) => {
      const before = open([...isolating, ...policies], connection)
      if (before) expect(open([...isolating, ...policies, ...more], connection)).toBe(true)
    })
  })

  it('a deny for everybody alone closes everything between different pods', () => {
    const deny: NetworkPolicy[] = ['default', 'red', 'blue'].map((namespace) => ({
      metadata: { name: 'deny', namespace },
      spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
    }))
    check(fc.constant(deny), arbitraryConnection, some, (policies, connection) => {
      const { from, to } = connection
      const itself =
        from.kind === 'pod' && to.kind === 'pod' && from.name === to.name && from.namespace === to.namespace
      const nobody = from.kind === 'address' && to.kind === 'address'
      expect(open(policies, connection)).toBe(itself || nobody)
    })
  })

  it('those of other namespaces do not count', () => {
    check(some, arbitraryConnection, some, (policies, connection, more) => {
      const elsewhere = more.map((one) => ({ ...one, metadata: { ...one.metadata, namespace: 'nowhere' } }))
      expect(open([...policies, ...elsewhere], connection)).toBe(open(policies, connection))
    })
  })

  it('a pod reaches itself', () => {
    check(some, arbitraryConnection, some, (policies, connection) => {
      expect(open(policies, { ...connection, to: connection.from })).toBe(true)
    })
  })

  it('missing and empty lists of peers and ports mean the same', () => {
    check(some, arbitraryConnection, some, (policies, connection) => {
      const full = policies.map(({ metadata, spec }) => ({
        metadata,
        spec: {
          ...spec,
          ingress: (spec.ingress ?? []).map((rule) => ({ from: [], ports: [], ...rule })),
          egress: (spec.egress ?? []).map((rule) => ({ to: [], ports: [], ...rule })),
        },
      }))
      expect(open(full, connection)).toBe(open(policies, connection))
    })
  })

  it('a range of ports means the same as its ports one by one', () => {
    check(some, arbitraryConnection, some, (policies, connection) => {
      const single = <T extends { ports?: readonly { port?: number | string; endPort?: number }[] }>(
        rule: T,
      ) => ({
        ...rule,
        ports: (rule.ports ?? []).flatMap(({ endPort, ...one }) =>
          endPort === undefined || typeof one.port !== 'number'
            ? [one]
            : Array.from({ length: endPort - one.port + 1 }, (_, more) => ({
                ...one,
                port: Number(one.port) + more,
              })),
        ),
      })
      const spelled = policies.map(({ metadata, spec }) => ({
        metadata,
        spec: {
          ...spec,
          ingress: (spec.ingress ?? []).map(single),
          egress: (spec.egress ?? []).map(single),
        },
      }))
      expect(open(spelled, connection)).toBe(open(policies, connection))
    })
  })
})

/** The example of the Kubernetes documentation (Network Policies, the NetworkPolicy resource). */
const documented: NetworkPolicy = {
  metadata: { name: 'test-network-policy', namespace: 'default' },
  spec: {
    podSelector: { matchLabels: { role: 'db' } },
    policyTypes: ['Ingress', 'Egress'],
    ingress: [
      {
        from: [
          { ipBlock: { cidr: '172.17.0.0/16', except: ['172.17.1.0/24'] } },
          { namespaceSelector: { matchLabels: { project: 'myproject' } } },
          { podSelector: { matchLabels: { role: 'frontend' } } },
        ],
        ports: [{ protocol: 'TCP', port: 6379 }],
      },
    ],
    egress: [{ to: [{ ipBlock: { cidr: '10.0.0.0/24' } }], ports: [{ protocol: 'TCP', port: 5978 }] }],
  },
}
const db = pod('default', 'db', { role: 'db' })

describe('the example of the documentation', () => {
  it.each<[who: string, from: End, port: number, isOpen: boolean]>([
    ['a frontend of the namespace', pod('default', 'f', { role: 'frontend' }), 6379, true],
    ['another pod of the namespace', pod('default', 'x'), 6379, false],
    ['any pod of a namespace of the project', pod('red', 'x'), 6379, true],
    ['a frontend of another namespace', pod('blue', 'f', { role: 'frontend' }), 6379, false],
    ['an address of the block', at('172.17.0.255'), 6379, true],
    ['an address of the hole', at('172.17.1.7'), 6379, false],
    ['an address behind the hole', at('172.17.2.0'), 6379, true],
    ['an address behind the block', at('172.18.0.0'), 6379, false],
    ['a frontend on another port', pod('default', 'f', { role: 'frontend' }), 6380, false],
  ])('%s to the database', (_, from, port, isOpen) => {
    expect(open([documented], { from, to: db, protocol: 'TCP', port })).toBe(isOpen)
  })

  it.each<[where: string, to: End, port: number, protocol: Protocol, isOpen: boolean]>([
    ['an address of the block', at('10.0.0.255'), 5978, 'TCP', true],
    ['an address behind the block', at('10.0.1.0'), 5978, 'TCP', false],
    ['another port', at('10.0.0.1'), 5979, 'TCP', false],
    ['another protocol', at('10.0.0.1'), 5978, 'UDP', false],
    ['a pod', pod('default', 'x'), 5978, 'TCP', false],
  ])('the database to %s', (_, to, port, protocol, isOpen) => {
    expect(open([documented], { from: db, to, protocol, port })).toBe(isOpen)
  })

  it('says by which policies', () => {
    const from = pod('default', 'x')
    const world = { policies: [documented], namespaces }
    expect(explain(evaluate(world, { from, to: db, protocol: 'TCP', port: 6379 }))).toBe(
      'leaving is not restricted; entering is denied, none of test-network-policy allows it',
    )
  })
})

/** A policy for all pods of `default` with these rules. */
const rules = (spec: NetworkPolicy['spec']): NetworkPolicy => ({
  metadata: { name: 'p', namespace: 'default' },
  spec: { podSelector: {}, ...spec },
})
const web = pod('default', 'web', { tier: 'web' })
const inward = (policy: NetworkPolicy, from: End, port = 80, protocol: Protocol = 'TCP'): boolean =>
  open([policy], { from, to: web, protocol, port })
const outward = (policy: NetworkPolicy, to: End, port = 80, protocol: Protocol = 'TCP'): boolean =>
  open([policy], { from: web, to, protocol, port })
const other = pod('default', 'other', { tier: 'db' })

describe('a policy', () => {
  it('is about ingress, and about egress if it has such a rule, when it states no types', () => {
    expect(inward(rules({}), other)).toBe(false)
    expect(outward(rules({}), at('10.0.0.1'))).toBe(true)
    expect(outward(rules({ egress: [{ ports: [{ port: 81 }] }] }), at('10.0.0.1'))).toBe(false)
    expect(inward(rules({ policyTypes: ['Egress'] }), at('10.0.0.1'))).toBe(true)
  })

  it('with a rule without peers lets anybody in, with no rule nobody', () => {
    expect(inward(rules({ ingress: [{}] }), at('192.0.2.1'))).toBe(true)
    expect(inward(rules({ ingress: [{ from: [] }] }), pod('blue', 'x'))).toBe(true)
    expect(inward(rules({ ingress: [] }), other)).toBe(false)
  })

  it('with namespace and pods in one peer means both, in two peers either', () => {
    const namespaceSelector = { matchLabels: { team: 'red' } }
    const podSelector = { matchLabels: { tier: 'db' } }
    const both = rules({ ingress: [{ from: [{ namespaceSelector, podSelector }] }] })
    const either = rules({ ingress: [{ from: [{ namespaceSelector }, { podSelector }] }] })
    const seen = [both, either].map((policy) =>
      [pod('red', 'x'), pod('red', 'x', { tier: 'db' }), other, pod('blue', 'x', { tier: 'db' })].map(
        (from) => inward(policy, from),
      ),
    )
    expect(seen).toEqual([
      [false, true, false, false],
      [true, true, true, false],
    ])
  })

  it.each([
    ['In', ['web', 'db'], [true, true, false]],
    ['NotIn', ['web'], [false, true, true]],
    ['Exists', undefined, [true, true, false]],
    ['DoesNotExist', undefined, [false, false, true]],
  ])('selects by the operator %s', (operator, values, seen) => {
    const expression = { key: 'tier', operator, ...(values ? { values } : {}) }
    const policy = rules({ ingress: [{ from: [{ podSelector: { matchExpressions: [expression] } }] }] })
    const from = [
      pod('default', 'w', { tier: 'web' }),
      pod('default', 'd', { tier: 'db' }),
      pod('default', 'n'),
    ]
    expect(from.map((one) => inward(policy, one))).toEqual(seen)
  })

  it('looks a named port up at the target, with its protocol', () => {
    const ingress = [{ ports: [{ port: 'http' }, { port: 'dns', protocol: 'UDP' as const }] }]
    expect(inward(rules({ ingress }), other, 80)).toBe(true)
    expect(inward(rules({ ingress }), other, 81)).toBe(false)
    expect(inward(rules({ ingress }), other, 53, 'UDP')).toBe(true)
    expect(inward(rules({ ingress }), other, 53, 'TCP')).toBe(false)
    const egress = [{ ports: [{ port: 'http' }] }]
    expect(outward(rules({ egress, policyTypes: ['Egress'] }), other, 80)).toBe(true)
    expect(outward(rules({ egress, policyTypes: ['Egress'] }), at('10.0.0.1'), 80)).toBe(false)
  })

  it('with a port alone means TCP, with a protocol alone every port of it', () => {
    expect(inward(rules({ ingress: [{ ports: [{ port: 80 }] }] }), other, 80, 'UDP')).toBe(false)
    expect(inward(rules({ ingress: [{ ports: [{ protocol: 'SCTP' }] }] }), other, 4711, 'SCTP')).toBe(true)
    expect(inward(rules({ ingress: [{ ports: [{ port: 80, endPort: 82 }] }] }), other, 82)).toBe(true)
    expect(inward(rules({ ingress: [{ ports: [{ port: 80, endPort: 82 }] }] }), other, 83)).toBe(false)
  })

  it('with an address block never means a pod, and knows IPv6', () => {
    const any = rules({ ingress: [{ from: [{ ipBlock: { cidr: '0.0.0.0/0' } }] }] })
    expect([inward(any, other), inward(any, at('192.0.2.1')), inward(any, at('2001:db8::1'))]).toEqual([
      false,
      true,
      false,
    ])
    const six = { cidr: '2001:db8::/32', except: ['2001:db8:1::/48'] }
    const block = rules({ ingress: [{ from: [{ ipBlock: six }] }] })
    expect([inward(block, at('2001:db8::1')), inward(block, at('2001:db8:1::1'))]).toEqual([true, false])
  })
})
