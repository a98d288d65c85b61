import { describe, expect, it } from 'vitest'
import type { Condition, ConditionState, KubeObject } from '../client.ts'
import { absent } from './absent.ts'
import { apiServiceAvailable } from './api-service-available.ts'
import { containerTroubles } from './container-trouble.ts'
import { crdEstablished } from './crd-established.ts'
import { daemonSetReady } from './daemon-set-ready.ts'
import { deploymentAvailable } from './deployment-available.ts'
import { exists } from './exists.ts'
import { jobComplete } from './job-complete.ts'
import { namespaceGone } from './namespace-gone.ts'
import { nodeReady } from './node-ready.ts'
import { podReady, podReadyUnless } from './pod-ready.ts'
import { podSucceeded } from './pod-succeeded.ts'
import { pvcBound } from './pvc-bound.ts'
import { endpointSlicesOf, serviceHasEndpoints } from './service-has-endpoints.ts'
import { statefulSetReady } from './stateful-set-ready.ts'
import { volumeUsable } from './volume-usable.ts'

const object = (fields: { spec?: object; status?: object; metadata?: object }): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Thing',
  ...fields,
  metadata: { name: 'a', generation: 2, ...fields.metadata },
})
const condition = (type: string, status: string, reason?: string, message?: string): object => ({
  conditions: [
    {
      type,
      status,
      ...(reason === undefined ? {} : { reason }),
      ...(message === undefined ? {} : { message }),
    },
  ],
})
const met = (seen: string): ConditionState => ({ met: true, seen })
const notYet = (seen: string): ConditionState => ({ met: false, seen })
const fatal = (seen: string): ConditionState => ({ met: false, fatal: true, seen })

type Case = [string, KubeObject | undefined, ConditionState]

function cases(name: string, judge: Condition, table: readonly Case[]): void {
  describe(name, () => {
    it.each(table)('%s', (_words, given, expected) => {
      expect(judge(given)).toEqual(expected)
    })
  })
}

cases('exists', exists, [
  ['absent', undefined, notYet('does not exist')],
  ['there', object({}), met('exists')],
])

cases('absent', absent, [
  ['gone', undefined, met('gone')],
  ['nobody deletes it', object({}), notYet('exists and is not being deleted')],
  [
    'kept by a finalizer',
    object({ metadata: { deletionTimestamp: '2030-01-01T00:00:00Z', finalizers: ['x/y'] } }),
    notYet('being deleted since 2030-01-01T00:00:00Z, kept by x/y'),
  ],
])

cases('namespaceGone', namespaceGone, [
  ['gone', undefined, met('gone')],
  ['nobody deletes it', object({}), notYet('exists and is not being deleted')],
  [
    'something is left in it',
    object({
      metadata: { deletionTimestamp: '2030-01-01T00:00:00Z' },
      status: condition(
        'NamespaceContentRemaining',
        'True',
        'SomeResourcesRemain',
        'pods. has 1 resource instances',
      ),
    }),
    notYet('being deleted: pods. has 1 resource instances'),
  ],
])

const counts = (replicas: number, updatedReplicas: number, availableReplicas: number) => ({
  observedGeneration: 2,
  replicas,
  updatedReplicas,
  availableReplicas,
})
cases('deploymentAvailable', deploymentAvailable, [
  ['absent', undefined, notYet('does not exist')],
  [
    'its controller has not looked',
    object({ status: { ...counts(1, 1, 1), observedGeneration: 1 } }),
    notYet('not seen by its controller yet'),
  ],
  [
    'all of it is available',
    object({ spec: { replicas: 2 }, status: counts(2, 2, 2) }),
    met('2 of 2 replicas available'),
  ],
  [
    'the default is one replica',
    object({ spec: {}, status: counts(1, 1, 1) }),
    met('1 of 1 replicas available'),
  ],
  [
    'scaled to nothing',
    object({ spec: { replicas: 0 }, status: { observedGeneration: 2 } }),
    met('0 of 0 replicas available'),
  ],
  [
    'some run the old template',
    object({ spec: { replicas: 2 }, status: counts(3, 1, 3) }),
    notYet('1 of 2 replicas updated'),
  ],
  [
    'an old one is left',
    object({ spec: { replicas: 2 }, status: counts(3, 2, 3) }),
    notYet('1 replicas of the previous version are still there'),
  ],
  [
    'updated, not available',
    object({ spec: { replicas: 2 }, status: counts(2, 2, 1) }),
    notYet('1 of 2 replicas available'),
  ],
  [
    'pods cannot be made',
    object({
      spec: { replicas: 1 },
      status: {
        observedGeneration: 2,
        ...condition('ReplicaFailure', 'True', 'FailedCreate', 'exceeded quota'),
      },
    }),
    notYet('0 of 1 replicas updated, FailedCreate: exceeded quota'),
  ],
  [
    'it has given up',
    object({
      spec: { replicas: 1 },
      status: {
        ...counts(1, 1, 0),
        ...condition('Progressing', 'False', 'ProgressDeadlineExceeded', 'timed out'),
      },
    }),
    fatal('does not progress: ProgressDeadlineExceeded: timed out'),
  ],
])

