import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { KubeObject } from '../kube/client.ts'
import type { UpOptions } from '../plan/options.ts'
import { fakeSystem, fakeWorld, type FakeWorld } from './fake-world.ts'

let world: FakeWorld
beforeEach(() => {
  world = fakeWorld(20_000 + Math.floor(Math.random() * 10_000))
  vi.stubEnv('KUBECONFIG', join(world.options.paths.repo, 'user-kubeconfig'))
})
afterEach(() => {
  vi.unstubAllEnvs()
  world.dispose()
})

const failure = async (changed: Partial<UpOptions> = {}): Promise<LocalCloudError> => {
  const error: unknown = await world.up(changed).then(
    () => new Error('nothing was thrown'),
    (thrown: unknown) => thrown,
  )
  if (error instanceof LocalCloudError) return error
  throw error
}
/** Nothing was installed, built, made or applied. */
const expectUntouched = (): void => {
  expect(world.log.filter((entry) => !entry.startsWith('images from'))).toEqual([])
  expect(world.provider.calls).toEqual([])
  expect(world.cluster.changes).toEqual([])
}
const notices = (): string[] =>
  world.events.flatMap((event) => (event.type === 'notice' ? [event.message] : []))
const pod = (name: string, container: object, spec: object = {}): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace: 'slate' },
  spec: {
    replicas: 1,
    template: { spec: { ...spec, containers: [{ name, image: 'slate:local', ...container }] } },
  },
})
const gpu = pod('gpu', { resources: { limits: { 'nvidia.com/gpu': 1 } } })
const withToken = pod('bridge', {
  env: [{ name: 'T', valueFrom: { secretKeyRef: { name: 'github', key: 'token' } } }],
})
const add = (...objects: KubeObject[]): void => {
  world.system = () => [...fakeSystem(), ...objects]
}

describe('a system that does not fit', () => {
  it('is refused before even an engine is installed, with what is missing', async () => {
    world.hasEngine = false
    add(gpu, pod('large', { resources: { requests: { cpu: '64', memory: '1Ti' } } }))
    const error = await failure({ environment: 'staging' })
    expect(error).toMatchObject({ code: 'SYSTEM_DOES_NOT_FIT', exitCode: 3 })
    expect(error.message).toBe('slate/staging asks for what is not here; nothing was changed.')
    expect(error.evidence[0]).toMatch(/^Deployment slate\/gpu +nvidia.com\/gpu: 1 +no node has any$/)
    expect(error.evidence.join('\n')).toContain('the machine has 2 cores')
    expect(error.hint).toContain('npm run slate:diff -- --overlay staging')
    expectUntouched()
  })

  it('fits when a node of the running cluster has the device', async () => {
    await world.up()
    world.cluster.objects.set('Node lc-control-plane', {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'lc-control-plane' },
      status: { allocatable: { 'nvidia.com/gpu': '1' } },
    })
    add(gpu)
    await world.up()
    expect(world.cluster.objects.has('Deployment slate/gpu')).toBe(true)
    // A new cluster would not have it.
    expect((await failure({ nodes: 2, recreate: true })).code).toBe('SYSTEM_DOES_NOT_FIT')
  })

  it('tells in the plan why, and that nothing else is known to be wrong', async () => {
    await world.up()
    const skipped = world.events.find(
      (event) => 'step' in event && event.step === 'fit' && event.type === 'skipped',
    )
    expect(skipped).toMatchObject({ reason: '0.43 cores of 2 cores and 0.1 GiB of 8.0 GiB are requested' })
  })
})

