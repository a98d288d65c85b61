import { describe, expect, it } from 'vitest'
import { fakeCluster } from '../../bootstrap/kube/fake-client.ts'
import { goDurationMs, metricsFresh, podSamples, requireFresh, requireSamples } from './metrics-samples.ts'
import { CheckBroke, NotProven } from './verdict.ts'

const iso = (secondsAgo: number): string => new Date(Date.now() - secondsAgo * 1000).toISOString()

interface Given {
  pod: string
  readySecondsAgo: number
  /** Absent for a pod without a sample. */
  sampleSecondsAgo?: number
  deleted?: boolean
}

/** A cluster with pods that are ready since then and have samples of then. */
function cluster(pods: readonly Given[], status = 200) {
  const fake = fakeCluster()
  for (const { pod, readySecondsAgo, deleted } of pods) {
    fake.objects.set(`Pod here/${pod}`, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: pod,
        namespace: 'here',
        labels: { app: 'web' },
        ...(deleted ? { deletionTimestamp: iso(1) } : {}),
      },
      status: { conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: iso(readySecondsAgo) }] },
    })
  }
  const items = pods.flatMap(({ pod, sampleSecondsAgo }) =>
    sampleSecondsAgo === undefined
      ? []
      : [
          {
            metadata: { name: pod },
            timestamp: iso(sampleSecondsAgo),
            window: '10s',
            containers: [
              { name: 'a', usage: { cpu: '1234567n', memory: '20Mi' } },
              { name: 'b', usage: { cpu: '3m', memory: '1024Ki' } },
            ],
          },
        ],
  )
  fake.client.raw = () =>
    Promise.resolve({ status, body: status === 200 ? JSON.stringify({ items }) : 'not yet' })
  return fake.client
}
const soon = () => AbortSignal.timeout(2_000)
const select = { namespace: 'here', labelSelector: 'app=web', pods: 2 }
const pace = { timeoutMs: 60, intervalMs: 10 }

describe('podSamples', () => {
  it('adds up the containers', async () => {
    const [sample] = await podSamples(
      cluster([{ pod: 'a', readySecondsAgo: 90, sampleSecondsAgo: 5 }]),
      'here',
      soon(),
    )
    expect(sample).toMatchObject({ pod: 'a', windowMs: 10_000, cpuMilli: 4, memoryBytes: 21 * 2 ** 20 })
  })

  it('is no answer when the metrics API has none', async () => {
    await expect(podSamples(cluster([], 503), 'here', soon())).rejects.toThrow(CheckBroke)
  })
})

it.each([
  ['10s', 10_000],
  ['1m10.5s', 70_500],
  ['1h0m0s', 3_600_000],
  ['', NaN],
  ['soon', NaN],
])('the Go duration "%s" is %d ms', (text, ms) => {
  expect(goDurationMs(text)).toBe(ms)
})

describe('metricsFresh', () => {
  it('is ok when every pod that has been ready for a while has a young sample', async () => {
    const look = await metricsFresh(
      cluster([
        { pod: 'a', readySecondsAgo: 300, sampleSecondsAgo: 12 },
        { pod: 'new', readySecondsAgo: 5 },
        { pod: 'leaving', readySecondsAgo: 300, deleted: true },
      ]),
      'here',
      soon(),
    )
    expect(look).toEqual({ ok: true, seen: '1 pods in here, oldest sample 12.0 s old' })
  })

  it.each<[what: string, pods: Given[], seen: RegExp]>([
    [
      'an old sample',
      [{ pod: 'a', readySecondsAgo: 300, sampleSecondsAgo: 100 }],
      /a: a sample of 1 min 40 s ago/,
    ],
    ['no sample', [{ pod: 'a', readySecondsAgo: 300 }], /a: no sample/],
    ['no pod', [], /no pod in here/],
  ])('is not ok with %s', async (_what, pods, seen) => {
    const look = await metricsFresh(cluster(pods), 'here', soon())
    expect(look.ok).toBe(false)
    expect(look.seen).toMatch(seen)
  })
})

describe('requireFresh', () => {
  it('waits for a pod that will have been ready for long enough', async () => {
    const young = [{ pod: 'a', readySecondsAgo: 44.9, sampleSecondsAgo: 5 }]
    expect(await requireFresh(cluster(young), 'here', { timeoutMs: 2_000, intervalMs: 10 })).toMatch(
      /^1 pods in here, oldest sample 5\.\d s old$/,
    )
  })

  it('proves nothing when no pod is there long enough, or one has an old sample only', async () => {
    const young = [{ pod: 'a', readySecondsAgo: 1, sampleSecondsAgo: 1 }]
    await expect(requireFresh(cluster(young), 'here', pace)).rejects.toThrow(NotProven)
    const old = [{ pod: 'a', readySecondsAgo: 300, sampleSecondsAgo: 100 }]
    await expect(requireFresh(cluster(old), 'here', pace)).rejects.toThrow(/No samples: .*1 min 40 s ago/)
  })
})

describe('requireSamples', () => {
  it('returns when each pod was measured after it became ready', async () => {
    const pods = ['a', 'b'].map((pod) => ({ pod, readySecondsAgo: 30, sampleSecondsAgo: 5 }))
    expect(await requireSamples(cluster(pods), select, pace)).toMatch(
      '2 of 2 pods ready, 2 measured since a 4m, b 4m',
    )
  })

  it.each<[what: string, pods: Given[]]>([
    [
      'a window that began before the pod was ready',
      ['a', 'b'].map((pod) => ({ pod, readySecondsAgo: 12, sampleSecondsAgo: 5 })),
    ],
    ['too few pods', [{ pod: 'a', readySecondsAgo: 30, sampleSecondsAgo: 5 }]],
    [
      'a pod without a sample',
      [
        { pod: 'a', readySecondsAgo: 30, sampleSecondsAgo: 5 },
        { pod: 'b', readySecondsAgo: 30 },
      ],
    ],
  ])('proves nothing with %s', async (_what, pods) => {
    await expect(requireSamples(cluster(pods), select, pace)).rejects.toThrow(NotProven)
  })

  it('breaks when the metrics API does not answer', async () => {
    await expect(requireSamples(cluster([], 503), select, pace)).rejects.toThrow(CheckBroke)
  })
})
