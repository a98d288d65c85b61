import { beforeEach, describe, expect, it } from 'vitest'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { KubeObject } from '../kube/client.ts'
import { fakeCluster, type FakeCluster } from '../kube/fake-client.ts'
import { marksOf, runLabel } from './ours.ts'
import { leftOfOurs, removeOurs } from './remove-ours.ts'

let cluster: FakeCluster
const run = { signal: new AbortController().signal, progress: () => undefined }
const mine = marksOf('lc')

const object = (
  kind: string,
  path: string,
  metadata: Partial<KubeObject['metadata']> = {},
  fields: Record<string, unknown> = {},
): KubeObject => {
  const slash = path.indexOf('/')
  const namespace = slash < 0 ? {} : { namespace: path.slice(0, slash) }
  return {
    apiVersion: ['StatefulSet', 'Deployment'].includes(kind) ? 'apps/v1' : 'v1',
    kind,
    metadata: { name: path.slice(slash + 1), ...namespace, ...metadata },
    ...fields,
  }
}
const put = (...objects: KubeObject[]): void => {
  for (const one of objects) {
    const { namespace, name } = one.metadata
    cluster.objects.set(`${one.kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`, one)
  }
}
const keys = (): string[] => [...cluster.objects.keys()].sort()
const owned = { ownerReferences: [{ kind: 'X', name: 'x', uid: '1', apiVersion: 'v1' }] }

/** A cluster of others, and what it has in every namespace. */
const theirs = [
  object('Namespace', 'default'),
  object('Namespace', 'theirs'),
  object('ConfigMap', 'theirs/settings'),
  object('ClusterRole', 'theirs'),
  object('ClusterRole', 'of-another-name', { labels: marksOf('other') }),
  object('StorageClass', 'fast', { labels: { 'io.local-cloud.managed': 'true' } }),
  object('ConfigMap', 'default/kube-root-ca.crt'),
  object('ConfigMap', 'theirs/kube-root-ca.crt'),
]
/** Ours as `up` leaves it. */
const ours = [
  object('Namespace', 'local-cloud-lc', { labels: mine }),
  object('ConfigMap', 'local-cloud-lc/local-cloud-plan', { labels: mine }),
  object('ConfigMap', 'local-cloud-lc/kube-root-ca.crt'),
  object('Namespace', 'slate', { labels: mine }),
  object('ConfigMap', 'slate/settings', { labels: mine }),
  object('ConfigMap', 'slate/kube-root-ca.crt'),
  object('PersistentVolumeClaim', 'slate/data', { labels: mine }),
  object('Pod', 'slate/dashboard-x', owned),
  object('ClusterRole', 'slate-deny-all', { labels: mine }),
  object('PersistentVolume', 'slate-workspace', { labels: mine }),
]

beforeEach(() => {
  cluster = fakeCluster()
  put(...theirs, ...ours)
})
const before = (): string[] => {
  const fresh = fakeCluster()
  const old = cluster
  cluster = fresh
  put(...theirs)
  const wanted = keys()
  cluster = old
  return wanted
}

