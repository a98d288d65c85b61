import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { LocalCloudError } from '../../errors/local-cloud-error.ts'
import { marksOf } from '../../existing/ours.ts'
import type { KubeObject } from '../../kube/client.ts'
import { containersOf, podTemplateOf, type PodTemplate } from '../../manifests/pod-template.ts'
import { fakeKubeconfig } from '../../providers/fake-provider.ts'
import { fakeSystem, fakeWorld, type FakeWorld } from '../fake-world.ts'

let world: FakeWorld
let userFile: string
/** Everything that others have on the cluster. */
let theirs: Map<string, KubeObject>

const noPod: PodTemplate = { path: '', labels: {}, spec: {}, claims: [] }
const busybox = 'docker.io/library/busybox:1.35.0'
const images = ['docker.io/library/slate:local', 'docker.io/ollama/ollama:0.17.4', busybox]
const node = (name: string, names: string[]): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels: {} },
  spec: {},
  status: {
    conditions: [{ type: 'Ready', status: 'True' }],
    images: names.map((one) => ({ names: [one] })),
    allocatable: { cpu: '4', memory: '8Gi' },
  },
})
const storageClass: KubeObject = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name: 'fast', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
  provisioner: 'example.com/disk',
}
const namespace = (name: string, labels: Record<string, string> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels },
})
const network = (image = 'quay.io/cilium/cilium:v1'): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'cilium', namespace: 'kube-system' },
  spec: { template: { spec: { containers: [{ image }] } } },
})
const put = (...objects: KubeObject[]): void => {
  for (const object of objects) {
    const { namespace: within, name } = object.metadata
    world.cluster.objects.set(
      `${object.kind} ${within === undefined ? '' : `${within}/`}${name}`,
      structuredClone(object),
    )
  }
}

beforeEach(() => {
  world = fakeWorld()
  const home = world.options.paths.repo
  userFile = join(home, 'user-kubeconfig')
  writeFileSync(userFile, fakeKubeconfig('staging'))
  vi.stubEnv('KUBECONFIG', userFile)
  world.hasEngine = false
  world.tools.findEngine = () => Promise.reject(new Error('the engine was asked'))
  world.tools.provider = () => Promise.reject(new Error('the provider was asked'))
  Object.assign(world.options, { provider: 'existing', context: 'kind-staging', addons: [] })
  world.cluster.answers = true
  put(
    node('a', images),
    node('b', images),
    storageClass,
    network(),
    namespace('default'),
    namespace('kube-system'),
    namespace('theirs'),
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x', namespace: 'theirs' }, data: { a: '1' } },
  )
  theirs = new Map([...world.cluster.objects].map(([key, object]) => [key, structuredClone(object)]))
})
afterEach(() => {
  // Whatever happened: nothing of others was written to.
  for (const [key, object] of theirs) expect(world.cluster.objects.get(key), key).toEqual(object)
  vi.unstubAllEnvs()
  world.dispose()
})

const failure = async (work: Promise<void>): Promise<LocalCloudError> => {
  const error: unknown = await work.then(
    () => new Error('nothing was thrown'),
    (thrown: unknown) => thrown,
  )
  if (error instanceof LocalCloudError) return error
  throw error
}
const made = (): string[] => [...world.cluster.objects.keys()].filter((key) => !theirs.has(key)).sort()
const policy: KubeObject = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'deny', namespace: 'slate' },
}
/** The system with pods in gVisor. */
const sandboxed = (): KubeObject[] => {
  const objects = fakeSystem()
  for (const object of objects) {
    const template = podTemplateOf(object)
    if (template) template.spec.runtimeClassName = 'gvisor'
  }
  return objects
}
const notices = (): string =>
  world.events.map((event) => (event.type === 'notice' ? event.message : '')).join('\n')
const folder = (): string => join(world.options.paths.stateDir, 'clusters', 'lc')

