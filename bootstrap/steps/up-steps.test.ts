import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { readyStatus } from '../kube/fake-client.ts'
import { makePlan } from '../plan/plan.ts'
import { clusterFiles } from './cluster-files.ts'
import { fakeAddons, fakeSystem, fakeWorld, type FakeWorld } from './fake-world.ts'
import { appliedAnnotation } from './objects.ts'
import { observeSteps } from './run-steps.ts'
import { upSteps } from './up-steps.ts'

let world: FakeWorld
let home: string
const servers: Server[] = []

beforeEach(() => {
  world = fakeWorld(20_000 + Math.floor(Math.random() * 10_000))
  home = world.options.paths.repo
  vi.stubEnv('KUBECONFIG', join(home, 'user-kubeconfig'))
})
afterEach(() => {
  vi.unstubAllEnvs()
  world.dispose()
  for (const server of servers.splice(0)) server.close()
})

const failure = async (work: Promise<void>): Promise<LocalCloudError> => {
  const error: unknown = await work.then(
    () => new Error('nothing was thrown'),
    (thrown: unknown) => thrown,
  )
  if (error instanceof LocalCloudError) return error
  throw error
}
const versions = (): Record<string, string | undefined> =>
  Object.fromEntries(
    [...world.cluster.objects].map(([key, object]) => [key, object.metadata.resourceVersion]),
  )
const outcomes = (): Record<string, string> =>
  Object.fromEntries(
    world.events.flatMap((event) =>
      event.type === 'skipped' || event.type === 'succeeded' || event.type === 'failed'
        ? [[event.step, event.type]]
        : [],
    ),
  )
const forget = (): void => {
  world.events.length = 0
  world.log.length = 0
  world.cluster.changes.length = 0
  world.cluster.reads.length = 0
  world.provider.calls.length = 0
}
const listen = async (port: number): Promise<void> => {
  const server = createServer().listen(port, '127.0.0.1')
  servers.push(server)
  await new Promise((resolve) => server.once('listening', resolve))
}

describe('a first up', () => {
  it('makes, loads, applies and proves everything once, the network first', async () => {
    world.hasEngine = false
    await world.up()
    expect(world.provider.calls).toEqual(['create lc', 'load docker.io/library/slate:local'])
    const order = [...world.log, ...world.cluster.changes]
    expect(world.log.slice(0, 4)).toEqual([
      'install engine',
      'images from auto',
      'prepare images',
      'created lc',
    ])
    for (const addon of fakeAddons())
      expect(order.filter((entry) => entry === `probe ${addon.name}`)).toHaveLength(1)
    expect(world.log.indexOf('probe cilium')).toBeLessThan(world.log.indexOf('probe traefik'))
    const applied = world.cluster.changes.filter((change) => change.startsWith('apply Deployment'))
    expect(new Set(applied).size).toBe(applied.length)
    expect(applied[0]).toBe('apply Deployment kube-system/cilium')
    expect(world.cluster.objects.get('ConfigMap kube-system/local-cloud-plan')?.['data']).toMatchObject({
      complete: 'true',
      version: '0.1.0',
    })
  })

  it('keeps the kubeconfig for its owner, and the user’s as it is', async () => {
    writeFileSync(join(home, 'user-kubeconfig'), 'not even: [yaml')
    await world.up()
    const file = join(home, '.local-cloud', 'clusters', 'lc', 'kubeconfig')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readFileSync(join(home, 'user-kubeconfig'), 'utf8')).toBe('not even: [yaml')
  })

  it('merges into the user’s kubeconfig on request and takes it out again', async () => {
    await world.up({ mergeKubeconfig: true })
    expect(readFileSync(join(home, 'user-kubeconfig'), 'utf8')).toContain('current-context: kind-lc')
    forget()
    await world.up({ mergeKubeconfig: true })
    expect(Object.values(outcomes()).every((outcome) => outcome === 'skipped')).toBe(true)
    await world.up({ mergeKubeconfig: false })
    expect(existsSync(join(home, 'user-kubeconfig'))).toBe(false)
  })
})

