import { expect, it } from 'vitest'
import { violationsOf } from '../../checks/violations.ts'
import { networkPolicyFacts } from './network.ts'

/** What the contract's table would have to say for the policy with this spec. */
function tableRow(spec: object): Record<string, unknown> {
  const row = {
    name: 'p',
    section: 's',
    pods: { none: ['x'] },
    types: ['none'],
    ingress: [none],
    egress: [none],
  }
  const policy = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: 'p' }, spec }
  return Object.fromEntries(
    violationsOf(networkPolicyFacts(row), [policy]).map(({ fact, seen }) => [
      fact.replace('policy ', ''),
      seen,
    ]),
  )
}
const none = { peers: ['none'], ports: ['none'] }

it('says pods and directions', () => {
  const podSelector = {
    matchLabels: { a: '1' },
    matchExpressions: [{ key: 'b', operator: 'In', values: ['3', '2'] }],
  }
  expect(tableRow({ podSelector, policyTypes: ['Egress'] })).toEqual({
    pods: { a: ['1'], b: ['2', '3'] },
    directions: ['Egress'],
    ingress: [],
    egress: [],
  })
  expect(tableRow({ podSelector: {} })).toMatchObject({ pods: {}, directions: [] })
})

it('keeps what the table has no words for, so that it equals no row', () => {
  const expression = { key: 'b', operator: 'NotIn', values: ['2'] }
  expect(tableRow({ podSelector: { matchExpressions: [expression] } })).toMatchObject({
    pods: { [JSON.stringify(expression)]: ['2'] },
  })
})

const named = (name: string) => ({ matchLabels: { 'kubernetes.io/metadata.name': name } })
it.each<[rule: object, peers: string[], ports: string[]]>([
  [{}, ['any'], ['any']],
  [{ from: [], ports: [] }, ['any'], ['any']],
  [{ from: [{ podSelector: {} }], ports: [{ port: 80 }] }, ['all pods'], ['TCP 80']],
  [{ from: [{ podSelector: { matchLabels: { a: 'b' } } }] }, ['pods a=b'], ['any']],
  [{ from: [{ namespaceSelector: named('x') }], ports: [{ protocol: 'UDP' }] }, ['namespace x'], ['UDP any']],
  [
    { from: [{ namespaceSelector: named('x'), podSelector: { matchLabels: { a: 'b' } } }] },
    ['namespace x, pods a=b'],
    ['any'],
  ],
  [{ from: [{ namespaceSelector: {} }] }, ['namespaces {}'], ['any']],
  [{ from: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }, ['10.0.0.0/8'], ['any']],
  [
    {
      from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }],
      ports: [{ port: 1, endPort: 9 }],
    },
    ['{"ipBlock":{"cidr":"10.0.0.0/8","except":["10.1.0.0/16"]}}'],
    ['{"port":1,"endPort":9}'],
  ],
])('says the rule %j', (rule, peers, ports) => {
  expect(tableRow({ podSelector: {}, ingress: [rule] })).toMatchObject({ ingress: [{ peers, ports }] })
})
