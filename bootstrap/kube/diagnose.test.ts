import { describe, expect, it } from 'vitest'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { KubeClient, KubeObject, ListQuery } from './client.ts'
import { diagnose } from './diagnose.ts'

type Reader = Pick<KubeClient, 'get' | 'list' | 'logs'>

/** A reader over a set of objects; log lines by `container` and `container previous`. */
function reader(objects: readonly KubeObject[], logs: Record<string, string> = {}): Reader {
  const matches = (object: KubeObject, query: ListQuery): boolean =>
    object.kind === query.kind &&
    (query.namespace === undefined || object.metadata.namespace === query.namespace) &&
    (query.labelSelector ?? '')
      .split(',')
      .filter((term) => term !== '')
      .every((term) => object.metadata.labels?.[term.split('=')[0] ?? ''] === term.split('=')[1])
  return {
    get: (ref) =>
      Promise.resolve(
        objects.find(
          (object) =>
            object.kind === ref.kind &&
            object.metadata.name === ref.name &&
            object.metadata.namespace === ref.namespace,
        ),
      ),
    list: (query) => Promise.resolve(objects.filter((object) => matches(object, query))),
    logs: ({ container, previous, tailLines }) => {
      const text = logs[`${container ?? ''}${previous === true ? ' previous' : ''}`]
      if (text === undefined) return Promise.reject(new LocalCloudError('API_REFUSED', { message: 'no log' }))
      return Promise.resolve(
        text
          .trimEnd()
          .split('\n')
          .slice(-(tailLines ?? 0))
          .join('\n'),
      )
    },
  }
}

const namespace = 'slate'
const labels = { app: 'core' }
const deployment: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'core', namespace, uid: 'd', generation: 1 },
  spec: { replicas: 1, selector: { matchLabels: labels } },
  status: {
    observedGeneration: 1,
    replicas: 1,
    updatedReplicas: 1,
    conditions: [
      { type: 'Available', status: 'False', reason: 'MinimumReplicasUnavailable', message: 'not enough' },
      { type: 'Progressing', status: 'True', reason: 'ReplicaSetUpdated' },
    ],
  },
}
const replicaSet: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  metadata: {
    name: 'core-1',
    namespace,
    uid: 'r',
    labels,
    ownerReferences: [{ kind: 'Deployment', name: 'core', uid: 'd', apiVersion: 'apps/v1' }],
  },
}
const pod = (name: string, status: object, spec: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace, uid: `uid-${name}`, labels },
  spec: { nodeName: 'n', ...spec },
  status,
})
const event = (
  about: KubeObject,
  lastTimestamp: string,
  reason: string,
  message: string,
  more: object = {},
): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name: `${about.metadata.name}.${reason}`, namespace: about.metadata.namespace ?? 'default' },
  type: 'Warning',
  reason,
  message,
  lastTimestamp,
  involvedObject: {
    kind: about.kind,
    name: about.metadata.name,
    namespace: about.metadata.namespace,
    uid: about.metadata.uid,
  },
  ...more,
})
const crashing = pod('core-1-x', {
  phase: 'Running',
  containerStatuses: [
    {
      name: 'main',
      ready: false,
      restartCount: 3,
      state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 40s' } },
      lastState: { terminated: { exitCode: 1, reason: 'Error' } },
    },
    { name: 'well', ready: true, state: { running: {} } },
  ],
})
const ref = (object: KubeObject) => ({
  apiVersion: object.apiVersion,
  kind: object.kind,
  name: object.metadata.name,
  namespace,
})
const signal = AbortSignal.timeout(60_000)

