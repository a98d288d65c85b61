import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { KubeObject } from '../kube/client.ts'
import { readyStatus } from '../kube/fake-client.ts'
import { fakeSystem, fakeWorld, type FakeWorld } from './fake-world.ts'

let world: FakeWorld
beforeEach(() => {
  world = fakeWorld(20_000 + Math.floor(Math.random() * 10_000))
  world.system = () => [...fakeSystem(), job(), volume]
  world.images.prepared.preloaded.push('docker.io/library/slate:newer')
  vi.stubEnv('KUBECONFIG', join(world.options.paths.repo, 'user-kubeconfig'))
})
afterEach(() => {
  vi.unstubAllEnvs()
  world.dispose()
})

const job = (image = 'slate:local', ttl: number | null = 3600): KubeObject => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: 'preload', namespace: 'slate' },
  spec: {
    ...(ttl === null ? {} : { ttlSecondsAfterFinished: ttl }),
    template: { spec: { restartPolicy: 'Never', containers: [{ name: 'preload', image }] } },
  },
})
const volume: KubeObject = {
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name: 'workspace' },
  spec: { hostPath: { path: '/var/lib/x' } },
}
const key = 'Job slate/preload'
const volumeKey = 'PersistentVolume workspace'

const forget = (): void => {
  world.events.length = 0
  world.cluster.changes.length = 0
}
const notices = (): string[] =>
  world.events.flatMap((event) => (event.type === 'notice' ? [event.message] : []))
const failed = (object: KubeObject): Record<string, unknown> | undefined =>
  object.kind === 'Job'
    ? { failed: 4, conditions: [{ type: 'Failed', status: 'True', reason: 'BackoffLimitExceeded' }] }
    : readyStatus(object)

describe('a Job of the system', () => {
  it('is waited for, and fails up at once when it fails', async () => {
    world.cluster.status = failed
    await expect(world.up()).rejects.toMatchObject({
      code: 'WAIT_TIMEOUT',
      message: expect.stringContaining(
        'Job slate/preload is not ready: has failed: BackoffLimitExceeded',
      ) as string,
    })
  })

  it('that has failed is made again by the next up', async () => {
    world.cluster.status = failed
    await world.up().catch(() => undefined)
    const before = world.cluster.objects.get(key)?.metadata.uid
    world.cluster.status = readyStatus
    forget()
    await world.up()
    expect(world.cluster.changes.filter((change) => change.endsWith(key))).toEqual([
      `delete ${key}`,
      `apply ${key}`,
    ])
    expect(world.cluster.objects.get(key)?.metadata.uid).not.toBe(before)
    expect(notices()).toContain('Job slate/preload is deleted and made again: it has failed.')
  })

  it('that was complete and is gone by its time to live stays gone, and up has nothing to do', async () => {
    await world.up()
    world.cluster.objects.delete(key)
    forget()
    await world.up()
    expect(world.cluster.changes).toEqual([])
    expect(world.events.find((event) => event.type === 'skipped' && event.step === 'system')).toBeDefined()
    // Nor does it come back when something else is repaired.
    world.cluster.objects.delete('ConfigMap slate/settings')
    await world.up()
    expect(world.cluster.objects.has('ConfigMap slate/settings')).toBe(true)
    expect(world.cluster.objects.has(key)).toBe(false)
    forget()
    await world.up()
    expect(world.cluster.changes).toEqual([])
  })

  it('without a time to live is made again when somebody deleted it', async () => {
    world.system = () => [...fakeSystem(), job('slate:local', null)]
    await world.up()
    world.cluster.objects.delete(key)
    await world.up()
    expect(world.cluster.objects.has(key)).toBe(true)
  })

  it('that is gone before it was seen to complete is made again', async () => {
    world.cluster.status = (object) => (object.kind === 'Job' ? { active: 1 } : readyStatus(object))
    await world.up({ timeoutMs: 4_500 }).catch(() => undefined)
    expect(world.cluster.objects.has(key)).toBe(true)
    world.cluster.objects.delete(key)
    world.cluster.status = readyStatus
    await world.up()
    expect(world.cluster.objects.has(key)).toBe(true)
  })

  it.each([
    ['its namespace', () => world.cluster.client.delete(ref('Namespace', 'slate'), { signal })],
    [
      'a claim it worked on',
      () => world.cluster.client.delete(ref('PersistentVolumeClaim', 'data'), { signal }),
    ],
  ])('runs again when %s was made anew', async (_, remove) => {
    await world.up()
    world.cluster.objects.delete(key)
    await remove()
    await world.up()
    expect(world.cluster.objects.has(key)).toBe(true)
    world.cluster.objects.delete(key)
    forget()
    await world.up()
    expect(world.cluster.changes).toEqual([])
  })

  it('whose template changed is deleted and applied anew, after the rest', async () => {
    await world.up()
    forget()
    world.system = () => [...fakeSystem(), job('slate:newer'), volume]
    await world.up()
    expect(world.cluster.changes.filter((change) => change.includes(' Job '))).toEqual([
      `delete ${key}`,
      `apply ${key}`,
    ])
    expect(world.cluster.changes.indexOf(`delete ${key}`)).toBeGreaterThan(
      world.cluster.changes.indexOf('apply Deployment slate/dashboard'),
    )
    forget()
    await world.up()
    expect(world.cluster.changes).toEqual([])
  })

  it('that is gone and changed runs as it is wanted now', async () => {
    await world.up()
    world.cluster.objects.delete(key)
    world.system = () => [...fakeSystem(), job('slate:newer'), volume]
    await world.up()
    expect(world.cluster.objects.get(key)?.['spec']).toMatchObject({
      template: { spec: { containers: [{ image: 'slate:newer' }] } },
    })
  })
})

describe('a volume of the system', () => {
  it('that its claim released is deleted, with an announcement, and made again', async () => {
    await world.up()
    const before = world.cluster.objects.get(volumeKey)?.metadata.uid
    world.cluster.edit(volumeKey, (object) => {
      object['spec'] = { ...(object['spec'] as object), claimRef: { namespace: 'slate', name: 'data' } }
      object['status'] = { phase: 'Released' }
    })
    forget()
    await world.up()
    expect(world.cluster.changes.slice(0, 1)).toEqual([`delete ${volumeKey}`])
    expect(world.cluster.objects.get(volumeKey)?.metadata.uid).not.toBe(before)
    expect(notices()).toEqual([
      'PersistentVolume workspace is deleted and made again: it is released: claim slate/data is gone.',
    ])
    forget()
    await world.up()
    expect(world.cluster.changes).toEqual([])
  })

  it('that is bound is left alone', async () => {
    await world.up()
    world.cluster.edit(volumeKey, (object) => {
      object['status'] = { phase: 'Bound' }
    })
    forget()
    await world.up()
    expect(world.cluster.changes).toEqual([])
  })

  it('is removed after the namespace whose claim protects it', async () => {
    await world.up()
    forget()
    world.system = () => []
    await world.up({ system: 'none' })
    const removed = world.cluster.changes.filter((change) => change.startsWith('delete'))
    expect(removed).toEqual(['delete Namespace slate', `delete ${volumeKey}`])
  })
})

const signal = new AbortController().signal
const ref = (kind: string, name: string) => ({
  apiVersion: 'v1',
  kind,
  name,
  ...(kind === 'Namespace' ? {} : { namespace: 'slate' }),
})
