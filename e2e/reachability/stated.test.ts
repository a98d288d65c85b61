import { describe, expect, it } from 'vitest'
import { readContract } from '../../manifests/slate/contract.ts'
import type { End, PodEnd } from './ends.ts'
import { jobsOfSlate } from './job-pods.ts'
import { statedPod } from './slate-network.ts'
import { isStatedOpen, statedBlocks, statedControllerNamespace } from './stated.ts'

const contract = readContract()
const own = (component: string): PodEnd => statedPod(contract, component)
const pod = (namespace: string, labels: Record<string, string> = {}): PodEnd => ({
  kind: 'pod',
  namespace,
  name: 'x',
  labels,
})
const at = (ip: string): End => ({ kind: 'address', ip })

const components = contract.deployments.map(({ component }) => component)
const jobs = jobsOfSlate(contract).map(({ job }) => job)
const withToken = ['nightly-health', 'instruction-sync']
const groups: Record<string, PodEnd[]> = {
  services: components.filter((one) => one !== 'ollama' && one !== 'chromadb').map(own),
  stores: ['ollama', 'chromadb'].map(own),
  'jobs with a token': withToken.map(own),
  'other jobs': jobs.filter((one) => !withToken.includes(one)).map(own),
  'a pod without labels': [pod(contract.namespace.name)],
  'the ingress controller': [pod('ingress-nginx')],
  'a pod elsewhere': [pod('elsewhere', own('dashboard').labels)],
}
const dns = pod('kube-system', { 'k8s-app': 'kube-dns' })

/**
 * The sentences of the specification (000 Network Policies, Security Principles, A15 to A19, A32) as a person reads them, by hand: o is
 * open. Columns: every workload on every port of its own, the dashboard's 8080, Ollama, DNS, GitHub on 443, another address on 443,
 * the API server at a private address, a pod of another namespace.
 */
const byHand = `
services               o o o o o . o .
stores                 o o o o . . . .
jobs with a token      o o o o . . o .
other jobs             o o o o . . . .
a pod without labels   o o o o . . . .
the ingress controller . o . o o o o o
a pod elsewhere        . o . o o o o o
`
const targets: [End, number, 'TCP' | 'UDP'][][] = [
  contract.deployments.flatMap(({ component, ports }) =>
    ports.map((port): [End, number, 'TCP'] => [own(component), port, 'TCP']),
  ),
  [[own('dashboard'), 8080, 'TCP']],
  [[own('ollama'), 11434, 'TCP']],
  [
    [dns, 53, 'UDP'],
    [dns, 53, 'TCP'],
  ],
  [
    [at('140.82.112.1'), 443, 'TCP'],
    [at('192.30.255.254'), 443, 'TCP'],
  ],
  [[at('140.82.128.1'), 443, 'TCP']],
  [[at('10.0.0.7'), 6443, 'TCP']],
  [[pod('elsewhere'), 8080, 'TCP']],
]

describe("the contract's sentences mean what a person reads in them", () => {
  const lines = byHand.trim().split('\n')
  it.each(lines)('%s', (line) => {
    const name = line.slice(0, 23).trim()
    const squares = targets.map((ends) => {
      const open = (groups[name] ?? []).flatMap((from) =>
        ends.map(([to, port, protocol]) => isStatedOpen(contract, { from, to, protocol, port })),
      )
      return open.every(Boolean) ? 'o' : open.some(Boolean) ? '?' : '.'
    })
    // The controller reaches some workloads, a stranger one of them.
    const seen = squares.map((one, index) => (index === 0 && one === '?' && line[23] === '.' ? '.' : one))
    expect(seen.join(' ')).toBe(line.slice(23))
  })

  it.each<[who: string, from: End, open: string[]]>([
    [
      'the ingress controller',
      pod('ingress-nginx'),
      ['dashboard', 'agent-router', 'autonomous-loop', 'copilot-bridge', 'workflow-manager'],
    ],
    ['a pod elsewhere', pod('elsewhere'), ['dashboard']],
    ['a machine outside', at('198.51.100.1'), ['dashboard']],
  ])('%s reaches these workloads', (_, from, open) => {
    const reached = contract.deployments.filter(({ component, ports }) =>
      ports.every((port) => isStatedOpen(contract, { from, to: own(component), protocol: 'TCP', port })),
    )
    expect(reached.map(({ component }) => component)).toEqual(open)
  })
})

it('refuses a sentence that it does not understand', () => {
  const networkPolicies = contract.networkPolicies.map((row) => ({
    ...row,
    ingress: [{ peers: ['some of them'], ports: ['any'] }],
  }))
  const to = own('core')
  expect(() =>
    isStatedOpen({ ...contract, networkPolicies }, { from: own('core'), to, protocol: 'TCP', port: 1 }),
  ).toThrow('"some of them" is no peer')
})

it('finds blocks and the namespace of the controller', () => {
  expect(statedBlocks(contract, 'allow-github-egress')).toContain('140.82.112.0/20')
  expect(() => statedBlocks(contract, 'default-deny-all')).toThrow('names no addresses')
  expect(statedControllerNamespace(contract)).toBe('ingress-nginx')
})