describe('diagnose', () => {
  it('leads from a Deployment to the container that crashes, its events in order and its logs of both runs', async () => {
    const lines = await diagnose(
      reader(
        [
          deployment,
          replicaSet,
          crashing,
          event(crashing, '2030-01-01T00:00:03Z', 'BackOff', 'Back-off restarting', { count: 4 }),
          event(replicaSet, '2030-01-01T00:00:01Z', 'SuccessfulCreate', 'Created pod'),
          event(crashing, '2030-01-01T00:00:02Z', 'Started', 'Started container', { type: 'Normal' }),
          event(
            { ...crashing, metadata: { ...crashing.metadata, uid: 'of-an-earlier-pod' } },
            '2029-01-01T00:00:00Z',
            'Killing',
            'old story',
          ),
          event(pod('other', {}), '2030-01-01T00:00:04Z', 'Other', 'of another pod'),
        ],
        { 'main previous': 'starting\nno model: token=abcdef1234567\n', main: 'starting\n' },
      ),
      ref(deployment),
      signal,
    )
    expect(lines).toEqual([
      'Deployment slate/core: 0 of 1 replicas available',
      '  Available=False MinimumReplicasUnavailable: not enough',
      '  0 of 1 pods ready',
      'Pod slate/core-1-x: container main waits: CrashLoopBackOff: back-off 40s, last run ended with exit code 1 (Error)',
      'event 2030-01-01T00:00:01Z Warning SuccessfulCreate ReplicaSet slate/core-1: Created pod',
      'event 2030-01-01T00:00:02Z Normal Started Pod slate/core-1-x: Started container',
      'event 2030-01-01T00:00:03Z Warning BackOff Pod slate/core-1-x: Back-off restarting (4 times)',
      'log of slate/core-1-x main, previous run:',
      '  starting',
      '  no model: token=[removed]',
      'log of slate/core-1-x main:',
      '  starting',
    ])
  })

  it('tells the scheduler’s words and the claim behind them', async () => {
    const pending = pod(
      'core-1-y',
      {
        phase: 'Pending',
        conditions: [
          {
            type: 'PodScheduled',
            status: 'False',
            reason: 'Unschedulable',
            message: '0/1 nodes are available',
          },
        ],
      },
      {
        nodeName: undefined,
        volumes: [
          { persistentVolumeClaim: { claimName: 'data' } },
          { persistentVolumeClaim: { claimName: 'none' } },
        ],
      },
    )
    const claim: KubeObject = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'data', namespace, uid: 'c' },
      spec: { storageClassName: 'fast' },
      status: { phase: 'Pending' },
    }
    const lines = await diagnose(
      reader([
        pending,
        claim,
        event(claim, '2030-01-01T00:00:00Z', 'ProvisioningFailed', 'storageclass "fast" not found'),
      ]),
      ref(pending),
      signal,
    )
    expect(lines).toEqual([
      'Pod slate/core-1-y: not scheduled: Unschedulable: 0/1 nodes are available',
      '  PodScheduled=False Unschedulable: 0/1 nodes are available',
      'PersistentVolumeClaim slate/data: Pending, class fast',
      'PersistentVolumeClaim slate/none: does not exist',
      'event 2030-01-01T00:00:00Z Warning ProvisioningFailed PersistentVolumeClaim slate/data: storageclass "fast" not found',
    ])
  })

  it('says that a Service selects nothing', async () => {
    const service: KubeObject = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'core', namespace },
      spec: { selector: { app: 'cor' } },
    }
    expect(await diagnose(reader([service, crashing]), ref(service), signal)).toEqual([
      'Service slate/core: exists',
      '  no pod matches its selector',
    ])
  })

  it('finds the events of a node, which lie in the namespace default', async () => {
    const node: KubeObject = {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'n', uid: 'u' },
      status: {
        conditions: [
          { type: 'Ready', status: 'False', reason: 'KubeletNotReady', message: 'no cni' },
          { type: 'DiskPressure', status: 'True' },
        ],
      },
    }
    const told = event(
      { ...node, metadata: { name: 'n', uid: 'n' } },
      '2030-01-01T00:00:00Z',
      'NodeNotReady',
      'Node n is not ready',
    )
    expect(
      await diagnose(reader([node, told]), { apiVersion: 'v1', kind: 'Node', name: 'n' }, signal),
    ).toEqual([
      'Node n: not ready: KubeletNotReady: no cni; DiskPressure ()',
      '  Ready=False KubeletNotReady: no cni',
      '  DiskPressure=True',
      'event 2030-01-01T00:00:00Z Warning NodeNotReady Node n: Node n is not ready',
    ])
  })

  it('keeps the last ten events and the last twenty lines', async () => {
    const events = Array.from({ length: 15 }, (_, index) =>
      event(crashing, `2030-01-01T00:00:${String(index + 10)}Z`, 'BackOff', `number ${String(index)}`),
    )
    const log = Array.from({ length: 50 }, (_, index) => `line ${String(index)}`).join('\n')
    const lines = await diagnose(reader([crashing, ...events], { main: log }), ref(crashing), signal)
    expect(lines.filter((line) => line.startsWith('event'))).toHaveLength(10)
    expect(lines.filter((line) => line.startsWith('  line'))).toHaveLength(20)
    expect(lines.at(-1)).toBe('  line 49')
  })

  it('tells what it could not read and goes on', async () => {
    const broken = { ...reader([deployment]), list: () => Promise.reject(new Error('connection refused')) }
    const lines = await diagnose(broken, ref(deployment), signal)
    expect(lines).toContain('its pods could not be read: connection refused')
    expect(lines[0]).toBe('Deployment slate/core: 0 of 1 replicas available')
  })

  it('says that the object is not there, with the events about it', async () => {
    const lines = await diagnose(
      reader([event(crashing, '2030-01-01T00:00:00Z', 'Killing', 'stopping')]),
      ref(crashing),
      signal,
    )
    expect(lines).toEqual([
      'Pod slate/core-1-x: does not exist',
      'event 2030-01-01T00:00:00Z Warning Killing Pod slate/core-1-x: stopping',
    ])
  })

  it('tells of a failed Job the last lines and the events of its newest pod', async () => {
    const job: KubeObject = {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'preload', namespace, uid: 'j' },
      spec: { selector: { matchLabels: { app: 'core' } } },
      status: { conditions: [{ type: 'Failed', status: 'True', reason: 'BackoffLimitExceeded' }] },
    }
    const attempt = (name: string, creationTimestamp: string): KubeObject => {
      const made = pod(name, {
        phase: 'Failed',
        containerStatuses: [{ name: 'main', state: { terminated: { exitCode: 1, reason: 'Error' } } }],
      })
      return { ...made, metadata: { ...made.metadata, creationTimestamp } }
    }
    const attempts = ['1', '2', '3'].map((n) => attempt(`preload-${n}`, `2030-01-01T00:00:0${n}Z`))
    const told = event(attempts[2]!, '2030-01-01T00:00:09Z', 'Failed', 'the third attempt')
    const lines = await diagnose(reader([job, ...attempts, told], { main: 'no model\n' }), ref(job), signal)
    expect(lines[0]).toBe('Job slate/preload: has failed: BackoffLimitExceeded')
    expect(lines.filter((line) => line.startsWith('log of'))).toEqual([
      'log of slate/preload-3 main:',
      'log of slate/preload-2 main:',
    ])
    expect(lines).toContain('  no model')
    expect(lines.join('\n')).toContain('the third attempt')
  })

  it('shows what an init container that still runs has said', async () => {
    const waiting = pod('core-1-x', {
      phase: 'Pending',
      initContainerStatuses: [{ name: 'wait', ready: false, state: { running: {} } }],
      containerStatuses: [{ name: 'main', ready: false, state: { waiting: { reason: 'PodInitializing' } } }],
    })
    const lines = await diagnose(reader([waiting], { wait: 'nobody answers\n' }), ref(waiting), signal)
    expect(lines).toContain('log of slate/core-1-x wait:')
    expect(lines.at(-1)).toBe('  nobody answers')
  })
})
