import { beforeEach, expect, it } from 'vitest'
import type { KubeObject } from '../kube/client.ts'
import { fakeCluster, type FakeCluster } from '../kube/fake-client.ts'
import { foreignObjects } from './foreign-objects.ts'
import { marksOf } from './ours.ts'

let cluster: FakeCluster
beforeEach(() => {
  cluster = fakeCluster()
})
const { signal } = new AbortController()
const object = (
  kind: string,
  name: string,
  namespace?: string,
  labels?: Record<string, string>,
): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(labels === undefined ? {} : { labels }),
  },
})
const put = async (...objects: KubeObject[]): Promise<void> => {
  await cluster.client.apply(objects, { signal })
  cluster.changes.length = 0
}
const wanted = [object('Namespace', 'slate'), object('ConfigMap', 'a', 'slate'), object('ClusterRole', 'r')]
const look = (guestIn: string[] = [], objects = wanted): Promise<string[]> =>
  foreignObjects(cluster.client, { name: 'lc', objects, guestIn: new Set(guestIn) }, signal)
const mine = marksOf('lc')

it('finds nothing in the way where nothing is there, or all of it is ours', async () => {
  expect(await look()).toEqual([])
  await put(
    object('Namespace', 'slate', undefined, mine),
    object('ConfigMap', 'a', 'slate', mine),
    object('ClusterRole', 'r', undefined, mine),
  )
  expect(await look()).toEqual([])
  expect(cluster.changes).toEqual([])
})

it.each([
  ['of nobody', undefined],
  ['of another name', marksOf('other')],
  ['of a cluster that was made here', { 'io.local-cloud.managed': 'true' }],
])('finds a namespace and cluster-wide objects %s', async (_, labels) => {
  await put(object('Namespace', 'slate', undefined, labels), object('ClusterRole', 'r', undefined, labels))
  expect(await look()).toEqual([
    'Namespace slate is there and is not ours',
    'ClusterRole r is there and is not ours',
  ])
})

it('finds an object of others in a namespace of ours', async () => {
  await put(object('Namespace', 'slate', undefined, mine), object('ConfigMap', 'a', 'slate'))
  expect(await look()).toEqual(['ConfigMap slate/a is there and is not ours'])
})

it('makes nothing in a namespace of others, unless it is a guest there', async () => {
  const guest = [object('ConfigMap', 'a', 'kube-system')]
  await put(object('Namespace', 'kube-system'))
  expect(await look([], guest)).toEqual(['Namespace kube-system is there and is not ours'])
  expect(await look(['kube-system'], guest)).toEqual([])
  await put(object('ConfigMap', 'a', 'kube-system'))
  expect(await look(['kube-system'], guest)).toEqual(['ConfigMap kube-system/a is there and is not ours'])
  // A namespace that the set itself makes is taken as a whole.
  await put(object('Namespace', 'slate'))
  expect(await look(['slate'])).toEqual(['Namespace slate is there and is not ours'])
})

it('says which namespace nobody makes, and takes one that is not named for default', async () => {
  expect(await look([], [object('ConfigMap', 'a', 'elsewhere')])).toEqual([
    'Namespace elsewhere is not there, and nothing here makes it',
  ])
  await put(object('Namespace', 'default'), object('ConfigMap', 'x', 'default'))
  expect(await look([], [object('ConfigMap', 'b')])).toEqual(['Namespace default is there and is not ours'])
})
