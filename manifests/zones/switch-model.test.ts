import { beforeEach, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { fakeCluster, type FakeCluster } from '../../bootstrap/kube/fake-client.ts'
import { switchModel, type SwitchEvent } from './switch-model.ts'

const labels = (name: string) => ({
  'app.kubernetes.io/name': name,
  'app.kubernetes.io/component': 'model-server',
})
const deployment = (name: string, replicas: number): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace: 'inference', labels: labels(name) },
  spec: { replicas },
})
const podOf = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: `${name}-0`, namespace: 'inference', labels: labels(name) },
})

describe('switchModel', () => {
  let cluster: FakeCluster
  let events: SwitchEvent[]
  beforeEach(async () => {
    cluster = fakeCluster()
    events = []
    const { signal } = new AbortController()
    await cluster.client.apply(
      [
        deployment('deepseek-v32', 1),
        deployment('glm-executor', 0),
        deployment('minimax-failsafe', 0),
        podOf('deepseek-v32'),
      ],
      { signal },
    )
    cluster.changes.length = 0
  })
  const replicas = (name: string): unknown =>
    (cluster.objects.get(`Deployment inference/${name}`)?.['spec'] as { replicas: number }).replicas
  const to = (name: string, stopTimeoutMs = 2000): Promise<void> =>
    switchModel(cluster.client, {
      to: name,
      stopTimeoutMs,
      startTimeoutMs: 2000,
      signal: AbortSignal.timeout(10_000),
      emit(event) {
        events.push(event)
      },
    })
  const remove = async (name: string): Promise<void> => {
    const ref = { apiVersion: 'v1', kind: 'Pod', namespace: 'inference', name: `${name}-0` }
    await cluster.client.delete(ref, { signal: AbortSignal.timeout(1000) })
  }

  it('starts the new one only when no pod of another is left', async () => {
    const switched = to('minimax-failsafe')
    await expect.poll(() => replicas('deepseek-v32')).toBe(0)
    expect(replicas('minimax-failsafe')).toBe(0)
    expect(events).toContainEqual({ type: 'waiting', seen: 'deepseek-v32-0 is still there' })
    await remove('deepseek-v32')
    await switched
    expect(replicas('minimax-failsafe')).toBe(1)
    expect(events.filter(({ type }) => type !== 'waiting')).toEqual([
      { type: 'stopping', model: 'deepseek-v32' },
      { type: 'gone' },
      { type: 'starting', model: 'minimax-failsafe' },
    ])
  })

  it('starts nothing when a pod of another stays', async () => {
    await expect(to('glm-executor', 50)).rejects.toMatchObject({ code: 'WAIT_TIMEOUT' })
    expect(replicas('glm-executor')).toBe(0)
  })

  it('changes nothing when it is done already', async () => {
    await to('deepseek-v32')
    expect(cluster.changes).toEqual([])
  })

  it('refuses what is no model server, and names those that there are', async () => {
    await expect(to('gpt')).rejects.toMatchObject({
      code: 'BAD_VALUE',
      message: expect.stringContaining('deepseek-v32, glm-executor, minimax-failsafe') as string,
    })
    expect(cluster.changes).toEqual([])
  })
})
