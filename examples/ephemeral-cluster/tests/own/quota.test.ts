import { CoreV1Api } from '@kubernetes/client-node'
import { startEphemeralCluster } from 'local-cloud/ephemeral'
import { expect, it } from 'vitest'
import { makeNamespace, pod } from '../namespaced.ts'

it('a quota of two pods refuses the third', async () => {
  await using cluster = await startEphemeralCluster()
  const core = cluster.api(CoreV1Api)
  const namespace = 'shop'
  await using _ = await makeNamespace(core, namespace)
  await core.createNamespacedResourceQuota({
    namespace,
    body: { metadata: { name: 'pods' }, spec: { hard: { pods: '2' } } },
  })
  const inForce = async () =>
    (await core.readNamespacedResourceQuota({ namespace, name: 'pods' })).status?.hard
  await expect.poll(inForce, { timeout: 30_000 }).toEqual({ pods: '2' })
  const create = (name: string) => core.createNamespacedPod({ namespace, body: pod(name) })
  await create('one')
  await create('two')
  await expect(create('three')).rejects.toThrow('exceeded quota')
})