cases('statefulSetReady', statefulSetReady, [
  ['absent', undefined, notYet('does not exist')],
  [
    'its controller has not looked',
    object({ status: { observedGeneration: 1 } }),
    notYet('not seen by its controller yet'),
  ],
  [
    'ready',
    object({ spec: { replicas: 2 }, status: { observedGeneration: 2, replicas: 2, readyReplicas: 2 } }),
    met('2 of 2 replicas ready'),
  ],
  [
    'one is missing',
    object({ spec: { replicas: 2 }, status: { observedGeneration: 2, replicas: 2, readyReplicas: 1 } }),
    notYet('1 of 2 replicas ready'),
  ],
  [
    'rolling',
    object({
      spec: { replicas: 2 },
      status: {
        observedGeneration: 2,
        replicas: 2,
        readyReplicas: 2,
        updatedReplicas: 1,
        currentRevision: 'a',
        updateRevision: 'b',
      },
    }),
    notYet('1 of 2 replicas updated'),
  ],
  [
    'updated on delete only',
    object({
      spec: { replicas: 2, updateStrategy: { type: 'OnDelete' } },
      status: {
        observedGeneration: 2,
        replicas: 2,
        readyReplicas: 2,
        currentRevision: 'a',
        updateRevision: 'b',
      },
    }),
    met('2 of 2 replicas ready'),
  ],
])

const daemons = (desiredNumberScheduled: number, updatedNumberScheduled: number, numberAvailable: number) =>
  object({
    status: { observedGeneration: 2, desiredNumberScheduled, updatedNumberScheduled, numberAvailable },
  })
cases('daemonSetReady', daemonSetReady, [
  ['absent', undefined, notYet('does not exist')],
  [
    'its controller has not looked',
    object({ status: { observedGeneration: 1 } }),
    notYet('not seen by its controller yet'),
  ],
  ['no node yet', daemons(0, 0, 0), notYet('no node is to run it')],
  ['rolling', daemons(2, 1, 2), notYet('1 of 2 nodes have the current pod')],
  ['one is not available', daemons(2, 2, 1), notYet('available on 1 of 2 nodes')],
  ['ready', daemons(2, 2, 2), met('available on 2 of 2 nodes')],
])

const waiting = (reason: string, message?: string) => ({
  name: 'main',
  state: { waiting: { reason, ...(message === undefined ? {} : { message }) } },
})
const pod = (phase: string, containerStatuses: object[] = [], others: object = {}) =>
  object({ status: { phase, containerStatuses, ...others } })
const ended = (exitCode: number, reason: string) => ({
  name: 'main',
  state: { terminated: { exitCode, reason } },
})

