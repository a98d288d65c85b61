import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { isCalm } from './calm.ts'

const signal = AbortSignal.timeout(10_000)
const autoscaler = (currentReplicas: number, desiredReplicas = currentReplicas): KubeObject => ({
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: { name: 'core', namespace: 'slate' },
  spec: { minReplicas: 2 },
  status: { currentReplicas, desiredReplicas },
})
const cronJob = (spec: object, status: object = {}): KubeObject => ({
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: { name: 'sync', namespace: 'slate' },
  spec: { schedule: '* * * * *', ...spec },
  status,
})
const look = (objects: KubeObject[], quietMs = 60_000) =>
  isCalm({ list: ({ kind }) => Promise.resolve(objects.filter((one) => one.kind === kind)) }, quietMs, signal)

describe('a calm cluster', () => {
  it('has its autoscalers at their minimum and no scheduled run soon', async () => {
    const far = cronJob({ schedule: `0 0 1 ${String(((new Date().getUTCMonth() + 6) % 12) + 1)} *` })
    expect(await look([autoscaler(2), far])).toEqual({ ok: true, seen: 'calm' })
  })

  it.each<[what: string, object: KubeObject, seen: RegExp]>([
    ['an autoscaler above its minimum', autoscaler(3), /core has 3 and wants 3, at least 2/],
    ['one that is about to move', autoscaler(2, 4), /has 2 and wants 4/],
    ['a scheduled run that is due', cronJob({}), /sync is due at /],
    ['one that runs', cronJob({ suspend: true }, { active: [{ name: 'sync-1' }] }), /sync is running/],
  ])('is not one with %s', async (_, object, seen) => {
    expect(await look([object])).toMatchObject({ ok: false, seen: expect.stringMatching(seen) as string })
  })

  it('does not wait for what is suspended', async () => {
    expect(await look([cronJob({ suspend: true })])).toMatchObject({ ok: true })
  })
})