describe('a second up', () => {
  it('changes nothing: no call, no resourceVersion, no probe, no registry asked, each kind listed once', async () => {
    await world.up()
    const before = versions()
    forget()
    await world.up()
    expect(versions()).toEqual(before)
    expect(world.cluster.changes).toEqual([])
    expect(world.provider.calls).toEqual([])
    expect(world.log).toEqual(['images from packages'])
    expect(Object.values(outcomes()).every((outcome) => outcome === 'skipped')).toBe(true)
    const lists = world.cluster.reads.filter((read) => read.startsWith('list'))
    expect(new Set(lists).size).toBe(lists.length)
    expect(world.cluster.reads.filter((read) => read.startsWith('get'))).toHaveLength(1)
  })

  it('repairs an object that somebody deleted, and nothing else', async () => {
    await world.up()
    forget()
    world.cluster.objects.delete('ConfigMap slate/settings')
    await world.up()
    expect(outcomes()['system']).toBe('succeeded')
    expect(Object.entries(outcomes()).filter(([, outcome]) => outcome === 'succeeded')).toHaveLength(1)
    expect(world.cluster.objects.has('ConfigMap slate/settings')).toBe(true)
  })

  it('applies an object anew that another version of it has replaced', async () => {
    await world.up()
    world.cluster.edit('ConfigMap slate/settings', (object) => {
      object['data'] = { a: 'other' }
      object.metadata.annotations = { [appliedAnnotation]: 'sha256:other' }
    })
    await world.up()
    expect(world.cluster.objects.get('ConfigMap slate/settings')?.['data']).toEqual({ a: '1' })
  })

  it('proves an add-on again that was applied but never proven', async () => {
    world.probes['traefik'] = { result: 'fail', seen: 'status 502' }
    expect(await failure(world.up())).toMatchObject({ code: 'PROBE_FAILED' })
    world.probes = {}
    forget()
    await world.up()
    expect(world.log).toContain('probe traefik')
    expect(world.log).not.toContain('probe cilium')
  })

  it('rolls out a newer build of an image that has the same name', async () => {
    await world.up()
    forget()
    world.images.observed = { state: 'partial', reason: 'slate:local is older than its source' }
    world.images.prepared.loadable = [
      { ref: 'docker.io/library/slate:local', archive: '/s.tar', id: 'sha256:2' },
    ]
    await world.up()
    expect(world.provider.calls).toEqual(['load docker.io/library/slate:local'])
    const template = world.cluster.objects.get('Deployment slate/dashboard')?.['spec'] as {
      template: { metadata: { annotations: Record<string, string> } }
    }
    expect(Object.values(template.template.metadata.annotations)).toEqual(['sha256:2'])
    expect(outcomes()['addon:cilium']).toBe('skipped')
  })
})

it('the source is asked for the images of the plan’s pods, by the first up and by one that keeps the source', async () => {
  const asked = (): string[] => [...(world.images.observedFor ?? [])]
  for (let round = 0; round < 2; round += 1) {
    delete world.images.observedFor
    await world.up()
    expect(asked()).toEqual(
      expect.arrayContaining(['docker.io/library/slate:local', 'docker.io/ollama/ollama:0.17.4']),
    )
  }
})

describe('a newer node image', () => {
  it('is refused while a cluster runs that was made of another, and nothing is applied', async () => {
    world.images.prepared.preloaded.push('quay.io/cilium/cilium:v1')
    await world.up()
    forget()
    world.images.observed = { state: 'partial', reason: 'the node image is to be assembled' }
    world.images.prepared.nodeImage = 'local-cloud/node:2'
    const error = await failure(world.up())
    expect(error.code).toBe('CHANGE_NEEDS_RECREATE')
    expect(error.message).toContain('local-cloud/node:1')
    expect(error.message).toContain('local-cloud/node:2')
    expect(error.hint).toContain('bootstrap/down')
    expect(world.provider.calls).toEqual([])
  })
})

