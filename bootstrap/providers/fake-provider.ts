import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { throwIfAborted } from '../process/run-command.ts'
import type { ClusterProvider, ClusterSpec, FoundCluster } from './provider.ts'

/** A provider whose clusters are entries of a map, for tests of what stands on it. */
export interface FakeProvider {
  readonly provider: ClusterProvider
  readonly clusters: Map<string, FoundCluster>
  /** Every call that changes something: "create lc", "load slate:local". */
  readonly calls: string[]
  /** Images by cluster and reference, as loaded. */
  readonly images: Map<string, string>
  /** Errors that a method throws, once each. */
  fail: Partial<Record<keyof ClusterProvider, LocalCloudError>>
  /** Called when a cluster has been made, started or deleted. */
  onChange: (name: string, what: 'created' | 'started' | 'deleted') => void
  lastSpec?: ClusterSpec
  /** What a program in a node prints. */
  answers: (node: string, argv: readonly string[]) => string
}

/** No clusters yet. */
export function fakeProvider(kind: ClusterProvider['kind'] = 'kind'): FakeProvider {
  const clusters = new Map<string, FoundCluster>()
  const calls: string[] = []
  const images = new Map<string, string>()
  const failing = (method: keyof ClusterProvider): void => {
    const error = fake.fail[method]
    if (!error) return
    Reflect.deleteProperty(fake.fail, method)
    throw error
  }
  const provider: ClusterProvider = {
    kind,
    async find(name, signal) {
      throwIfAborted(signal)
      failing('find')
      await Promise.resolve()
      return structuredClone(clusters.get(name))
    },
    list: () => Promise.resolve([...clusters.values()].map((cluster) => structuredClone(cluster))),
    async create(spec, run) {
      throwIfAborted(run.signal)
      await Promise.resolve()
      calls.push(`create ${spec.name}`)
      fake.lastSpec = spec
      if (clusters.has(spec.name)) {
        throw new LocalCloudError('COMMAND_FAILED', {
          message: `node(s) already exist for a cluster ${spec.name}`,
        })
      }
      const nodes = Array.from({ length: spec.nodes }, (_, index) => ({
        name:
          index === 0
            ? `${spec.name}-control-plane`
            : `${spec.name}-worker${index === 1 ? '' : String(index)}`,
        role: index === 0 ? ('control-plane' as const) : ('worker' as const),
        running: true,
      }))
      clusters.set(spec.name, { name: spec.name, owner: 'ours', complete: false, nodes })
      failing('create')
      clusters.set(spec.name, { name: spec.name, owner: 'ours', complete: true, nodes })
      fake.onChange(spec.name, 'created')
    },
    async kubeconfig(name) {
      await Promise.resolve()
      if (!clusters.has(name)) throw new LocalCloudError('NO_CLUSTER', { message: `no cluster ${name}` })
      return fakeKubeconfig(name)
    },
    async loadImages(name, list, run) {
      throwIfAborted(run.signal)
      failing('loadImages')
      await Promise.resolve()
      for (const image of list) {
        if (images.get(`${name} ${image.ref}`) === image.id) continue
        calls.push(`load ${image.ref}`)
        images.set(`${name} ${image.ref}`, image.id)
      }
    },
    async runInNode(node, argv, { signal }) {
      throwIfAborted(signal)
      failing('runInNode')
      calls.push(`in ${node}: ${argv.join(' ')}`)
      return Promise.resolve(fake.answers(node, argv))
    },
    async start(name, run) {
      throwIfAborted(run.signal)
      calls.push(`start ${name}`)
      failing('start')
      await Promise.resolve()
      for (const node of clusters.get(name)?.nodes ?? []) node.running = true
      fake.onChange(name, 'started')
    },
    async delete(name) {
      await Promise.resolve()
      calls.push(`delete ${name}`)
      failing('delete')
      clusters.delete(name)
      for (const key of images.keys()) if (key.startsWith(`${name} `)) images.delete(key)
      fake.onChange(name, 'deleted')
    },
    exportLogs: () => Promise.resolve(),
  }
  const fake: FakeProvider = {
    provider,
    clusters,
    calls,
    images,
    fail: {},
    onChange: () => undefined,
    answers: () => '',
  }
  return fake
}

/** A kubeconfig as kind writes it, with no real key. */
export const fakeKubeconfig = (name: string): string => `apiVersion: v1
kind: Config
clusters:
- cluster:
    server: https://127.0.0.1:6443
  name: kind-${name}
contexts:
- context:
    cluster: kind-${name}
    user: kind-${name}
  name: kind-${name}
current-context: kind-${name}
users:
- name: kind-${name}
  user:
    client-key-data: bm8gcmVhbCBrZXk=
`
