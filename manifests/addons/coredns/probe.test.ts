import { describe, expect, it } from 'vitest'
import { fakeProbeCluster } from '../../../bootstrap/addons/fake-probe-cluster.ts'
import { settleWithFakeTime } from '../../../bootstrap/addons/settle-with-fake-time.ts'
import { LocalCloudError } from '../../../bootstrap/errors/local-cloud-error.ts'
import type { ExecResult } from '../../../bootstrap/kube/client.ts'
import { probe } from './probe.ts'

const head = 'Server:\t10.96.0.10\nAddress:\t10.96.0.10:53\n\n'
const address = (ip: string): Partial<ExecResult> => ({ stdout: `${head}Name:\tx.\nAddress: ${ip}\n` })
const nxdomain: Partial<ExecResult> = { exitCode: 1, stdout: `${head}** server can't find x.: NXDOMAIN\n` }
const silence: Partial<ExecResult> = {
  exitCode: 1,
  stdout: ';; connection timed out; no servers could be reached\n',
}

function result(
  answers: Partial<Record<'plain' | 'headless' | 'absent' | 'outside', Partial<ExecResult> | Error>>,
): ReturnType<typeof probe> {
  const given = {
    plain: address('10.96.0.7'),
    headless: address('10.244.0.5'),
    absent: nxdomain,
    outside: nxdomain,
    ...answers,
  }
  const fake = fakeProbeCluster()
  const { status } = fake.cluster
  fake.cluster.status = (object) =>
    object.kind === 'Pod' ? { ...status(object), podIP: '10.244.0.5' } : status(object)
  fake.answer(({ args: [name = ''] }) => {
    if (name === 'absent.invalid.') return given.outside
    return given[name.slice(0, name.indexOf('.')) as 'plain']
  })
  return settleWithFakeTime(() => probe(fake.context))
}

describe('the probe of coredns', () => {
  it('passes when names resolve and absent ones are said to be absent', async () => {
    expect(await result({})).toMatchObject({ result: 'pass' })
  })

  it.each<[string, Parameters<typeof result>[0], string]>([
    [
      'nobody answers',
      { plain: silence, headless: silence, absent: silence, outside: silence },
      'plain.probe-ns.svc.cluster.local. timed out',
    ],
    [
      'a Service does not exist',
      { plain: nxdomain },
      'does not exist (NXDOMAIN), not: resolved to 10.96.0.7',
    ],
    [
      'a headless Service gives another address',
      { headless: address('10.96.0.9') },
      'resolved to 10.96.0.9, not: resolved to 10.244.0.5',
    ],
    [
      'an absent name times out',
      { absent: silence },
      'absent.probe-ns.svc.cluster.local. timed out, not: does not exist',
    ],
    ['an outer name times out', { outside: silence }, 'absent.invalid. timed out'],
    [
      'an absent name resolves',
      { absent: address('192.0.2.1') },
      'resolved to 192.0.2.1, not: does not exist',
    ],
  ])('fails when %s', async (_, answers, seen) => {
    expect(await result(answers)).toMatchObject({
      result: 'fail',
      seen: expect.stringContaining(seen) as string,
    })
  })

  it.each([
    ['exec is refused', new LocalCloudError('API_REFUSED', { message: 'no' }), 'API_REFUSED'],
    ['there is no nslookup', { exitCode: 127 }, 'PROBE_NOT_RUN'],
  ])('says nothing when %s', async (_, plain, code) => {
    await expect(result({ plain })).rejects.toMatchObject({ code })
  })
})