describe('a change of options', () => {
  it('is refused when only a new cluster can take it, and nothing is touched', async () => {
    await world.up()
    forget()
    const error = await failure(world.up({ nodes: 2 }))
    expect(error.code).toBe('CHANGE_NEEDS_RECREATE')
    expect(error.message).toContain('nodes: 1 → 2')
    expect(error.hint).toContain('--recreate')
    expect(world.cluster.changes).toEqual([])
    expect(world.provider.calls).toEqual([])
    expect(world.log).toEqual([])
  })

  it('makes a new cluster with --recreate, saying so', async () => {
    await world.up()
    forget()
    await world.up({ nodes: 2, recreate: true })
    expect(world.provider.calls).toEqual(['delete lc', 'create lc', 'load docker.io/library/slate:local'])
    expect(world.events).toContainEqual(
      expect.objectContaining({
        type: 'notice',
        message: expect.stringContaining('deleted and made again') as string,
      }),
    )
    forget()
    await world.up({ nodes: 2, recreate: true })
    expect(world.provider.calls).toEqual([])
  })

  it('is made in place when it can be: changed, new and dropped objects', async () => {
    await world.up()
    forget()
    world.system = () => [
      ...fakeSystem().filter((object) => object.metadata.name !== 'settings'),
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'staging', namespace: 'slate' }, data: {} },
    ]
    await world.up({ environment: 'staging' })
    expect(world.cluster.objects.has('ConfigMap slate/settings')).toBe(false)
    expect(world.cluster.objects.has('ConfigMap slate/staging')).toBe(true)
    expect(world.provider.calls).toEqual([])
    forget()
    await world.up({ environment: 'staging' })
    expect(world.cluster.changes).toEqual([])
  })

  it('applies an object whose wished content changed', async () => {
    await world.up()
    world.system = () =>
      fakeSystem().map((object) => (object.kind === 'ConfigMap' ? { ...object, data: { a: '2' } } : object))
    await world.up()
    expect(world.cluster.objects.get('ConfigMap slate/settings')?.['data']).toEqual({ a: '2' })
  })

  it('puts several systems on the cluster, and takes away the one that is no longer wanted', async () => {
    const zones = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'zones' } }
    world.system = (name) => (name === 'slate' ? fakeSystem() : [zones])
    await world.up({ system: 'slate,zones' })
    const there = (): string[] =>
      ['Namespace slate', 'Namespace zones'].filter((key) => world.cluster.objects.has(key))
    expect(there()).toEqual(['Namespace slate', 'Namespace zones'])
    forget()
    await world.up({ system: 'slate,zones' })
    expect(world.cluster.changes).toEqual([])
    await world.up({ system: 'slate' })
    expect(there()).toEqual(['Namespace slate'])
    await world.up({ system: 'zones' })
    expect(there()).toEqual(['Namespace zones'])
    expect((await clusterFiles(world.options.paths, world.options.name).plan())?.systems).toEqual([
      { name: 'zones', environment: 'local' },
    ])
  })

  it('removes a system and an add-on that are no longer wanted', async () => {
    await world.up()
    world.addons = fakeAddons().filter((addon) => addon.name !== 'metrics-server')
    world.system = () => []
    await world.up({ system: 'none' })
    expect([...world.cluster.objects.keys()].filter((key) => key.includes('slate'))).toEqual([])
    expect(world.cluster.objects.has('Deployment kube-system/metrics-server')).toBe(false)
    expect(world.cluster.objects.has('Deployment kube-system/traefik')).toBe(true)
    forget()
    await world.up({ system: 'none' })
    expect(world.cluster.changes).toEqual([])
  })
})