cases('podReady', podReady, [
  ['absent', undefined, notYet('does not exist')],
  ['ready', pod('Running', [], condition('Ready', 'True')), met('ready')],
  [
    'ready, but going',
    object({
      metadata: { deletionTimestamp: '2030-01-01T00:00:00Z' },
      status: { phase: 'Running', ...condition('Ready', 'True') },
    }),
    notYet('is being deleted'),
  ],
  [
    'no node takes it',
    pod(
      'Pending',
      [],
      condition('PodScheduled', 'False', 'Unschedulable', '0/1 nodes are available: 1 Insufficient cpu.'),
    ),
    notYet('not scheduled: Unschedulable: 0/1 nodes are available: 1 Insufficient cpu.'),
  ],
  ['starting', pod('Pending', [waiting('ContainerCreating')]), notYet('Pending')],
  [
    'its probe fails',
    pod(
      'Running',
      [],
      condition('Ready', 'False', 'ContainersNotReady', 'containers with unready status: [main]'),
    ),
    notYet('Running, not ready: ContainersNotReady: containers with unready status: [main]'),
  ],
  [
    'crashing, which may pass',
    pod('Running', [
      {
        ...waiting('CrashLoopBackOff', 'back-off 10s'),
        restartCount: 2,
        lastState: { terminated: { exitCode: 1, reason: 'Error' } },
      },
    ]),
    notYet('container main waits: CrashLoopBackOff: back-off 10s, last run ended with exit code 1 (Error)'),
  ],
  [
    'no image, which may pass',
    pod('Pending', [waiting('ImagePullBackOff', 'no such image')]),
    notYet('container main waits: ImagePullBackOff: no such image'),
  ],
  [
    'an image that is never pulled',
    pod('Pending', [waiting('ErrImageNeverPull', 'not present')]),
    fatal('container main waits: ErrImageNeverPull: not present'),
  ],
  [
    'a name that is none',
    pod('Pending', [waiting('InvalidImageName')]),
    fatal('container main waits: InvalidImageName'),
  ],
  [
    'a missing ConfigMap, which may come',
    pod('Pending', [waiting('CreateContainerConfigError')]),
    notYet('container main waits: CreateContainerConfigError'),
  ],
  ['it has ended', pod('Succeeded'), fatal('has ended (Succeeded)')],
  [
    'it was evicted',
    pod('Failed', [], { reason: 'Evicted', message: 'low on memory' }),
    fatal('has ended (Failed): Evicted: low on memory'),
  ],
])

describe('podReadyUnless', () => {
  it('lets the caller say what is fatal', () => {
    const judge = podReadyUnless(['CreateContainerConfigError'])
    expect(judge(pod('Pending', [waiting('CreateContainerConfigError')]))).toMatchObject({ fatal: true })
    expect(judge(pod('Pending', [waiting('InvalidImageName')]))).not.toHaveProperty('fatal')
  })
})

cases('podSucceeded', podSucceeded, [
  ['absent', undefined, notYet('does not exist')],
  ['running', pod('Running', [{ name: 'main', state: { running: {} }, ready: true }]), notYet('Running')],
  ['succeeded', pod('Succeeded', [ended(0, 'Completed')]), met('has succeeded')],
  [
    'failed',
    pod('Failed', [ended(3, 'Error')]),
    fatal('has failed: container main ended with exit code 3 (Error)'),
  ],
  [
    'it can never start',
    pod('Pending', [waiting('ErrImageNeverPull')]),
    fatal('container main waits: ErrImageNeverPull'),
  ],
  [
    'no node takes it',
    pod('Pending', [], condition('PodScheduled', 'False', 'Unschedulable')),
    notYet('not scheduled: Unschedulable'),
  ],
])

cases('volumeUsable', volumeUsable, [
  ['nothing', undefined, notYet('does not exist')],
  ['a young one', object({}), notYet('Pending')],
  ['a free one', object({ status: { phase: 'Available' } }), met('available')],
  [
    'a bound one',
    object({
      spec: { claimRef: { namespace: 'slate', name: 'data' } },
      status: { phase: 'Bound' },
    }),
    met('bound to claim slate/data'),
  ],
  [
    'a released one',
    object({
      spec: { claimRef: { namespace: 'slate', name: 'data' } },
      status: { phase: 'Released' },
    }),
    fatal('released: claim slate/data is gone'),
  ],
  [
    'one that could not be reclaimed',
    object({ status: { phase: 'Failed', message: 'no deleter' } }),
    fatal('failed: no deleter'),
  ],
])

cases('jobComplete', jobComplete, [
  ['absent', undefined, notYet('does not exist')],
  [
    'active',
    object({ spec: { completions: 2 }, status: { active: 1, succeeded: 1, failed: 1 } }),
    notYet('1 of 2 succeeded, 1 pods active, 1 pods have failed'),
  ],
  ['suspended', object({ spec: { suspend: true } }), notYet('is suspended')],
  [
    'complete',
    object({ status: { succeeded: 1, ...condition('Complete', 'True') } }),
    met('complete, 1 of 1 succeeded'),
  ],
  [
    'failed',
    object({ status: condition('Failed', 'True', 'BackoffLimitExceeded', 'too often') }),
    fatal('has failed: BackoffLimitExceeded: too often'),
  ],
])

