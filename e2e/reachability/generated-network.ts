import type { KubeObject } from '../../bootstrap/kube/client.ts'
import type { Cluster } from '../harness/cluster.ts'
import type { Look } from '../harness/look.ts'
import type { MatrixRecord } from '../harness/record.ts'
import { CheckBroke } from '../harness/verdict.ts'
import { policiesFrom, type Universe } from './arbitrary-policies.ts'
import { addressAt } from './cidr.ts'
import type { Dial } from './client.ts'
import type { End, PodPort } from './ends.ts'
import { evaluate, type NetworkPolicy, type PolicyWorld } from './evaluate-policies.ts'
import { dialAll, isAs } from './matrix.ts'
import { startPeer, type Peer } from './peer-pod.ts'
import { readWorld } from './slate-network.ts'
import type { Source } from './source.ts'
import { addressEnd, type Stage } from './stage.ts'

/** Pods in two namespaces and a machine outside, about which policies can be made up. */
export interface GeneratedNetwork {
  universe: Universe
  sources: Source[]
  targets: { name: string; dial: Dial; end: End }[]
  world(signal: AbortSignal): Promise<PolicyWorld>
  apply(policies: readonly NetworkPolicy[], signal: AbortSignal): Promise<void>
  clear(policies: readonly NetworkPolicy[], signal: AbortSignal): Promise<void>
}

const ports: PodPort[] = [
  { name: 'http', containerPort: 8080 },
  { name: 'admin', containerPort: 8081 },
  { containerPort: 8090 },
  { name: 'dns', containerPort: 53, protocol: 'UDP' },
]
const labels = { tier: ['web', 'db'], role: ['a', 'b'] }
const pods = [
  { team: 'red', name: 'red-web', labels: { tier: 'web', role: 'a' } },
  { team: 'red', name: 'red-db', labels: { tier: 'db' } },
  { team: 'blue', name: 'blue-web', labels: { tier: 'web', role: 'b' } },
  { team: 'blue', name: 'blue-none', labels: {} },
]

/** Makes the pods; their namespaces end with the stage. */
export async function createGeneratedNetwork(
  cluster: Cluster,
  stage: Stage,
  signal: AbortSignal,
): Promise<GeneratedNetwork> {
  const { kube } = cluster
  const team = `e2e-team-${cluster.runId}`
  const [image, host, red, blue] = await Promise.all([
    stage.image(),
    stage.outsideHost(),
    stage.namespace('red', { [team]: 'red' }),
    stage.namespace('blue', { [team]: 'blue' }),
  ])
  const peers = await Promise.all(
    pods.map((one) =>
      startPeer({
        cluster,
        namespace: (one.team === 'red' ? red : blue).name,
        name: one.name,
        image,
        labels: one.labels,
        ports,
        signal,
      }),
    ),
  )
  await host.findPods(
    peers.map(({ pod }) => pod),
    signal,
  )
  const { nowhere, beyond } = stage.addresses
  return {
    universe: {
      namespaces: [red.name, blue.name],
      namespaceLabels: { [team]: ['red', 'blue'], 'kubernetes.io/metadata.name': [red.name, 'kube-system'] },
      podLabels: labels,
      protocols: ['TCP', 'UDP'],
      ports: [53, 80, 443, 8080, 8081, 8090],
      portNames: ['http', 'admin', 'dns'],
      blocks: {
        '0.0.0.0/0': ['203.0.113.0/24', `${host.ip}/32`],
        [`${addressAt(`${host.ip}/24`, 0)}/24`]: [`${host.ip}/32`],
        '203.0.113.0/24': [`${nowhere}/32`],
        [`${addressAt(`${beyond}/16`, 0)}/16`]: [`${beyond}/32`],
      },
    },
    sources: [...peers.map(({ source }) => source), host.source],
    targets: targetsOf(peers, [nowhere, beyond]),
    world: (stop) => readWorld(kube, stop),
    async apply(policies, stop) {
      await kube.apply(policies.map(objectOf), { signal: stop, dryRun: 'skip' })
    },
    async clear(policies, stop) {
      await Promise.all(
        policies
          .map(objectOf)
          .map(({ apiVersion, kind, metadata: { name, namespace = '' } }) =>
            kube.delete({ apiVersion, kind, name, namespace }, { signal: stop, wait: true }),
          ),
      )
    },
  }
}

