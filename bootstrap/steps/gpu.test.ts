import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { gpuLabels, type GpuChoice } from '../plan/gpu-plan.ts'
import { fakeWorld, type FakeWorld } from './fake-world.ts'

const home = 'lc-control-plane'
const gpu: GpuChoice = { tier: 'mock', count: 2, strategy: 'cdi-cri', replicas: 1 }

let world: FakeWorld
beforeEach(() => {
  world = fakeWorld(10_000 + Math.floor(Math.random() * 10_000))
  const { onChange } = world.provider
  world.provider.onChange = (name, what) => {
    onChange(name, what)
    for (const { name: node } of world.provider.clusters.get(name)?.nodes ?? [])
      world.cluster.objects.set(`Node ${node}`, {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name: node, uid: node, resourceVersion: '1' },
      })
  }
})
afterEach(() => {
  world.dispose()
})

const labels = (node: string): Record<string, string> =>
  world.cluster.objects.get(`Node ${node}`)?.metadata.labels ?? {}
const inNodes = (): string[] => world.provider.calls.filter((call) => call.startsWith('in '))

describe('up --gpu', () => {
  it('gives the last node its files, its devices and its labels, before the add-on for GPUs', async () => {
    world.addons.push({ ...world.addons[1]!, name: 'nvidia', needs: ['cilium'], when: 'gpu', objects: [] })
    await world.up({ gpu, nodes: 2 })
    expect(new Set(inNodes().map((call) => call.split(':')[0]))).toEqual(new Set(['in lc-worker']))
    expect(inNodes()).toContain('in lc-worker: tar -xf - -C / --no-overwrite-dir')
    expect(inNodes().at(-1)).toBe('in lc-worker: /usr/local/libexec/local-cloud/gpu')
    expect(labels('lc-worker')).toMatchObject({
      [gpuLabels.present]: 'true',
      [gpuLabels.tier]: 'mock',
      [gpuLabels.advertised]: '2',
    })
    expect(labels(home)).toEqual({})
    const ended = world.events.flatMap((event) => (event.type === 'succeeded' ? [event.step] : []))
    expect(ended.indexOf('gpu')).toBeLessThan(ended.indexOf('addon:nvidia'))
  })

  it('does nothing a second time, and again what another wish changes', async () => {
    await world.up({ gpu })
    world.provider.calls.length = 0
    await world.up({ gpu })
    expect(inNodes()).toEqual([])
    await world.up({ gpu: { ...gpu, count: 3, replicas: 2 } })
    expect(inNodes()).not.toEqual([])
    expect(labels(home)[gpuLabels.advertised]).toBe('6')
  })

  it('takes them away when they are no longer wanted, once', async () => {
    await world.up({ gpu })
    world.provider.calls.length = 0
    await world.up()
    expect(inNodes()).toHaveLength(1)
    expect(labels(home)).toEqual({})
    world.provider.calls.length = 0
    await world.up()
    expect(inNodes()).toEqual([])
  })

  it('says it in a code of its own when the device plugin offers too few', async () => {
    world.addons.push({ ...world.addons[1]!, name: 'nvidia', needs: ['cilium'], when: 'gpu', objects: [] })
    world.probes['nvidia'] = { result: 'fail', seen: 'offers 0 of 2', code: 'GPU_NOT_REGISTERED' }
    await expect(world.up({ gpu })).rejects.toMatchObject({
      code: 'GPU_NOT_REGISTERED',
      message: expect.stringContaining('offers 0 of 2') as string,
    })
  })

  it('refuses images from a registry, whose node image has no toolkit, before anything is made', async () => {
    world.source = 'registry'
    await expect(world.up({ gpu })).rejects.toMatchObject({ code: 'GPU_NODE_RUNTIME' })
    expect(world.provider.calls).toEqual([])
    await world.up()
  })

  it('refuses a node image without NVIDIA’s toolkit', async () => {
    world.provider.answers = (_node, argv) =>
      argv.includes('/usr/bin/nvidia-ctk') ? '/usr/bin/nvidia-ctk\n/usr/bin/nvidia-container-runtime\n' : ''
    await expect(world.up({ gpu })).rejects.toMatchObject({
      code: 'GPU_NODE_RUNTIME',
      message: expect.stringContaining(
        'has no /usr/bin/nvidia-ctk, /usr/bin/nvidia-container-runtime',
      ) as string,
    })
    expect(labels(home)).toEqual({})
  })
})
