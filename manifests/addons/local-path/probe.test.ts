import { describe, expect, it } from 'vitest'
import { fakeProbeCluster, type FakeProbeCluster } from '../../../bootstrap/addons/fake-probe-cluster.ts'
import { settleWithFakeTime } from '../../../bootstrap/addons/settle-with-fake-time.ts'
import { LocalCloudError } from '../../../bootstrap/errors/local-cloud-error.ts'
import type { ExecResult, KubeObject } from '../../../bootstrap/kube/client.ts'
import { prepare } from './prepare.ts'
import { probe } from './probe.ts'

const { signal } = new AbortController()
const claimKey = 'PersistentVolumeClaim probe-ns/claim'

interface Storage {
  storageClass?: string
  waits?: boolean
  binds?: boolean
  read?: (written: string) => Partial<ExecResult> | Error
  removes?: boolean
}

/** Plays the controller: a claim is Pending with an event, bound once a pod is there, its volume goes with it. */
function storage({
  storageClass = 'local-path',
  waits = true,
  binds = true,
  read,
  removes = true,
}: Storage): FakeProbeCluster {
  const fake = fakeProbeCluster()
  const { cluster } = fake
  const { status } = cluster
  let written = ''
  cluster.status = (object: KubeObject) => {
    if (object.kind === 'PersistentVolumeClaim') {
      Object.assign(object.spec as object, { storageClassName: storageClass })
      const event = { apiVersion: 'v1', kind: 'Event', metadata: { name: 'e', namespace: 'probe-ns' } }
      if (waits) cluster.objects.set('Event probe-ns/e', event)
      return { phase: 'Pending' }
    }
    if (object.kind === 'Pod' && binds) {
      cluster.edit(claimKey, (claim) => {
        Object.assign(claim.spec as object, { volumeName: 'pvc-1' })
        claim['status'] = { phase: 'Bound' }
      })
      const volume = {
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: { name: 'pvc-1' },
        status: { phase: 'Bound' },
      }
      cluster.objects.set('PersistentVolume pvc-1', volume)
    }
    return status(object)
  }
  fake.answer(({ pod, args }) => {
    if (pod === 'writer') written = args[0] ?? ''
    return pod === 'writer' ? {} : (read?.(written) ?? { stdout: written })
  })
  const remove = fake.context.kube.delete.bind(fake.context.kube)
  fake.context.kube.delete = async (ref, options) => {
    await remove(ref, options)
    if (ref.kind === 'PersistentVolumeClaim' && removes) cluster.objects.delete('PersistentVolume pvc-1')
  }
  return fake
}

const result = (how: Storage): ReturnType<typeof probe> =>
  settleWithFakeTime(() => probe(storage(how).context))

describe('the probe of local-path', () => {
  it('passes when the claim waits, binds, keeps its bytes and takes its volume along', async () => {
    expect(await result({})).toMatchObject({
      result: 'pass',
      seen: expect.stringContaining('pvc-1') as string,
    })
  })

  it.each<[string, Storage, string]>([
    ['another class is the default', { storageClass: 'standard' }, 'class standard'],
    ['the claim does not wait for its pod', { waits: false }, 'no word that it waits'],
    ['the claim never binds', { binds: false }, 'did not bind'],
    ['another pod reads other bytes', { read: () => ({ stdout: 'other' }) }, 'read "other"'],
    [
      'another pod finds nothing',
      { read: () => ({ exitCode: 1, stderr: "cat: can't open" }) },
      "cat: can't open",
    ],
    ['the volume stays', { removes: false }, 'volume pvc-1'],
  ])('fails when %s', async (_, how, seen) => {
    expect(await result(how)).toMatchObject({ result: 'fail', seen: expect.stringContaining(seen) as string })
  })

  it('says nothing when the bytes could not be asked for', async () => {
    const refused = new LocalCloudError('API_REFUSED', { message: 'no exec' })
    await expect(result({ read: () => refused })).rejects.toBe(refused)
  })
})

describe('the preparation of local-path', () => {
  const defaultClass = 'storageclass.kubernetes.io/is-default-class'
  const storageClass = (name: string, value: string): KubeObject => ({
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name, annotations: { [defaultClass]: value } },
  })

  it('leaves local-path as the only default, and then changes nothing', async () => {
    const { cluster, context } = fakeProbeCluster()
    await context.kube.apply(
      [storageClass('standard', 'true'), storageClass('local-path', 'true'), storageClass('slow', 'false')],
      { signal },
    )
    await prepare({ kube: context.kube, signal })
    const values = ['standard', 'local-path', 'slow'].map(
      (name) => cluster.objects.get(`StorageClass ${name}`)?.metadata.annotations?.[defaultClass],
    )
    expect(values).toEqual(['false', 'true', 'false'])
    const changes = cluster.changes.length
    await prepare({ kube: context.kube, signal })
    expect(cluster.changes).toHaveLength(changes)
  })
})
