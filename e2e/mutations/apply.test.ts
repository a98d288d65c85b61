import { expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { fakeCluster } from '../../bootstrap/kube/fake-client.ts'
import { applyChange, restore } from './apply.ts'

const { signal } = new AbortController()
const job = (ttlSecondsAfterFinished: number): KubeObject => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: 'preload', namespace: 'slate' },
  spec: { ttlSecondsAfterFinished, template: {} },
})

it('puts a Job back as it was', async () => {
  const cluster = fakeCluster()
  await applyChange(cluster.client, job(60), job(120), signal)
  await restore(cluster.client, job(60), job(120), signal)
  expect(cluster.objects.get('Job slate/preload')?.['spec']).toMatchObject({ ttlSecondsAfterFinished: 60 })
})

it('takes a Job for restored that was complete and goes as soon as it has its time to live again', async () => {
  const cluster = fakeCluster()
  const { client } = cluster
  await applyChange(client, job(60), job(120), signal)
  const apply: typeof client.apply = async (...argv) => {
    const changes = await client.apply(...argv)
    cluster.objects.delete('Job slate/preload')
    return changes
  }
  await restore({ ...client, apply }, job(60), job(120), signal)
})

it('waits for a Job that has to do its work again', async () => {
  const cluster = fakeCluster()
  cluster.status = () => undefined
  const restoring = restore(cluster.client, job(60), job(120), AbortSignal.timeout(200))
  await expect(restoring).rejects.toMatchObject({ code: 'INTERRUPTED' })
  cluster.status = () => ({ conditions: [{ type: 'Failed', status: 'True', message: 'no model' }] })
  await expect(restore(cluster.client, job(60), job(120), signal)).rejects.toMatchObject({
    message: expect.stringContaining('has failed') as string,
  })
})
