import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Addon } from '../addons/addon.ts'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { KubeObject } from '../kube/client.ts'
import type { UpOptions } from '../plan/options.ts'
import { fakeSystem, fakeWorld, type FakeWorld } from './fake-world.ts'
import { prepareUp } from './prepare-up.ts'
import { runSteps } from './run-steps.ts'

const key = 'RuntimeClass gvisor'
const runtimeClass = (name: string): KubeObject => ({
  apiVersion: 'node.k8s.io/v1',
  kind: 'RuntimeClass',
  metadata: { name },
  handler: 'runsc',
})
const agent: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'agent', namespace: 'slate' },
  spec: {
    replicas: 1,
    template: {
      spec: { runtimeClassName: 'gvisor', containers: [{ name: 'agent', image: 'slate:local' }] },
    },
  },
}

let world: FakeWorld
beforeEach(() => {
  world = fakeWorld(20_000 + Math.floor(Math.random() * 10_000))
  vi.stubEnv('KUBECONFIG', join(world.options.paths.repo, 'user-kubeconfig'))
  const gvisor: Addon = {
    name: 'gvisor',
    version: 'v0',
    title: 'gVisor',
    promise: 'it runs pods in a sandbox',
    needs: ['cilium'],
    images: [],
    nodePrograms: ['/usr/local/bin/runsc', '/usr/local/bin/shim'],
    when: 'gvisor',
    timeoutMs: 5_000,
    objects: [runtimeClass('gvisor')],
    probe: () => Promise.resolve({ result: 'pass', seen: 'it works' }),
  }
  world.addons.push(gvisor)
})
afterEach(() => {
  world.dispose()
})

const up = async (changed: Partial<UpOptions> = {}) => {
  const { signal } = new AbortController()
  const emit = (event: (typeof world.events)[number]): number => world.events.push(event)
  const options = { ...world.options, ...changed }
  const prepared = await prepareUp({ options, tools: world.tools, toolVersion: '0.1.0', emit, signal })
  await runSteps(prepared.graph.steps, { emit, signal, settleMs: 200 })
  return prepared.plan
}
const refusal = async (changed: Partial<UpOptions> = {}): Promise<LocalCloudError> => {
  const error: unknown = await up(changed).then(
    () => new Error('nothing was thrown'),
    (thrown: unknown) => thrown,
  )
  if (error instanceof LocalCloudError) return error
  throw error
}
const asked = { runtimeClasses: ['gvisor'] } satisfies Partial<UpOptions>
const inNodes = (): string[] => world.provider.calls.filter((call) => call.startsWith('in '))

describe('up --runtime-class gvisor', () => {
  it('brings the class and proves it, after it looked whether every node can', async () => {
    const plan = await up({ ...asked, nodes: 2 })
    expect(plan.runtimeClasses).toEqual(['gvisor'])
    expect(world.cluster.objects.has(key)).toBe(true)
    expect(world.log).toContain('probe gvisor')
    expect(inNodes().map((call) => call.split(':')[0])).toEqual(['in lc-control-plane', 'in lc-worker'])
  })

  it('brings it also where no add-on was asked for, and what it needs', async () => {
    const plan = await up({ ...asked, addons: [], system: 'none' })
    expect(plan.addons.map(({ name }) => name)).toEqual(['cilium', 'gvisor'])
  })

  it('is remembered, added to a cluster without, and taken away again', async () => {
    expect((await up()).runtimeClasses).toBeUndefined()
    expect(world.cluster.objects.has(key)).toBe(false)
    await up(asked)
    world.cluster.changes.length = 0
    await up(asked)
    expect(world.cluster.changes).toEqual([])
    await up()
    expect(world.cluster.objects.has(key)).toBe(false)
  })

  it('comes by itself with a system that says that its pods name it', async () => {
    world.runtimeClasses = ['gvisor']
    world.system = () => [...fakeSystem(), agent]
    expect((await up()).runtimeClasses).toEqual(['gvisor'])
    expect((await up({ system: 'none' })).runtimeClasses).toBeUndefined()
  })
})

describe('refused before anything is made', () => {
  const expectUntouched = (): void => {
    expect(world.provider.calls).toEqual([])
    expect(world.cluster.changes).toEqual([])
    expect(world.log).not.toContain('prepare images')
  }

  it('where the machine cannot run it', async () => {
    world.refusal = new LocalCloudError('GVISOR_HOST', { message: 'gVisor cannot run on this machine.' })
    expect(await refusal(asked)).toMatchObject({ code: 'GVISOR_HOST', exitCode: 3 })
    expectUntouched()
    await up()
  })

  it('where images come from a registry, whose node image has no such programs', async () => {
    world.source = 'registry'
    const error = await refusal(asked)
    expect(error).toMatchObject({ code: 'NODE_PROGRAM_MISSING', exitCode: 3 })
    expect(error.message).toContain(
      'gVisor needs: /usr/local/bin/runsc, /usr/local/bin/shim; nothing was changed',
    )
    expectUntouched()
  })

  it('where pods of the system name a class that nobody provides', async () => {
    world.system = () => [...fakeSystem(), agent]
    const error = await refusal()
    expect(error).toMatchObject({ code: 'RUNTIME_CLASS_MISSING', exitCode: 3 })
    expect(error.message).toBe(
      'slate/local names the RuntimeClass gvisor, which nobody provides; nothing was changed.',
    )
    expect(error.hint).toBe('Add --runtime-class gvisor.')
    expect(error.evidence).toEqual(['RuntimeClass gvisor, named by Deployment slate/agent'])
    expectUntouched()
    await up(asked)
  })
})

describe('a class that pods name', () => {
  it('may be there from somebody else, but not from an add-on that goes', async () => {
    await up(asked)
    world.system = () => [...fakeSystem(), agent]
    expect((await refusal()).code).toBe('RUNTIME_CLASS_MISSING')
    world.system = fakeSystem
    await up()
    world.cluster.objects.set(key, runtimeClass('gvisor'))
    world.system = () => [...fakeSystem(), agent]
    await up()
    // A new cluster would not have it.
    expect((await refusal({ nodes: 2, recreate: true })).code).toBe('RUNTIME_CLASS_MISSING')
  })

  it('may be one of the system itself', async () => {
    world.system = () => [...fakeSystem(), agent, runtimeClass('gvisor')]
    await up()
    expect(world.cluster.objects.has(key)).toBe(true)
  })
})

it('a node whose image was made without the programs is named, and nothing is applied', async () => {
  world.provider.answers = (node, argv) =>
    node === 'lc-worker' && argv.includes('/usr/local/bin/runsc') ? '/usr/local/bin/runsc\n' : ''
  const error = await refusal({ ...asked, nodes: 2 })
  expect(error).toMatchObject({ code: 'NODE_PROGRAM_MISSING' })
  expect(error.message).toBe(
    'Node lc-worker has no /usr/local/bin/runsc: its image was made without what gVisor needs.',
  )
  expect(world.cluster.objects.has(key)).toBe(false)
})

describe('a system with policies for nodes', () => {
  it('has the add-ons heed them, and one without does not', async () => {
    await up()
    expect(world.log).not.toContain('add-ons with policies for nodes')
    world.hostPolicies = true
    await up()
    expect(world.log).toContain('add-ons with policies for nodes')
  })
})
