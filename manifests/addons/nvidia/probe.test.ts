import { beforeEach, describe, expect, it } from 'vitest'
import { fakeProbeCluster, type FakeProbeCluster } from '../../../bootstrap/addons/fake-probe-cluster.ts'
import { settleWithFakeTime } from '../../../bootstrap/addons/settle-with-fake-time.ts'
import { gpuLabels } from '../../../bootstrap/plan/gpu-plan.ts'
import { probe } from './probe.ts'

let fake: FakeProbeCluster
beforeEach(() => {
  fake = fakeProbeCluster()
})

const run = () => settleWithFakeTime(() => probe(fake.context))

function node(allocatable: string | undefined, labels: Record<string, string> = {}): void {
  fake.cluster.objects.set('Node gpus', {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: 'gpus',
      labels: {
        [gpuLabels.present]: 'true',
        [gpuLabels.tier]: 'mock',
        [gpuLabels.advertised]: '2',
        ...labels,
      },
    },
    status: { allocatable: allocatable === undefined ? {} : { 'nvidia.com/gpu': allocatable } },
  })
}

function holder(name: string, gpus: string, given: readonly [string, string][]): void {
  const resources = given.map(([resourceID, health]) => ({ resourceID, health }))
  fake.cluster.objects.set(`Pod slate/${name}`, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'slate' },
    spec: { containers: [{ name: 'main', resources: { limits: { 'nvidia.com/gpu': gpus } } }] },
    status: {
      phase: 'Running',
      containerStatuses: [{ allocatedResourcesStatus: [{ name: 'nvidia.com/gpu', resources }] }],
    },
  })
}

const devices = (one: string, none: string): void => {
  fake.answer(({ pod }) => ({ stdout: pod === 'one-gpu' ? one : none }))
}

describe('where a GPU is free', () => {
  it('passes when a pod with one has its device, and a pod without has none', async () => {
    node('2')
    devices('nvidia1\n', '')
    expect(await run()).toEqual({
      result: 'pass',
      seen: 'gpus offers 2 GPUs of tier mock; a pod with one has nvidia1, a pod without has none',
    })
  })

  it.each([
    ['the pod with one has no device', '', '', 'a pod with one has no device'],
    ['the pod with one has two', 'nvidia0\nnvidia1', '', 'has nvidia0\nnvidia1'],
    ['the pod without has one', 'nvidia0', 'nvidia1', 'a pod without has nvidia1'],
  ])('fails when %s', async (_what, one, none, seen) => {
    node('2')
    devices(one, none)
    expect(await run()).toEqual({ result: 'fail', seen: expect.stringContaining(seen) as string })
  })
})

describe('while the plugin restarts', () => {
  /** The kubelet refuses the first so many pods that ask for a GPU. */
  const refusing = (times: number): void => {
    const { status } = fake.cluster
    let left = times
    fake.cluster.status = (object) => {
      if (object.metadata.name !== 'one-gpu' || (left -= 1) < 0) return status(object)
      const message = 'Pod was rejected: Allocate failed due to no healthy devices present'
      return { phase: 'Failed', reason: 'UnexpectedAdmissionError', message }
    }
  }

  it('tries again when the kubelet refuses a pod on an offer that is out of date', async () => {
    node('2')
    devices('nvidia1', '')
    refusing(3)
    expect(await run()).toMatchObject({ result: 'pass' })
  })

  it('fails when that does not end', async () => {
    node('2')
    refusing(Infinity)
    expect(await run()).toEqual({
      result: 'fail',
      code: 'GPU_NOT_REGISTERED',
      seen: expect.stringMatching(
        /offers 2 GPUs.* is refused: Pod was rejected: .*no healthy devices/,
      ) as string,
    })
  })
})

describe('the offer', () => {
  it.each([
    ['the plugin registered none', undefined, 'offers 0 of 2'],
    ['one is missing', '1', 'offers 1 of 2'],
    ['there is one too many', '3', 'offers 3 of 2'],
  ])('fails when %s', async (_what, allocatable, seen) => {
    node(allocatable)
    devices('nvidia0', '')
    expect(await run()).toEqual({
      result: 'fail',
      code: 'GPU_NOT_REGISTERED',
      seen: expect.stringContaining(seen) as string,
    })
  })

  it('fails when no node was given GPUs', async () => {
    expect(await run()).toEqual({
      result: 'fail',
      code: 'GPU_NOT_REGISTERED',
      seen: expect.stringContaining('no node is labelled') as string,
    })
  })
})

describe('where other pods ask for all', () => {
  it('passes when one of them has what it asks for', async () => {
    node('2')
    holder('ollama', '1', [['GPU-a', 'Healthy']])
    holder('loop', '1', [])
    expect(await run()).toEqual({
      result: 'pass',
      seen: 'gpus offers 2 GPUs of tier mock, and all are asked for: ollama has GPU-a of 1, loop waits for 1',
    })
  })

  it.each([
    ['none of them has any', [] as [string, string][]],
    ['the only one that has some has too few', [['GPU-a', 'Healthy']] as [string, string][]],
    [
      'one of them is not healthy',
      [
        ['GPU-a', 'Healthy'],
        ['GPU-b', 'Unhealthy'],
      ] as [string, string][],
    ],
  ])('fails when %s', async (_what, given) => {
    node('2')
    holder('ollama', '2', given)
    expect(await run()).toMatchObject({ result: 'fail' })
  })
})
