import { describe, expect, it } from 'vitest'
import { fakeProbeCluster, type FakeProbeCluster } from '../../../bootstrap/addons/fake-probe-cluster.ts'
import { settleWithFakeTime } from '../../../bootstrap/addons/settle-with-fake-time.ts'
import type { ExecResult } from '../../../bootstrap/kube/client.ts'
import { LocalCloudError } from '../../../bootstrap/errors/local-cloud-error.ts'
import { probe } from './probe.ts'
import { sabotage } from './sabotage.ts'

const server = { stdout: 'HTTP/1.1 200 OK\r\n\r\nlocal-cloud canary server' }
const control = { stdout: 'HTTP/1.1 200 OK\r\n\r\nlocal-cloud canary control' }
const silence: Partial<ExecResult> = { exitCode: 143, stderr: 'Terminated' }
const refusal: Partial<ExecResult> = { exitCode: 1, stderr: 'nc: Connection refused' }

type Answers = Partial<
  Record<'server' | 'control' | 'service', (denied: boolean) => Partial<ExecResult> | Error>
>

function network(answers: Answers): FakeProbeCluster {
  const fake = fakeProbeCluster()
  const given = {
    server: (denied: boolean) => (denied ? silence : server),
    control: () => control,
    service: () => server,
    ...answers,
  }
  fake.answer(({ args: [ip] }) => {
    const denied = fake.cluster.objects.has('NetworkPolicy probe-ns/deny-all')
    if (ip === 'ip-server') return given.server(denied)
    return ip === 'ip-control' ? given.control(denied) : given.service(denied)
  })
  return fake
}

const result = (answers: Answers): ReturnType<typeof probe> =>
  settleWithFakeTime(() => probe(network(answers).context))

describe('the probe of cilium', () => {
  it('passes when only the selected server falls silent, and only under the policy', async () => {
    expect(await result({})).toMatchObject({
      result: 'pass',
      seen: expect.stringContaining('10.96.0.7') as string,
    })
  })

  it.each<[string, Answers, string]>([
    [
      'nothing ever answers',
      { server: () => silence, control: () => silence },
      'before any policy the server timed out',
    ],
    ['the policy is not enforced', { server: () => server }, 'the server answered and the control answered'],
    [
      'a refusal stands in for enforcement',
      { server: (denied) => (denied ? refusal : server) },
      'did not answer (nc: Connection refused)',
    ],
    [
      'the control falls silent too',
      { control: (denied) => (denied ? silence : control) },
      'the control timed out',
    ],
    [
      'another server answers in its place',
      { server: () => control },
      'before any policy the server did not answer',
    ],
    ['the ClusterIP does not answer', { service: () => silence }, 'the ClusterIP 10.96.0.7 timed out'],
  ])('fails when %s', async (_, answers, seen) => {
    expect(await result(answers)).toMatchObject({
      result: 'fail',
      seen: expect.stringContaining(seen) as string,
    })
  })

  it('fails when the server stays silent after the policy is gone', async () => {
    let denied = false
    const stuck = result({
      server: (now) => {
        denied ||= now
        return denied ? silence : server
      },
    })
    expect(await stuck).toMatchObject({
      result: 'fail',
      seen: expect.stringContaining('after the policies were deleted the server timed out') as string,
    })
  })

  it('fails when silence does not last', async () => {
    let turn = 0
    const flapping = result({ server: (denied) => (denied && (turn += 1) % 2 === 1 ? silence : server) })
    expect(await flapping).toMatchObject({ result: 'fail' })
  })

  it.each([
    ['exec is refused', new LocalCloudError('API_REFUSED', { message: 'no exec' }), 'API_REFUSED'],
    ['the shell lacks a program', { exitCode: 127, stderr: 'sh: nc: not found' }, 'PROBE_NOT_RUN'],
  ])('says nothing when %s under the policy', async (_, broken, code) => {
    await expect(result({ server: (denied) => (denied ? broken : server) })).rejects.toMatchObject({ code })
  })

  it('says nothing when a canary does not start', async () => {
    const fake = network({})
    fake.stuck.add('client')
    await expect(settleWithFakeTime(() => probe(fake.context))).rejects.toMatchObject({
      code: 'WAIT_TIMEOUT',
    })
  })
})

describe('the sabotage of cilium', () => {
  const { signal } = new AbortController()

  it('changes every agent, and back', async () => {
    const fake = fakeProbeCluster()
    const said: string[] = []
    fake.answer(({ pod, argv }) => {
      said.push(`${pod} ${argv.at(-1) ?? ''}`)
      return {}
    })
    const agent = (name: string): never =>
      ({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: 'kube-system', labels: { 'k8s-app': 'cilium' } },
      }) as never
    await fake.context.kube.apply([agent('one'), agent('two')], { signal })
    await sabotage.break(fake.context.kube, signal)
    await sabotage.restore(fake.context.kube, signal)
    expect(said).toEqual([
      'one PolicyEnforcement=never',
      'two PolicyEnforcement=never',
      'one PolicyEnforcement=default',
      'two PolicyEnforcement=default',
    ])
  })

  it('does not take a refusal for success', async () => {
    const fake = fakeProbeCluster()
    await expect(sabotage.break(fake.context.kube, signal)).rejects.toMatchObject({ code: 'PROBE_NOT_RUN' })
  })
})
