import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { fakeCluster } from '../../bootstrap/kube/fake-client.ts'
import {
  autoscalerState,
  conditionWords,
  replicaState,
  rescalesOf,
  wholeBehavior,
  withoutWindows,
} from './autoscaler.ts'
import { kubernetesBehavior } from './scaling-steps.ts'
import { ExpectationFailed } from './verdict.ts'

const autoscaler = (status: Record<string, unknown>): KubeObject => ({
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: { name: 'web' },
  status,
})

describe('autoscalerState', () => {
  it('reads what was measured and said', () => {
    const state = autoscalerState(
      autoscaler({
        desiredReplicas: 4,
        currentMetrics: [
          { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 140 } } },
          { type: 'Resource', resource: { name: 'memory', current: { averageValue: '20Mi' } } },
        ],
        conditions: [
          {
            type: 'ScalingLimited',
            status: 'True',
            reason: 'TooManyReplicas',
            message: 'more than the maximum',
          },
        ],
      }),
    )
    expect(state).toMatchObject({ exists: true, desired: 4, utilization: { cpu: 140 } })
    expect(conditionWords(state, 'ScalingLimited')).toBe(
      'ScalingLimited=True (TooManyReplicas: more than the maximum)',
    )
    expect(conditionWords(state, 'ScalingActive')).toBe('no condition ScalingActive')
  })

  it('has nothing to tell of a new autoscaler, or of none', () => {
    const nothing = { desired: 0, utilization: {}, conditions: {} }
    expect(autoscalerState(autoscaler({ currentMetrics: null }))).toEqual({ exists: true, ...nothing })
    expect(autoscalerState(undefined)).toEqual({ exists: false, ...nothing })
  })
})

it('replicas of a Deployment without a status are none', () => {
  const deployment: KubeObject = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' } }
  expect(replicaState({ ...deployment, spec: { replicas: 2 } })).toEqual({ wanted: 2, pods: 0, ready: 0 })
  expect(
    replicaState({ ...deployment, spec: { replicas: 2 }, status: { replicas: 3, readyReplicas: 1 } }),
  ).toEqual({ wanted: 2, pods: 3, ready: 1 })
  expect(replicaState(undefined)).toEqual({ wanted: 0, pods: 0, ready: 0 })
})

describe('wholeBehavior', () => {
  const scaleDown = {
    stabilizationWindowSeconds: 60,
    policies: [{ type: 'Pods', value: 1, periodSeconds: 120 }],
  }

  it('adds what Kubernetes adds', () => {
    expect(wholeBehavior(undefined)).toEqual(kubernetesBehavior)
    expect(wholeBehavior({ scaleDown: { ...scaleDown, selectPolicy: 'Max' } })).toEqual({
      scaleUp: kubernetesBehavior.scaleUp,
      scaleDown,
    })
    expect(wholeBehavior({ scaleDown: { stabilizationWindowSeconds: 20 } }).scaleDown).toEqual({
      ...kubernetesBehavior.scaleDown,
      stabilizationWindowSeconds: 20,
    })
  })

  it.each([
    ['another choice of policy', { scaleDown: { ...scaleDown, selectPolicy: 'Disabled' } }],
    ['a tolerance', { scaleUp: { tolerance: '0.5' } }],
  ])('does not pass over %s', (_what, behavior) => {
    expect(() => wholeBehavior(behavior)).toThrow(ExpectationFailed)
  })
})

describe('withoutWindows', () => {
  const spec = (value: number, period: number, window: number) => ({
    maxReplicas: 6,
    behavior: {
      scaleUp: {
        stabilizationWindowSeconds: window,
        policies: [{ type: 'Pods', value, periodSeconds: period }],
      },
    },
  })

  it('makes a shortened copy equal to its original, and nothing else', () => {
    expect(withoutWindows(spec(2, 10, 0))).toEqual(withoutWindows(spec(2, 60, 60)))
    expect(withoutWindows(spec(4, 60, 60))).not.toEqual(withoutWindows(spec(2, 60, 60)))
    expect(withoutWindows({ ...spec(2, 60, 60), maxReplicas: 5 })).not.toEqual(
      withoutWindows(spec(2, 60, 60)),
    )
    expect(withoutWindows({ behavior: { scaleDown: { stabilizationWindowSeconds: 20 } } })).toEqual(
      withoutWindows({}),
    )
  })
})

it('rescales are the events since a moment that tell a size', async () => {
  const fake = fakeCluster()
  const event = (name: string, message: string, lastTimestamp: string, reason = 'SuccessfulRescale') =>
    fake.objects.set(`Event here/${name}`, {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace: 'here' },
      message,
      reason,
      lastTimestamp,
    })
  event('old', 'New size: 3; reason: All metrics below target', '2026-01-01T11:59:59Z')
  event(
    'up',
    'New size: 4; reason: cpu resource utilization (percentage of request) above target',
    '2026-01-01T12:00:00Z',
  )
  event('failed', 'New size: 5; reason: x; error: y', '2026-01-01T12:00:10Z', 'FailedRescale')
  const seen = await rescalesOf(
    fake.client,
    { namespace: 'here', name: 'web', sinceMs: Date.parse('2026-01-01T12:00:00.400Z') },
    AbortSignal.timeout(1_000),
  )
  expect(seen.map(({ size }) => size)).toEqual([4])
})
