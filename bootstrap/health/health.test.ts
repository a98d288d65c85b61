import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../kube/client.ts'
import { autoscalerHealth } from './autoscaler-health.ts'
import { claimHealth } from './claim-health.ts'
import { cronJobHealth, jobHealth, lastRuns } from './job-health.ts'
import { serviceHealth } from './service-health.ts'

const namespace = 'slate'
const object = (kind: string, name: string, fields: object, metadata: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, namespace, ...metadata },
  ...fields,
})

describe('serviceHealth', () => {
  const service = object('Service', 'web', { spec: { ports: [{ port: 80 }, { port: 443 }] } })
  const slice = (name: string, endpoints: object[], of = 'web', more: object = {}): KubeObject =>
    object('EndpointSlice', name, { endpoints }, { labels: { 'kubernetes.io/service-name': of }, ...more })
  const endpoint = (pod: string, ready?: boolean) => ({
    addresses: [`10.0.0.${pod}`],
    conditions: ready === undefined ? {} : { ready },
    targetRef: { kind: 'Pod', name: `web-${pod}` },
  })
  const pod = (name: string, ready: boolean, restartCount = 0): KubeObject =>
    object('Pod', `web-${name}`, {
      status: {
        phase: 'Running',
        conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', reason: 'ContainersNotReady' }],
        containerStatuses: [
          { name: 'a', restartCount },
          { name: 'b', restartCount: 1 },
        ],
      },
    })

  it('counts each pod once, and has state and restarts of the pods behind', () => {
    const slices = [
      slice('a', [endpoint('2', false), endpoint('1', true)]),
      slice('b', [endpoint('1', true)]),
    ]
    expect(serviceHealth([service], slices, [pod('2', false, 3), pod('1', true), pod('3', true)])).toEqual([
      {
        namespace,
        name: 'web',
        ports: [80, 443],
        ready: 1,
        total: 2,
        pods: [
          { name: 'web-1', ready: true, restarts: 1, words: 'ready' },
          { name: 'web-2', ready: false, restarts: 4, words: 'Running, not ready: ContainersNotReady' },
        ],
      },
    ])
  })

  it('takes no slice of another Service or namespace, and an unknown state for ready', () => {
    const slices = [
      slice('a', [endpoint('1')]),
      slice('b', [endpoint('2', true)], 'other'),
      slice('c', [endpoint('3', true)], 'web', { namespace: 'elsewhere' }),
    ]
    expect(serviceHealth([service], slices, [])[0]).toMatchObject({ ready: 1, total: 1, pods: [] })
    expect(serviceHealth([service], [], [])[0]).toMatchObject({ ready: 0, total: 0 })
  })
})

describe('autoscalerHealth', () => {
  const spec = {
    scaleTargetRef: { kind: 'Deployment', name: 'web' },
    minReplicas: 2,
    maxReplicas: 6,
    metrics: [
      {
        type: 'Resource',
        resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } },
      },
      {
        type: 'Pods',
        pods: { metric: { name: 'requests' }, target: { type: 'AverageValue', averageValue: '10' } },
      },
    ],
  }

  it('has what it measures beside what it wants', () => {
    const status = {
      currentReplicas: 2,
      desiredReplicas: 4,
      currentMetrics: [
        {
          type: 'Resource',
          resource: { name: 'cpu', current: { averageUtilization: 140, averageValue: '70m' } },
        },
      ],
      conditions: [{ type: 'ScalingActive', status: 'True' }],
    }
    expect(autoscalerHealth([object('HorizontalPodAutoscaler', 'web', { spec, status })])).toEqual([
      {
        namespace,
        name: 'web',
        target: 'Deployment web',
        current: 2,
        desired: 4,
        min: 2,
        max: 6,
        metrics: [
          { name: 'cpu', current: '140%', target: '70%' },
          { name: 'requests', current: 'unknown', target: '10' },
        ],
      },
    ])
  })

  it('tells why it does not scale', () => {
    const conditions = [
      { type: 'ScalingActive', status: 'False', reason: 'FailedGetResourceMetric', message: 'no metrics' },
    ]
    const [one] = autoscalerHealth([
      object('HorizontalPodAutoscaler', 'web', { spec, status: { conditions } }),
    ])
    expect(one).toMatchObject({ current: 0, trouble: 'FailedGetResourceMetric: no metrics' })
  })
})

describe('schedules and Jobs', () => {
  it('has when a schedule last ran and when it last succeeded', () => {
    const spec = { schedule: '0 * * * *', timeZone: 'Etc/UTC', suspend: true }
    const status = { active: [{}], lastScheduleTime: 'T2', lastSuccessfulTime: 'T1' }
    expect(
      cronJobHealth([
        object('CronJob', 'sync', { spec, status }),
        object('CronJob', 'new', { spec: { schedule: '@daily' } }),
      ]),
    ).toEqual([
      {
        namespace,
        name: 'sync',
        schedule: '0 * * * *',
        timeZone: 'Etc/UTC',
        suspended: true,
        active: 1,
        lastScheduled: 'T2',
        lastSucceeded: 'T1',
      },
      { namespace, name: 'new', schedule: '@daily', suspended: false, active: 0 },
    ])
  })

  it('tells complete, failed and running Jobs apart, newest first, and keeps the last run of each schedule', () => {
    const run = (name: string, startTime: string, status: object, by?: string): KubeObject =>
      object(
        'Job',
        name,
        { spec: {}, status: { startTime, ...status } },
        by === undefined
          ? {}
          : { ownerReferences: [{ apiVersion: 'batch/v1', kind: 'CronJob', name: by, uid: 'u' }] },
      )
    const complete = { succeeded: 1, completionTime: 'E', conditions: [{ type: 'Complete', status: 'True' }] }
    const failed = {
      conditions: [{ type: 'Failed', status: 'True', reason: 'Deadline', lastTransitionTime: 'F' }],
    }
    const jobs = jobHealth([
      run('sync-1', 'T1', complete, 'sync'),
      run('sync-2', 'T2', failed, 'sync'),
      run('preload', 'T0', { active: 1 }),
    ])
    expect(jobs).toEqual([
      {
        namespace,
        name: 'sync-2',
        by: 'sync',
        state: 'failed',
        words: 'has failed: Deadline',
        started: 'T2',
        ended: 'F',
      },
      {
        namespace,
        name: 'sync-1',
        by: 'sync',
        state: 'complete',
        words: 'complete, 1 of 1 succeeded',
        started: 'T1',
        ended: 'E',
      },
      {
        namespace,
        name: 'preload',
        state: 'running',
        words: '0 of 1 succeeded, 1 pods active',
        started: 'T0',
      },
    ])
    expect(lastRuns(jobs).map(({ name }) => name)).toEqual(['sync-2', 'preload'])
  })
})

it('claimHealth has the volume’s size, or the wished one while there is none', () => {
  const spec = { resources: { requests: { storage: '5Gi' } } }
  expect(
    claimHealth([
      object('PersistentVolumeClaim', 'a', {
        spec: { ...spec, volumeName: 'pv', storageClassName: 'standard' },
        status: { phase: 'Bound', capacity: { storage: '10Gi' } },
      }),
      object('PersistentVolumeClaim', 'b', { spec }),
    ]),
  ).toEqual([
    { namespace, name: 'a', phase: 'Bound', volume: 'pv', size: '10Gi', storageClass: 'standard' },
    { namespace, name: 'b', phase: 'Pending', size: '5Gi', storageClass: '' },
  ])
})
