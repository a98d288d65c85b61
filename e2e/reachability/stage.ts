import { randomInt } from 'node:crypto'
import { threadId } from 'node:worker_threads'
import type { Engine } from '../../bootstrap/engine/engine.ts'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import type { Contract } from '../../manifests/slate/contract.ts'
import type { Cluster } from '../harness/cluster.ts'
import { engineHere } from '../harness/engine-here.ts'
import { createNamespace, type TestNamespace } from '../harness/namespace.ts'
import { slateObjects } from '../harness/slate-objects.ts'
import { CheckBroke } from '../harness/verdict.ts'
import { addressAt, blockSize } from './cidr.ts'
import type { AddressEnd } from './ends.ts'
import type { Target } from './matrix.ts'
import type { outsidePorts } from './outside-host.ts'
import { startOutsideHost, type OutsideHost } from './outside-host.ts'
import { startPeer, type Peer } from './peer-pod.ts'
import { readSlateNetwork, type SlateNetwork } from './slate-network.ts'
import { livePods, type LivePod, type Source } from './source.ts'
import { statedBlocks } from './stated.ts'

/** How long the things that several tests share may take to be made, milliseconds. */
const makingMs = 120_000

/** Addresses of the world that the machine outside the cluster has, and what each stands for. */
export interface OutsideAddresses {
  /** One in each of the blocks that the specification lets SLATE's own services reach. */
  github: string[]
  /** One in each private range, where the specification looks for the API server. */
  private: string[]
  /** Just behind the first of GitHub's blocks. */
  beyond: string
  /** In a range that belongs to nobody (TEST-NET-3, RFC 5737). */
  nowhere: string
}

/** What the tests of reachability share; each thing is made when it is first asked for, once. */
export interface Stage extends AsyncDisposable {
  addresses: OutsideAddresses
  /** SLATE as it is now. */
  network(signal: AbortSignal): Promise<SlateNetwork>
  /** SLATE as its manifests are rendered. */
  objects(): Promise<KubeObject[]>
  engine(): Promise<Engine>
  /**
   * A pod in a namespace of its own that no policy concerns. It and its namespace carry every label by which SLATE's policies know
   * somebody, but for the name of the namespace.
   */
  outsider(): Promise<Peer>
  outsideHost(): Promise<OutsideHost>
  /** An image with the client that is in the nodes: SLATE's own. */
  image(): Promise<string>
  /** A namespace, and its end with the stage. */
  namespace(purpose: string, labels?: Record<string, string>): Promise<TestNamespace>
  /** Puts something to be removed at the end. */
  keep<T extends AsyncDisposable>(one: T): T
}

export function createStage(cluster: Cluster, contract: Contract): Stage {
  const stack = new AsyncDisposableStack()
  const { kube, runId, paths } = cluster
  const addresses = outsideAddresses(contract)
  const once = <T>(make: (signal: AbortSignal) => Promise<T>): (() => Promise<T>) => {
    let made: Promise<T> | undefined
    return () => (made ??= make(AbortSignal.timeout(makingMs)))
  }
  const network = (signal: AbortSignal) => readSlateNetwork(cluster, contract, signal)
  const image = once(async (signal) => {
    const pods = livePods(
      await kube.list({ apiVersion: 'v1', kind: 'Pod', namespace: contract.namespace.name }, signal),
    )
    const own = new Set(contract.deployments.flatMap((row) => (row.image === undefined ? [row.name] : [])))
    const pod = pods.find(({ container }) => own.has(container))
    if (!pod) throw new CheckBroke('No pod of SLATE runs whose image the peers could use.')
    return pod.image
  })
  const namespace = async (purpose: string, labels: Record<string, string> = {}): Promise<TestNamespace> =>
    stack.use(await createNamespace({ kube, runId, purpose, labels, signal: AbortSignal.timeout(makingMs) }))
  const engine = once((signal) => engineHere(paths, signal))
  return {
    addresses,
    network,
    engine,
    image,
    namespace,
    objects: once((signal) => slateObjects(cluster, signal)),
    outsider: once(async (signal) => {
      const { partOf } = contract.podLabels
      const space = await namespace('elsewhere', {
        name: 'ingress-nginx',
        'app.kubernetes.io/name': contract.namespace.name,
        'app.kubernetes.io/part-of': partOf,
      })
      return startPeer({
        cluster,
        namespace: space.name,
        name: 'pod-elsewhere',
        image: await image(),
        labels: {
          'app.kubernetes.io/component': 'dashboard',
          'app.kubernetes.io/name': 'slate-dashboard',
          'app.kubernetes.io/part-of': partOf,
          'k8s-app': 'kube-dns',
        },
        ports: [
          { containerPort: 8080 },
          { containerPort: 443 },
          { containerPort: 53 },
          { containerPort: 53, protocol: 'UDP' },
        ],
        signal,
      })
    }),
    outsideHost: once(async (signal) =>
      stack.use(
        await startOutsideHost({
          cluster,
          engine: await engine(),
          addresses: [...addresses.github, ...addresses.private, addresses.beyond, addresses.nowhere],
          signal,
        }),
      ),
    ),
    keep: (one) => stack.use(one),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** From 1 to 240, by chance, and no two alike in the workers of one run: each has sixteen numbers of its own. */
const ownNumber = (): number => (threadId % 15) * 16 + randomInt(1, 17)

/** Addresses within and beside the stated blocks, by chance, so that two runs on one cluster do not meet. */
function outsideAddresses(contract: Contract): OutsideAddresses {
  const within = (cidr: string): string => addressAt(cidr, randomInt(1, blockSize(cidr) - 1))
  const github = statedBlocks(contract, 'allow-github-egress')
  const first = github[0] ?? ''
  return {
    github: github.map(within),
    // High in each range, where clusters and machines seldom are.
    private: statedBlocks(contract, 'allow-api-server-egress').map((cidr) =>
      addressAt(cidr, -randomInt(2, 60_000)),
    ),
    beyond: addressAt(first, blockSize(first) + ownNumber()),
    nowhere: addressAt('203.0.113.0/24', ownNumber()),
  }
}

export const addressEnd = (ip: string): AddressEnd => ({ kind: 'address', ip })

/** A port of the machine outside the cluster. */
export function outsideTarget(
  address: string,
  port: (typeof outsidePorts)[number],
  witness: Source,
  protocol: 'TCP' | 'UDP' = 'TCP',
): Target {
  const end = addressEnd(address)
  return {
    name: `${address} ${protocol === 'TCP' ? '' : 'UDP '}${String(port)}`,
    dial: { protocol, address, port },
    ends: [{ end, port }],
    stated: { end, port },
    witness,
  }
}

/** A port of a pod that is none of SLATE's; `deaf` where it does not listen. */
export function podTarget(
  pod: LivePod,
  port: number,
  options: { name: string; witness: Source; protocol?: 'TCP' | 'UDP'; deaf?: boolean },
): Target {
  const { name, witness, protocol = 'TCP', deaf = false } = options
  return {
    name: `${name}${protocol === 'TCP' ? '' : ' UDP'}:${String(port)}`,
    dial: { protocol, address: pod.ip, port },
    ends: [{ end: pod.end, port }],
    stated: { end: pod.end, port },
    witness,
    deaf,
  }
}