describe('up on an existing cluster', () => {
  it('puts the system there with our labels, a record in a namespace of its own, and asks no engine', async () => {
    await world.up()
    expect(made()).toEqual([
      'ConfigMap local-cloud-lc/local-cloud-plan',
      'ConfigMap slate/settings',
      'Deployment slate/dashboard',
      'Deployment slate/ollama',
      'Namespace local-cloud-lc',
      'Namespace slate',
      'PersistentVolumeClaim slate/data',
    ])
    for (const key of made())
      expect(world.cluster.objects.get(key)?.metadata.labels, key).toMatchObject(marksOf('lc'))
    expect(world.cluster.objects.get('ConfigMap local-cloud-lc/local-cloud-plan')?.['data']).toMatchObject({
      complete: 'true',
    })
    expect(world.log.filter((entry) => !entry.startsWith('ask'))).toEqual([])
    expect(notices()).toMatch(/storage +present +StorageClass fast/)
  })

  it('takes the RuntimeClass that its owner provides', async () => {
    world.runtimeClasses = ['gvisor']
    world.system = sandboxed
    const owners = {
      apiVersion: 'node.k8s.io/v1',
      kind: 'RuntimeClass',
      metadata: { name: 'gvisor' },
      handler: 'x',
    }
    put(owners)
    theirs.set('RuntimeClass gvisor', owners)
    await world.up()
    expect(made()).toContain('Deployment slate/ollama')
  })

  it('keeps a kubeconfig of that context only, for its owner, and leaves the user’s as it is', async () => {
    const before = readFileSync(userFile, 'utf8')
    await world.up()
    expect(readFileSync(userFile, 'utf8')).toBe(before)
    expect(readFileSync(join(folder(), 'kubeconfig'), 'utf8')).toContain('current-context: kind-staging')
    expect(statSync(join(folder(), 'kubeconfig')).mode & 0o777).toBe(0o600)
  })

  it('changes nothing the second time, without any flag that names the cluster', async () => {
    await world.up()
    world.cluster.changes.length = 0
    world.events.length = 0
    Reflect.deleteProperty(world.options, 'context')
    await world.up()
    expect(world.cluster.changes).toEqual([])
    const outcomes = world.events.flatMap((event) =>
      event.type === 'skipped' || event.type === 'succeeded' || event.type === 'failed' ? [event.type] : [],
    )
    expect(new Set(outcomes)).toEqual(new Set(['skipped']))
  })

  it('puts there what has changed, takes away what is no longer wanted, and nothing that only has its name', async () => {
    world.system = () => [
      ...fakeSystem(),
      { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: 'gone' } },
      { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: 'taken-over' } },
    ]
    await world.up()
    // Somebody has made it anew: it is theirs now.
    put({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: 'taken-over' } })
    world.system = fakeSystem
    await world.up()
    expect(made()).toContain('ClusterRole taken-over')
    expect(made()).not.toContain('ClusterRole gone')
  })
})

