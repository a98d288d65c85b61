import { beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { readContract } from '../../manifests/slate/contract.ts'
import { rendered } from '../../manifests/checks/rendered.ts'
import type { End } from '../reachability/ends.ts'
import { evaluate, type NetworkPolicy } from '../reachability/evaluate-policies.ts'
import { jobsOfSlate } from '../reachability/job-pods.ts'
import { statedPod } from '../reachability/slate-network.ts'
import { mutate } from './changed.ts'
import { networkEquivalents } from './equivalent.ts'
import { networkMutations } from './network.ts'

const contract = readContract()
const namespaces = Object.fromEntries(
  ['slate', 'kube-system', 'ingress-nginx', 'elsewhere'].map((name) => [
    name,
    { 'kubernetes.io/metadata.name': name },
  ]),
)
const pod = (namespace: string, labels: Record<string, string> = {}): End => ({
  kind: 'pod',
  namespace,
  name: `${namespace}-${Object.values(labels).join('-')}`,
  labels,
})
const ends: End[] = [
  ...contract.deployments.map(({ component, name }) => statedPod(contract, component, name)),
  ...jobsOfSlate(contract).map(({ stated }) => stated),
  pod('slate'),
  pod('ingress-nginx'),
  pod('kube-system', { 'k8s-app': 'kube-dns' }),
  pod('kube-system'),
  pod('elsewhere', { 'k8s-app': 'kube-dns', 'app.kubernetes.io/part-of': 'slate-system' }),
  ...['140.82.112.1', '140.82.128.1', '143.55.64.1', '203.0.113.1', '10.0.0.7'].map((ip): End => ({
    kind: 'address',
    ip,
  })),
]
const ports = [53, 443, 6443, 8000, 8080, 8081, 8443, 9090, 9153, 11434]

/** Who reaches whom, as one text. */
function everyConnection(objects: readonly KubeObject[]): string {
  const policies = objects
    .filter(({ kind }) => kind === 'NetworkPolicy')
    .map((one) => ({
      ...one,
      metadata: { ...one.metadata, namespace: 'slate' },
    })) as unknown as NetworkPolicy[]
  return ends
    .flatMap((from) =>
      ends.flatMap((to) =>
        ports.flatMap((port) =>
          (['TCP', 'UDP'] as const).map((protocol) =>
            evaluate({ policies, namespaces }, { from, to, protocol, port }).open ? 'o' : '.',
          ),
        ),
      ),
    )
    .join('')
}

let objects: KubeObject[]
let before: string
beforeAll(async () => {
  objects = await rendered('overlays/slate/local')
  before = everyConnection(objects)
})

/** Mutations of which no connection tells anything; their test looks at the object. */
const onlyAsObjects = ['drop-default-deny-all', 'drop-allow-ollama-from-slate']

describe('mutations of the network', () => {
  it.each(networkMutations)('$name changes who reaches whom, or is known not to', (mutation) => {
    const after = everyConnection(mutate(objects, mutation))
    expect(after === before).toBe(onlyAsObjects.includes(mutation.name))
  })

  it('have names of their own, and neighbours that are not the test itself', () => {
    expect(new Set(networkMutations.map(({ name }) => name)).size).toBe(networkMutations.length)
    for (const { caughtBy, neighbours } of networkMutations) expect(neighbours).not.toContain(caughtBy)
  })
})

it.each(networkEquivalents)('$name: everybody reaches whom he reached before', ({ name, object }) => {
  const change = (one: KubeObject): KubeObject | undefined => {
    if (!name.startsWith('drop the DNS rule')) return undefined
    ;(one.spec as { egress: unknown[] }).egress.splice(1, 1)
    return one
  }
  const without = mutate(objects, {
    name,
    object,
    change,
    breaks: '',
    caughtBy: '',
    neighbours: ['', ''],
  })
  expect(without).not.toEqual(objects)
  expect(everyConnection(without)).toBe(before)
})