describe('a Secret that is managed outside', () => {
  it('is asked for, with the commands, before a cluster is made', async () => {
    add(withToken)
    const error = await failure()
    expect(error).toMatchObject({ code: 'SECRET_MISSING', exitCode: 3 })
    expect(error.message).toBe('A Secret that slate/local names is not there; nothing was changed.')
    const kubectl = `kubectl --kubeconfig ${join(world.options.paths.stateDir, 'clusters', 'lc', 'kubeconfig')}`
    expect(error.evidence).toEqual([
      'Secret slate/github is managed outside of the system, named by Deployment slate/bridge',
      '$ npx zx bootstrap/up.mjs --name lc --system none',
      `$ ${kubectl} create namespace slate --dry-run=client --output=yaml | ${kubectl} apply --filename=-`,
      `$ ${kubectl} --namespace slate create secret generic github --from-literal=token=VALUE`,
    ])
    expectUntouched()
  })

  it('lets up go on once it is there with its keys', async () => {
    await world.up({ system: 'none' })
    add(withToken)
    const missing = await failure()
    expect(missing.evidence[0]).toContain('Secret slate/github is not in the cluster')
    expect(missing.evidence.join('\n')).not.toContain('--system none')
    const secret: KubeObject = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'github', namespace: 'slate' },
      data: { other: 'eA==' },
    }
    world.cluster.objects.set('Secret slate/github', secret)
    expect((await failure()).evidence[0]).toContain('has no key token')
    secret['data'] = { token: 'eA==' }
    await world.up()
    expect(world.cluster.objects.has('Deployment slate/bridge')).toBe(true)
  })

  it('does not count as there when it goes with the overlay that is there', async () => {
    const rendered = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'github', namespace: 'slate' },
      data: { token: 'eA==' },
    }
    add(withToken, rendered)
    await world.up()
    add(withToken)
    const error = await failure({ environment: 'staging' })
    expect(error.evidence[0]).toContain('belongs to the overlay that is there and goes with it')
    expect(error.evidence).toContain('$ npx zx bootstrap/up.mjs --name lc --system none')
  })
})

describe('an image that cannot come into the nodes', () => {
  it('is refused before anything is built: pulled always, where there is no registry', async () => {
    add(pod('dev', { image: 'registry.slate.local/slate:dev', imagePullPolicy: 'Always' }))
    const error = await failure({ environment: 'dev' })
    expect(error).toMatchObject({ code: 'IMAGE_NOT_SUPPLIED', exitCode: 3 })
    expect(error.evidence).toEqual([
      'Deployment slate/dev  registry.slate.local/slate:dev, imagePullPolicy Always  the kubelet would ask the registry registry.slate.local, which is not there',
    ])
    expectUntouched()
  })

  it('is loaded under the names that are used, and only those, also when another overlay follows', async () => {
    const { loadable } = world.images.prepared
    loadable.push({ ref: 'registry.slate.local/slate:2.4.0', archive: '/alias.tar', id: 'sha256:1' })
    await world.up()
    expect(world.provider.calls).toEqual(['create lc', 'load docker.io/library/slate:local'])
    world.provider.calls.length = 0
    world.system = () => [
      ...fakeSystem().filter(({ metadata }) => metadata.name !== 'dashboard'),
      pod('dashboard', { image: 'registry.slate.local/slate:2.4.0' }),
    ]
    await world.up({ environment: 'staging' })
    expect(world.provider.calls).toEqual(['load registry.slate.local/slate:2.4.0'])
    world.provider.calls.length = 0
    await world.up({ environment: 'staging' })
    expect(world.provider.calls).toEqual([])
  })
})

describe('an option of the system', () => {
  it('is announced when it is applied, recorded, and applied in place', async () => {
    world.variants = [{ add: ['real'], drop: ['tiny'], notice: 'It pulls models.', needsNetwork: true }]
    const told = [
      'It pulls models.',
      'The images come from packages, so that this machine may have no network; slate (local, models real) needs one, and waits for it in vain where there is none.',
    ]
    await world.up({ models: 'real' })
    expect(notices()).toEqual(told)
    const plan = (): unknown =>
      JSON.parse(
        (world.cluster.objects.get('ConfigMap kube-system/local-cloud-plan')?.['data'] as { plan: string })
          .plan,
      )
    expect(plan()).toMatchObject({
      systems: [{ name: 'slate', environment: 'local', choices: { models: 'real' } }],
    })
    world.events.length = 0
    world.cluster.changes.length = 0
    await world.up({ models: 'real' })
    expect(notices()).toEqual([])
    expect(world.cluster.changes).toEqual([])

    world.variants = []
    await world.up()
    expect(world.events).toContainEqual(
      expect.objectContaining({
        step: 'existing',
        reason: 'to be changed in place: system: slate/local with models real → slate/local',
      }),
    )
    expect(plan()).toMatchObject({ systems: [{ name: 'slate', environment: 'local' }] })
    expect(world.provider.calls.filter((call) => call === 'create lc')).toHaveLength(1)
  })
})
