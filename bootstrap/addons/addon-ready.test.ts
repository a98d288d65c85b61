import { describe, expect, it } from 'vitest'
import { fakeCluster } from '../kube/fake-client.ts'
import { addonReady } from './addon-ready.ts'
import type { Addon } from './addon.ts'
import { scaleAway } from './scale-away.ts'

const { signal } = new AbortController()
const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'ns' },
  spec: { replicas: 2, selector: { matchLabels: { app: 'web' } } },
}
const addon: Addon = {
  name: 'example',
  needs: [],
  version: '1',
  title: 'example',
  promise: '',
  images: [],
  timeoutMs: 50,
  objects: [deployment, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c', namespace: 'ns' } }],
  probe: async () => ({ result: 'pass', seen: '' }),
}

describe('addonReady', () => {
  it('waits for the workloads and names them', async () => {
    const cluster = fakeCluster()
    await cluster.client.apply(addon.objects, { signal })
    expect(await addonReady(addon, cluster.client, { signal })).toBe('Deployment web')
  })

  it('ends at the add-on’s own time-out with what is missing', async () => {
    const cluster = fakeCluster()
    cluster.status = () => ({ observedGeneration: 1, replicas: 2, updatedReplicas: 2, availableReplicas: 1 })
    await cluster.client.apply(addon.objects, { signal })
    await expect(addonReady(addon, cluster.client, { signal })).rejects.toMatchObject({
      code: 'WAIT_TIMEOUT',
      message: expect.stringContaining('1 of 2 replicas available') as string,
    })
  })
})

describe('scaleAway', () => {
  it('takes the pods away and brings back as many as there were', async () => {
    const cluster = fakeCluster()
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web-1', namespace: 'ns', labels: { app: 'web' } },
    }
    await cluster.client.apply([deployment, pod], { signal })
    const sabotage = scaleAway({ namespace: 'ns', name: 'web' })
    const replicas = (): unknown =>
      (cluster.objects.get('Deployment ns/web')?.spec as { replicas: number }).replicas

    let broken = false
    const breaking = sabotage.break(cluster.client, signal).then(() => (broken = true))
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect([replicas(), broken]).toEqual([0, false])
    await cluster.client.delete({ apiVersion: 'v1', kind: 'Pod', name: 'web-1', namespace: 'ns' }, { signal })
    await breaking

    await sabotage.restore(cluster.client, signal)
    expect(replicas()).toBe(2)
    await sabotage.restore(cluster.client, signal)
    expect(replicas()).toBe(2)
  })

  it('refuses to break what is not there', async () => {
    await expect(
      scaleAway({ namespace: 'ns', name: 'web' }).break(fakeCluster().client, signal),
    ).rejects.toMatchObject({
      code: 'PROBE_NOT_RUN',
    })
  })
})