describe('what is in the way', () => {
  it('a taken port is found before anything is made or installed', async () => {
    world.hasEngine = false
    await listen(world.options.httpsPort)
    const error = await failure(world.up())
    expect(error.code).toBe('PORT_TAKEN')
    expect(error.message).toContain(`Port ${String(world.options.httpsPort)} on 127.0.0.1 is in use by`)
    expect(error.message).toContain(`process ${String(process.pid)}`)
    expect(error.hint).toContain('--https-port')
    expect(world.log).toEqual([])
    expect(world.provider.calls).toEqual([])
  })

  it('ports that our own cluster holds are fine', async () => {
    await world.up()
    await listen(world.options.httpPort)
    forget()
    await world.up()
    expect(outcomes()['ports']).toBe('skipped')
  })

  it('a cluster of that name that is not ours is never touched', async () => {
    world.provider.clusters.set('lc', {
      name: 'lc',
      owner: 'foreign',
      nodes: [{ name: 'lc-control-plane', role: 'control-plane', running: false }],
    })
    const error = await failure(world.up({ recreate: true }))
    expect(error.code).toBe('FOREIGN_CLUSTER')
    expect(world.provider.calls).toEqual([])
    expect(world.log).toEqual([])
  })

  it('a manifest that does not validate stops up before anything is applied or built', async () => {
    world.system = async () => {
      await new Promise((resolve) => setTimeout(resolve, 50))
      throw new LocalCloudError('MANIFEST_INVALID', {
        message: 'deployment.yaml, document 1, spec.replicas: not a number',
      })
    }
    expect(await failure(world.up())).toMatchObject({ code: 'MANIFEST_INVALID' })
    expect(world.provider.calls).toEqual([])
    expect(world.log).not.toContain('prepare images')
    expect(world.cluster.changes).toEqual([])
  })

  it('a workload that never gets ready is named with its reason, within its deadline', async () => {
    world.cluster.status = (object) => (object.metadata.name === 'ollama' ? stuck : readyStatus(object))
    const started = Date.now()
    const error = await failure(world.up({ timeoutMs: 4_500 }))
    expect(error.code).toBe('WAIT_TIMEOUT')
    expect(error.message).toContain('Deployment slate/ollama is not ready: 0 of 1 replicas')
    expect(error.evidence).toContain('last log line: cannot open model')
    expect(Date.now() - started).toBeLessThan(4_500)
    expect(world.events).toContainEqual(
      expect.objectContaining({
        type: 'progress',
        step: 'system',
        message: '2 of 3 ready: waiting for ollama (0 of 1 replicas available)',
      }),
    )
  })
})

const stuck = { observedGeneration: 1, replicas: 1, updatedReplicas: 1, availableReplicas: 0 }

describe('an interrupted up', () => {
  const ids = [
    'manifests',
    'fit',
    'engine',
    'existing',
    'ports',
    'image-supply',
    'images',
    'provider-tools',
    'cluster',
    'load-images',
    'prune',
    'addon:cilium',
    'addon:coredns',
    'addon:local-path',
    'addon:metrics-server',
    'addon:traefik',
    'system',
    'merge-kubeconfig',
    'record-plan',
  ]

  it.each(ids)('at the start of %s is completed by the next', async (id) => {
    world.hasEngine = false
    const controller = new AbortController()
    const push = world.events.push.bind(world.events)
    world.events.push = (...events) => {
      if (events.some((event) => event.type === 'started' && event.step === id)) {
        controller.abort(new LocalCloudError('INTERRUPTED', { message: 'Stopped by SIGINT.' }))
      }
      return push(...events)
    }
    expect(await failure(world.up({}, controller.signal))).toMatchObject({
      code: 'INTERRUPTED',
      exitCode: 130,
    })
    await world.up()
    expect(world.provider.calls.filter((call) => call === 'create lc')).toHaveLength(1)
    forget()
    await world.up()
    expect(world.cluster.changes).toEqual([])
  })

  it.each(Array.from({ length: 24 }, (_, index) => index + 1))(
    'after change %i of the cluster is completed by the next, which proves what was not proven',
    async (count) => {
      const controller = new AbortController()
      const push = world.cluster.changes.push.bind(world.cluster.changes)
      world.cluster.changes.push = (...changes) => {
        const length = push(...changes)
        if (length >= count)
          controller.abort(new LocalCloudError('INTERRUPTED', { message: 'Stopped by SIGINT.' }))
        return length
      }
      await world.up({}, controller.signal).catch(() => undefined)
      world.cluster.changes.push = push
      await world.up()
      expect(world.provider.calls.filter((call) => call === 'create lc')).toHaveLength(1)
      for (const addon of fakeAddons()) expect(world.log).toContain(`probe ${addon.name}`)
      forget()
      await world.up()
      expect(world.cluster.changes).toHaveLength(0)
      expect(Object.values(outcomes()).every((outcome) => outcome === 'skipped')).toBe(true)
    },
  )

  it('in the middle of making the cluster leaves a half-made one that is deleted and made again', async () => {
    world.provider.fail.create = new LocalCloudError('INTERRUPTED', { message: 'Stopped by SIGINT.' })
    await failure(world.up())
    expect(world.provider.clusters.has('lc')).toBe(true)
    world.cluster.answers = true
    forget()
    await world.up()
    expect(world.provider.calls.slice(0, 2)).toEqual(['delete lc', 'create lc'])
    expect(world.events).toContainEqual(
      expect.objectContaining({
        type: 'notice',
        message: expect.stringContaining('its creation was interrupted') as string,
      }),
    )
  })
})

