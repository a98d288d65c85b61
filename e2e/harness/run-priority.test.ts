import { beforeEach, describe, expect, it, vi } from 'vitest'
import { fakeCluster } from '../../bootstrap/kube/fake-client.ts'
import { probePodManifest } from './probe-pod.ts'
import { runLabel } from './run-id.ts'
import { givePriority, priorityVariable, runPriority, takePriority } from './run-priority.ts'

const { signal } = new AbortController()
const pod = { namespace: 'n', runId: 'r1', name: 'p' }
beforeEach(() => {
  vi.stubEnv(priorityVariable, undefined)
})

describe('the priority of a run', () => {
  it('is a class that displaces nobody and that its pods have, until it is taken', async () => {
    const cluster = fakeCluster()
    await givePriority(cluster.client, 'r1', signal)
    expect([...cluster.objects.values()]).toMatchObject([
      {
        kind: 'PriorityClass',
        metadata: { name: 'local-cloud-e2e-r1', labels: { [runLabel]: 'r1' } },
        preemptionPolicy: 'Never',
      },
    ])
    expect(runPriority()).toEqual({ priorityClassName: 'local-cloud-e2e-r1' })
    expect(probePodManifest(pod)['spec']).toMatchObject({ priorityClassName: 'local-cloud-e2e-r1' })
    expect(probePodManifest({ ...pod, priorityClassName: 'urgent' })['spec']).toMatchObject({
      priorityClassName: 'urgent',
    })
    await takePriority(cluster.client, 'r1', signal)
    expect([...cluster.objects.keys()]).toEqual([])
  })

  it('is none where the run made none, as on a cluster of others', () => {
    expect(runPriority()).toEqual({})
    expect(probePodManifest(pod)['spec']).not.toHaveProperty('priorityClassName')
  })
})