describe('refused before anything is changed', () => {
  afterEach(() => {
    expect(made()).toEqual([])
    expect(world.cluster.changes).toEqual([])
    expect(existsSync(folder())).toBe(false)
  })
  const refused = async (code: string, changed = {}): Promise<LocalCloudError> => {
    const error = await failure(world.up(changed))
    expect(error.code).toBe(code)
    return error
  }

  it('an unknown context, with those that there are', async () => {
    expect((await refused('BAD_VALUE', { context: 'prod' })).hint).toBe('There are: kind-staging.')
  })

  it('a namespace that is there and not ours', async () => {
    put(namespace('slate'))
    theirs.set('Namespace slate', namespace('slate'))
    const error = await refused('FOREIGN_OBJECTS')
    expect(error.message).toBe('Namespace slate is there and is not ours; nothing was changed.')
    expect(error.evidence.join('\n')).toContain(
      'kubectl --context kind-staging label namespace slate io.local-cloud.managed=true io.local-cloud.cluster=lc',
    )
  })

  it('a namespace that is ours under another name', async () => {
    put(namespace('slate', marksOf('other')))
    theirs.set('Namespace slate', namespace('slate', marksOf('other')))
    await refused('FOREIGN_OBJECTS')
  })

  it('a claim for which there is no class', async () => {
    world.cluster.objects.delete('StorageClass fast')
    theirs.delete('StorageClass fast')
    const error = await refused('CAPABILITY_MISSING')
    expect(error.hint).toContain('--addons local-path')
  })

  it('an image that nobody can be seen to have', async () => {
    for (const name of ['a', 'b']) {
      put(node(name, [busybox]))
      theirs.set(`Node ${name}`, node(name, [busybox]))
    }
    const error = await refused('IMAGE_NOT_SUPPLIED')
    expect(error.evidence.join('\n')).toMatch(/slate:local.* 0 of 2 nodes have it; it cannot be reached/)
    expect(world.log).toContain('ask registries for 2 images')
  })

  it('an add-on that is there from somebody else', async () => {
    expect((await refused('FOREIGN_ADDON', { addons: ['local-path'] })).message).toContain('local-path')
  })

  it('an add-on for clusters of ours only', async () => {
    expect((await refused('BAD_VALUE', { addons: ['cilium'] })).message).toContain(
      'it fits only clusters that are made here',
    )
  })

  it('a RuntimeClass that its owner does not provide, also when the system names it in its file', async () => {
    world.runtimeClasses = ['gvisor']
    world.system = sandboxed
    const error = await refused('RUNTIME_CLASS_MISSING')
    expect(error.hint).toContain('Have the owner of the cluster provide the RuntimeClass gvisor')
  })

  it('a system for which others leave no room', async () => {
    const busy: KubeObject = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'busy', namespace: 'theirs' },
      spec: { nodeName: 'a', containers: [{ resources: { requests: { cpu: '8' } } }] },
      status: { phase: 'Running' },
    }
    put(busy)
    theirs.set('Pod theirs/busy', busy)
    world.system = () => {
      const objects = fakeSystem()
      for (const object of objects)
        for (const { container } of containersOf(podTemplateOf(object) ?? noPod))
          container.resources = { requests: { cpu: '1' } }
      return objects
    }
    const error = await refused('SYSTEM_DOES_NOT_FIT')
    expect(error.evidence.join('\n')).toContain('pods of others 8 cores')
    expect(error.evidence.join('\n')).toContain('the nodes that take pods have 8 cores')
  })

  it('a cluster that does not answer', async () => {
    world.cluster.answers = false
    await refused('API_UNREACHABLE')
  })
})

describe('images', () => {
  it('are taken for pulled where the user says so, and where a registry answers for them', async () => {
    put(node('a', []), node('b', []))
    for (const name of ['a', 'b']) theirs.set(`Node ${name}`, node(name, []))
    await world.up({ images: { kind: 'registry' } })
    expect(world.log).not.toContain('ask registries for 2 images')
    expect(made()).toContain('Deployment slate/dashboard')
  })

  it('that run are not asked about again', async () => {
    put(node('a', []), node('b', []))
    for (const name of ['a', 'b']) theirs.set(`Node ${name}`, node(name, []))
    world.registry = { available: true }
    await world.up()
    expect(world.log.filter((entry) => entry.startsWith('ask'))).toHaveLength(1)
    await world.up()
    expect(world.log.filter((entry) => entry.startsWith('ask'))).toHaveLength(1)
  })
})

describe('a volume that is a folder of a node', () => {
  it('is told, for nobody removes the folder', async () => {
    world.system = () => [
      ...fakeSystem(),
      {
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: { name: 'workspace' },
        spec: { hostPath: { path: '/var/lib/workspace' } },
      },
    ]
    await world.up()
    expect(notices()).toContain('PersistentVolume workspace (/var/lib/workspace) is a folder of a node')
  })
})