const objectOf = ({ metadata, spec }: NetworkPolicy): KubeObject => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { ...metadata },
  spec,
})

function targetsOf(peers: readonly Peer[], addresses: readonly string[]): GeneratedNetwork['targets'] {
  return [
    ...peers.flatMap(({ pod, source }) =>
      ports.map(({ containerPort, protocol = 'TCP' }) => ({
        name: `${source.name}${protocol === 'UDP' ? ' UDP' : ''}:${String(containerPort)}`,
        dial: {
          protocol: protocol === 'UDP' ? ('UDP' as const) : ('TCP' as const),
          address: pod.ip,
          port: containerPort,
        },
        end: pod.end,
      })),
    ),
    ...addresses.flatMap((address) => [
      ...[53, 80, 443].map((port) => ({
        name: `${address} ${String(port)}`,
        dial: { protocol: 'TCP' as const, address, port },
        end: addressEnd(address),
      })),
      {
        name: `${address} UDP 53`,
        dial: { protocol: 'UDP' as const, address, port: 53 },
        end: addressEnd(address),
      },
    ]),
  ]
}

/** Whom each source dials: the machine outside has the outside addresses itself. */
const dialled = (network: GeneratedNetwork, source: Source): GeneratedNetwork['targets'] =>
  network.targets.filter(({ end }) => source.end.kind === 'pod' || end.kind === 'pod')

const isOpen = (
  world: PolicyWorld,
  from: Source,
  { end, dial }: GeneratedNetwork['targets'][number],
): boolean => evaluate(world, { from: from.end, to: end, protocol: dial.protocol, port: dial.port }).open

/**
 * The first list of made-up policies under which between a quarter and three quarters of the squares are open; others would tell little.
 * @throws CheckBroke when there is none among many
 */
export function tellingPolicies(
  network: GeneratedNetwork,
  world: PolicyWorld,
  options: { seed: number; policies: number },
): NetworkPolicy[] {
  const telling = policiesFrom(network.universe, { ...options, lists: 200 }).find((policies) => {
    const both = { ...world, policies: [...world.policies, ...policies] }
    const squares = network.sources.flatMap((source) =>
      dialled(network, source).map((target) => isOpen(both, source, target)),
    )
    const share = squares.filter(Boolean).length / squares.length
    return share >= 0.25 && share <= 0.75
  })
  if (!telling) throw new CheckBroke('No list of generated policies tells anything.')
  return telling
}

/** Dials everything once and compares it with what the policies mean. Named ports and address blocks are those of the live objects. */
export async function compare(
  network: GeneratedNetwork,
  world: PolicyWorld,
  title: string,
  signal: AbortSignal,
): Promise<{ look: Look; matrix: MatrixRecord }> {
  const rows = await Promise.all(
    network.sources.map(async (source) => {
      const targets = dialled(network, source)
      const [seen = []] = await dialAll(
        source,
        targets.map(({ dial }) => dial),
        signal,
        { passes: 1, timeoutMs: 1_200 },
      )
      return targets.map((target, index) => {
        const expected = isOpen(world, source, target) ? ('open' as const) : ('closed' as const)
        const measured = seen[index] ?? 'nothing'
        return {
          row: source.name,
          column: target.name,
          expected,
          measured,
          ok: isAs(expected, measured, false),
        }
      })
    }),
  )
  const cells = rows.flat()
  const wrong = cells.filter(({ ok }) => !ok)
  return {
    look: {
      ok: wrong.length === 0,
      seen:
        `${String(cells.length - wrong.length)} of ${String(cells.length)} squares as computed` +
        wrong
          .slice(0, 6)
          .map(({ row, column, expected, measured }) => `; ${row} → ${column}: ${expected}, but ${measured}`)
          .join(''),
    },
    matrix: {
      title,
      rows: network.sources.map(({ name }) => name),
      columns: network.targets.map(({ name }) => name),
      cells,
    },
  }
}