cases('pvcBound', pvcBound, [
  ['absent', undefined, notYet('does not exist')],
  [
    'pending',
    object({ spec: { storageClassName: 'standard' }, status: { phase: 'Pending' } }),
    notYet('Pending, class standard'),
  ],
  ['bound', object({ spec: { volumeName: 'pv-1' }, status: { phase: 'Bound' } }), met('bound to pv-1')],
  [
    'lost',
    object({ spec: { volumeName: 'pv-1' }, status: { phase: 'Lost' } }),
    fatal('has lost its volume pv-1'),
  ],
])

cases('nodeReady', nodeReady, [
  ['absent', undefined, notYet('has not registered')],
  ['ready', object({ status: condition('Ready', 'True') }), met('ready')],
  [
    'no network, and pressure',
    object({
      status: {
        conditions: [
          {
            type: 'Ready',
            status: 'False',
            reason: 'KubeletNotReady',
            message: 'cni plugin not initialized',
          },
          { type: 'MemoryPressure', status: 'False' },
          { type: 'DiskPressure', status: 'True', reason: 'KubeletHasDiskPressure' },
        ],
      },
    }),
    notYet('not ready: KubeletNotReady: cni plugin not initialized; DiskPressure (KubeletHasDiskPressure)'),
  ],
])

cases('crdEstablished', crdEstablished, [
  ['absent', undefined, notYet('does not exist')],
  ['young', object({}), notYet('not established')],
  ['established', object({ status: condition('Established', 'True') }), met('established')],
  [
    'its names are taken',
    object({ status: condition('NamesAccepted', 'False', 'ListKindConflict', 'in use') }),
    fatal('names not accepted: ListKindConflict: in use'),
  ],
])

cases('apiServiceAvailable', apiServiceAvailable, [
  ['absent', undefined, notYet('does not exist')],
  ['available', object({ status: condition('Available', 'True') }), met('available')],
  [
    'no endpoints',
    object({ status: condition('Available', 'False', 'MissingEndpoints', 'no addresses') }),
    notYet('not available: MissingEndpoints: no addresses'),
  ],
])

describe('serviceHasEndpoints', () => {
  const slice = (...ready: (boolean | undefined)[]) => ({
    ...object({}),
    endpoints: ready.map((one, index) => ({
      addresses: [`10.0.0.${String(index)}`],
      conditions: one === undefined ? {} : { ready: one },
    })),
  })

  it('selects the slices of the Service', () => {
    expect(endpointSlicesOf({ namespace: 'slate', name: 'core' })).toEqual({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      namespace: 'slate',
      labelSelector: 'kubernetes.io/service-name=core',
    })
  })

  it('counts ready addresses over all slices, and those of unknown readiness', () => {
    expect(serviceHasEndpoints()([])).toEqual(notYet('0 of 0 endpoints ready'))
    expect(serviceHasEndpoints()([slice(false)])).toEqual(notYet('0 of 1 endpoints ready'))
    expect(serviceHasEndpoints(2)([slice(true, false), slice(undefined)])).toEqual(
      met('2 of 3 endpoints ready'),
    )
    expect(serviceHasEndpoints(3)([slice(true, false), slice(undefined)])).toEqual(
      notYet('2 of 3 endpoints ready'),
    )
  })
})

describe('containerTroubles', () => {
  it('names init containers first, and is silent about what is well', () => {
    const troubled = object({
      status: {
        initContainerStatuses: [
          { name: 'first', state: { terminated: { exitCode: 0 } } },
          { ...waiting('CrashLoopBackOff'), name: 'second', restartCount: 1 },
        ],
        containerStatuses: [
          waiting('PodInitializing'),
          { name: 'sidecar', ready: false, restartCount: 3, state: { running: {} } },
        ],
      },
    })
    expect(containerTroubles(troubled).map(({ container, restarted }) => [container, restarted])).toEqual([
      ['second', true],
      ['sidecar', true],
    ])
  })
})