describe('whether policies are enforced', () => {
  beforeEach(() => {
    world.system = () => [...fakeSystem(), policy]
  })

  it('is tried once, before the first object is made', async () => {
    world.tools.probe = (addon, { labels, theirs: foreign }) => {
      world.log.push(`probe ${addon.name}`)
      expect({ labels, foreign, made: made() }).toEqual({ labels: marksOf('lc'), foreign: true, made: [] })
      return Promise.resolve({ result: 'pass', seen: 'silenced' })
    }
    await world.up()
    expect(notices()).toMatch(/network policy +present +Cilium.*; seen to enforce/)
    await world.up()
    expect(world.log.filter((entry) => entry === 'probe cilium')).toHaveLength(1)
  })

  it('is tried again when the network is another', async () => {
    await world.up()
    put(network('docker.io/calico/node:v3'))
    theirs.set('DaemonSet kube-system/cilium', network('docker.io/calico/node:v3'))
    await world.up()
    expect(world.log.filter((entry) => entry === 'probe cilium')).toHaveLength(2)
  })

  it('is told as a warning when they are not, and stays known', async () => {
    world.probes['cilium'] = { result: 'fail', seen: 'the server still answered' }
    await world.up()
    expect(notices()).toContain('1 NetworkPolicies have no effect.')
    world.cluster.changes.length = 0
    await world.up()
    expect(world.cluster.changes).toEqual([])
    expect(world.log.filter((entry) => entry === 'probe cilium')).toHaveLength(1)
  })

  it('is unknown where there is no image to try it with', async () => {
    const without = images.filter((image) => image !== busybox)
    for (const name of ['a', 'b']) {
      put(node(name, without))
      theirs.set(`Node ${name}`, node(name, without))
    }
    await world.up()
    expect(world.log).not.toContain('probe cilium')
    expect(notices()).toMatch(/network policy +present +Cilium \(DaemonSet kube-system\/cilium\)$/m)
  })
})

describe('an add-on that is asked for', () => {
  it('is installed, and goes when it is no longer asked for', async () => {
    await world.up({ addons: ['metrics-server'], images: { kind: 'registry' } })
    expect(made()).toContain('Deployment kube-system/metrics-server')
    expect(made().filter((key) => key.includes('kube-system'))).toEqual([
      'Deployment kube-system/metrics-server',
    ])
    await world.up({ addons: [] })
    expect(made().filter((key) => key.includes('kube-system'))).toEqual([])
  })
})

describe('a name', () => {
  it('is on one cluster, whatever its context is called', async () => {
    await world.up()
    const moved = join(world.options.paths.repo, 'other-kubeconfig')
    const text = fakeKubeconfig('renamed')
    writeFileSync(moved, text)
    const changed = { context: 'kind-renamed', kubeconfig: moved }
    await world.up(changed)
    writeFileSync(moved, text.replace('127.0.0.1:6443', '192.0.2.1:6443'))
    const error = await failure(world.up(changed))
    expect(error).toMatchObject({
      code: 'CHANGE_NEEDS_RECREATE',
      message:
        'lc is on the cluster of context kind-renamed, and the context kind-renamed leads to another one.',
    })
  })

  it('stands for one cluster, made here or existing', async () => {
    await world.up()
    const { requireSameOrigin } = await import('./access.ts')
    const { paths } = world.options
    await requireSameOrigin(paths, { name: 'lc', provider: 'existing' })
    await expect(requireSameOrigin(paths, { name: 'lc', provider: 'k3s' })).rejects.toMatchObject({
      code: 'CHANGE_NEEDS_RECREATE',
      hint: 'Choose another --name, or remove that first: bootstrap/down --name lc',
    })
    await requireSameOrigin(paths, { name: 'other', provider: 'k3s' })
  })
})