describe('a cluster that died', () => {
  const stop = (): void => {
    for (const node of world.provider.clusters.get('lc')?.nodes ?? []) node.running = false
    world.cluster.answers = false
  }

  it('is started again, and its content is kept and proven again', async () => {
    await world.up()
    const before = versions()
    stop()
    forget()
    await world.up()
    expect(world.provider.calls).toEqual(['start lc'])
    expect(versions()).toEqual(before)
    for (const addon of fakeAddons()) expect(world.log).toContain(`probe ${addon.name}`)
  })

  it('is made again, saying so, when it cannot be repaired', async () => {
    await world.up()
    stop()
    world.provider.fail.start = new LocalCloudError('COMMAND_FAILED', { message: 'etcd data is corrupt.' })
    forget()
    await world.up()
    expect(world.provider.calls).toEqual([
      'start lc',
      'delete lc',
      'create lc',
      'load docker.io/library/slate:local',
    ])
    expect(world.events).toContainEqual(
      expect.objectContaining({
        type: 'notice',
        message: expect.stringContaining('etcd data is corrupt') as string,
      }),
    )
  })

  it('is made again when a node is missing', async () => {
    await world.up({ nodes: 2 })
    world.provider.clusters.get('lc')?.nodes.pop()
    forget()
    await world.up({ nodes: 2 })
    expect(world.provider.calls.slice(0, 2)).toEqual(['delete lc', 'create lc'])
  })

  it('is not deleted because of Ctrl-C while it is being started', async () => {
    await world.up()
    stop()
    const controller = new AbortController()
    world.provider.provider.start = () => {
      controller.abort(new LocalCloudError('INTERRUPTED', { message: 'Stopped by SIGINT.' }))
      return Promise.reject(new LocalCloudError('INTERRUPTED', { message: 'stopped' }))
    }
    forget()
    expect(await failure(world.up({}, controller.signal))).toMatchObject({ code: 'INTERRUPTED' })
    expect(world.provider.calls).toEqual([])
  })
})

describe('a dry run', () => {
  it('shows the state of every step and changes nothing', async () => {
    const look = async (): Promise<Record<string, string>> => {
      const { options, addons } = world
      const plan = makePlan(options, { addons, kubeadmPatches: [] })
      const { steps } = upSteps(world.session(), options, plan, addons, '0.1.0')
      const rows = await observeSteps(steps, { emit: () => undefined, signal: new AbortController().signal })
      return Object.fromEntries(rows.map((row) => [row.id, row.state]))
    }
    world.hasEngine = false
    expect(await look()).toMatchObject({
      engine: 'absent',
      cluster: 'absent',
      manifests: 'done',
      system: 'absent',
    })
    expect(world.log).toEqual([])
    await world.up()
    forget()
    expect(Object.values(await look()).every((state) => state === 'done')).toBe(true)
    expect(world.cluster.changes).toEqual([])
  })
})