describe('removing what is ours', () => {
  it('leaves exactly what others have, and deletes nothing else even once', async () => {
    const theirVersions = theirs.map((one) => structuredClone(one))
    expect(await removeOurs(cluster.client, 'lc', run)).toEqual({ removed: 4, kept: [], unseen: [] })
    expect(keys()).toEqual(before())
    for (const one of theirVersions) expect([...cluster.objects.values()]).toContainEqual(one)
    expect(cluster.changes.toSorted()).toEqual([
      'delete ClusterRole slate-deny-all',
      'delete Namespace local-cloud-lc',
      'delete Namespace slate',
      'delete PersistentVolume slate-workspace',
    ])
  })

  it('takes what uses volumes first, volumes after it, and the record last', async () => {
    await removeOurs(cluster.client, 'lc', run)
    expect(cluster.changes[0]).toBe('delete Namespace slate')
    expect(cluster.changes.at(-1)).toBe('delete Namespace local-cloud-lc')
    expect(cluster.changes.indexOf('delete PersistentVolume slate-workspace')).toBeGreaterThan(1)
  })

  it('does so twice, and from half a state', async () => {
    cluster.objects.delete('Namespace local-cloud-lc')
    cluster.objects.delete('ConfigMap local-cloud-lc/local-cloud-plan')
    await removeOurs(cluster.client, 'lc', run)
    cluster.changes.length = 0
    expect(await removeOurs(cluster.client, 'lc', run)).toEqual({ removed: 0, kept: [], unseen: [] })
    expect(cluster.changes).toEqual([])
  })

  it('waits for volumes that go with their claims, while what removes them still runs', async () => {
    const claimRef = { namespace: 'slate', name: 'data' }
    put(
      object(
        'PersistentVolume',
        'pvc-1',
        {},
        { spec: { claimRef, persistentVolumeReclaimPolicy: 'Delete' } },
      ),
      object(
        'PersistentVolume',
        'pvc-2',
        {},
        { spec: { claimRef, persistentVolumeReclaimPolicy: 'Retain' } },
      ),
      object('Namespace', 'local-path', { labels: mine }),
      object('Deployment', 'local-path/provisioner', { labels: mine }),
    )
    const removing = removeOurs(cluster.client, 'lc', run)
    await expect.poll(() => cluster.changes).toEqual(['delete Namespace slate'])
    expect(keys()).toContain('Deployment local-path/provisioner')
    await cluster.client.delete({ apiVersion: 'v1', kind: 'PersistentVolume', name: 'pvc-1' }, run)
    await removing
    expect(keys()).toEqual([...before(), 'PersistentVolume pvc-2'].sort())
  })

  it('keeps a namespace in which others have put something, and takes what is ours out of it', async () => {
    put(
      object('Secret', 'slate/somebodys'),
      object('ConfigMap', 'slate/of-a-test', { labels: { [runLabel]: 'r' } }),
    )
    const { kept } = await removeOurs(cluster.client, 'lc', run)
    expect(kept).toEqual(['Namespace slate, for it holds what is not ours: Secret somebodys'])
    expect(keys()).toContain('Secret slate/somebodys')
    expect(keys()).toContain('ConfigMap slate/kube-root-ca.crt')
    expect(keys()).not.toContain('ConfigMap slate/settings')
    expect(keys()).not.toContain('PersistentVolumeClaim slate/data')
    expect(await leftOfOurs(cluster.client, 'lc', kept, run.signal)).toEqual([])
    expect(await leftOfOurs(cluster.client, 'lc', [], run.signal)).toEqual(['Namespace slate'])
  })

  it('takes claims of a StatefulSet and tokens of ServiceAccounts for what they belong to', async () => {
    const template = { volumeClaimTemplates: [{ metadata: { name: 'data' } }] }
    put(
      object('StatefulSet', 'slate/db', { labels: mine }, { spec: template }),
      object('PersistentVolumeClaim', 'slate/data-db-0'),
      object('Secret', 'slate/token', {}, { type: 'kubernetes.io/service-account-token' }),
    )
    expect((await removeOurs(cluster.client, 'lc', run)).kept).toEqual([])
    put(...ours, object('PersistentVolumeClaim', 'slate/data-db-old'))
    expect((await removeOurs(cluster.client, 'lc', run)).kept).toHaveLength(1)
  })

  it('takes namespaces of probes and tests as a whole', async () => {
    put(
      object('Namespace', 'probe', { labels: { ...mine, 'local-cloud.io/probe': 'cilium' } }),
      object('Pod', 'probe/server'),
      object('Namespace', 'e2e', { labels: { ...mine, [runLabel]: 'r' } }),
      object('Pod', 'e2e/client'),
    )
    expect((await removeOurs(cluster.client, 'lc', run)).kept).toEqual([])
    expect(keys()).toEqual(before())
  })

  it('of some objects only those, and what lies in namespaces among them', async () => {
    await removeOurs(cluster.client, 'lc', run, [
      { apiVersion: 'v2', kind: 'ClusterRole', name: 'slate-deny-all' },
    ])
    expect(cluster.changes).toEqual(['delete ClusterRole slate-deny-all'])
    await removeOurs(cluster.client, 'lc', run, [{ apiVersion: 'v1', kind: 'Namespace', name: 'slate' }])
    expect(keys()).toContain('Namespace local-cloud-lc')
    expect(keys()).not.toContain('ConfigMap slate/settings')
  })

  it('says what it may not look at', async () => {
    const list = cluster.client.list.bind(cluster.client)
    cluster.client.list = (query, signal) =>
      query.kind === 'StorageClass'
        ? Promise.reject(
            new LocalCloudError('API_REFUSED', {
              message: 'no',
              cause: { code: 403, reason: '', message: '', causes: [] },
            }),
          )
        : list(query, signal)
    expect((await removeOurs(cluster.client, 'lc', run)).unseen).toEqual(['StorageClass'])
  })
})
