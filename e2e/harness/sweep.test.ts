import { expect, it } from 'vitest'
import type { ConnectedKube, KubeObject } from '../../bootstrap/kube/client.ts'
import { fakeCluster } from '../../bootstrap/kube/fake-client.ts'
import { runLabel } from './run-id.ts'
import { leftBy, sweep } from './sweep.ts'

const object = (kind: string, name: string, run: string, namespace?: string): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, labels: { [runLabel]: run }, ...(namespace === undefined ? {} : { namespace }) },
})

async function clusterWith(...objects: KubeObject[]) {
  const fake = fakeCluster()
  const signal = AbortSignal.timeout(5_000)
  await fake.client.apply(objects, { signal, dryRun: 'skip' })
  const kinds = ['Namespace', 'Pod', 'ConfigMap', 'PodMetrics', 'PriorityClass']
  const kube = {
    ...fake.client,
    listableKinds: () =>
      Promise.resolve(
        kinds.map((kind) => ({
          apiVersion: 'v1',
          kind,
          resource: kind,
          namespaced: true,
          deletable: kind !== 'PodMetrics',
        })),
      ),
  } as unknown as ConnectedKube
  return { fake, kube, signal }
}

it('finds what a run made: its namespaces, and what lies in others; not what another run made', async () => {
  const { kube, signal } = await clusterWith(
    object('Namespace', 'mine', 'r1'),
    object('Pod', 'inside', 'r1', 'mine'),
    object('Pod', 'guest', 'r1', 'slate'),
    object('ConfigMap', 'foreign', 'r2', 'slate'),
  )
  const left = await leftBy(kube, 'r1', signal)
  expect(left.map(({ kind, name }) => `${kind} ${name}`)).toEqual(['Namespace mine', 'Pod guest'])
})

it('leaves the priority of the run, which its next tests have as well, and takes that of a test', async () => {
  const { kube, signal } = await clusterWith(
    object('PriorityClass', 'local-cloud-e2e-r1', 'r1'),
    object('PriorityClass', 'of-a-test', 'r1'),
  )
  const swept = await sweep(kube, 'r1', signal)
  expect(swept.map(({ name }) => name)).toEqual(['of-a-test'])
})

it('removes it, and nothing else', async () => {
  const { fake, kube, signal } = await clusterWith(
    object('Pod', 'guest', 'r1', 'slate'),
    object('ConfigMap', 'foreign', 'r2', 'slate'),
  )
  expect(await sweep(kube, 'r1', signal)).toHaveLength(1)
  expect([...fake.objects.values()].map(({ metadata }) => metadata.name)).toEqual(['foreign'])
})

it('does not ask for what nobody can have made, whose server may be gone', async () => {
  const { kube, signal } = await clusterWith(object('Pod', 'guest', 'r1', 'slate'))
  const list = kube.list.bind(kube)
  const silent = {
    ...kube,
    list: (query: Parameters<typeof list>[0], stop: AbortSignal) =>
      query.kind === 'PodMetrics' ? new Promise<never>(() => undefined) : list(query, stop),
  }
  expect(await leftBy(silent, 'r1', signal)).toHaveLength(1)
})
