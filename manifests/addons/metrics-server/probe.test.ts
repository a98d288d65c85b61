import { describe, expect, it } from 'vitest'
import { fakeProbeCluster } from '../../../bootstrap/addons/fake-probe-cluster.ts'
import { settleWithFakeTime } from '../../../bootstrap/addons/settle-with-fake-time.ts'
import { LocalCloudError } from '../../../bootstrap/errors/local-cloud-error.ts'
import { probe } from './probe.ts'

function sample(changes: object = {}, usage: object = {}): { status: number; body: string } {
  const containers = [{ name: 'shell', usage: { cpu: '3245120n', memory: '412Ki', ...usage } }]
  return { status: 200, body: JSON.stringify({ timestamp: '2026-01-01T10:00:12Z', containers, ...changes }) }
}

function result(answers: { status: number; body: string }[]): {
  outcome: ReturnType<typeof probe>
  paths: string[]
} {
  const fake = fakeProbeCluster()
  const paths: string[] = []
  fake.raw((path) => {
    paths.push(path)
    return (answers.length > 1 ? answers.shift() : answers[0]) ?? { status: 500, body: '' }
  })
  return { outcome: settleWithFakeTime(() => probe(fake.context)), paths }
}

describe('the probe of metrics-server', () => {
  it('passes with a sample of the named pod, also when that takes a while', async () => {
    const { outcome, paths } = result([
      { status: 503, body: 'not yet' },
      { status: 404, body: 'no sample' },
      sample(),
    ])
    expect(await outcome).toEqual({
      result: 'pass',
      seen: 'pod measured: cpu 3245120n, memory 412Ki, sampled 2026-01-01T10:00:12Z',
    })
    expect(paths.at(-1)).toBe('/apis/metrics.k8s.io/v1beta1/namespaces/probe-ns/pods/measured')
  })

  it.each([
    ['the API has no server', { status: 503, body: 'service unavailable' }, '503'],
    ['there is no sample', { status: 404, body: 'podmetrics not found' }, '404'],
    [
      'the sample is older than the pod',
      sample({ timestamp: '2026-01-01T09:59:59Z' }),
      'the pod started at 2026-01-01T10:00:00Z',
    ],
    ['the sample lacks the container', sample({ containers: [] }), 'lacks the container'],
    ['memory is zero', sample({}, { memory: '0' }), 'memory 0'],
    ['cpu is no quantity', sample({}, { cpu: '' }), 'says cpu'],
    ['it is not PodMetrics', { status: 200, body: 'ok' }, 'not PodMetrics'],
  ])('fails when %s', async (_, answer, seen) => {
    expect(await result([answer]).outcome).toMatchObject({
      result: 'fail',
      seen: expect.stringContaining(seen) as string,
    })
  })

  it('says nothing when the API cannot be asked', async () => {
    const fake = fakeProbeCluster()
    const gone = new LocalCloudError('API_UNREACHABLE', { message: 'refused' })
    fake.raw(() => {
      throw gone
    })
    await expect(probe(fake.context)).rejects.toBe(gone)
  })
})
