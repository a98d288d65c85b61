import { describe, expect, it } from 'vitest'
import type { ExecResult } from '../../kube/client.ts'
import { LocalCloudError } from '../../errors/local-cloud-error.ts'
import { fakeProbeCluster } from '../fake-probe-cluster.ts'
import { askHttp } from './ask-http.ts'
import { describeLookUp, lookUp } from './look-up.ts'
import { runInPod } from './run-in-pod.ts'

const pod = { namespace: 'ns', name: 'client' }
const { signal } = new AbortController()

function answering(
  result: Partial<ExecResult> | Error,
): ReturnType<typeof fakeProbeCluster>['context']['kube'] {
  const fake = fakeProbeCluster()
  fake.answer(() => result)
  return fake.context.kube
}

describe('runInPod', () => {
  it.each([126, 127, 139, -1])(
    'calls exit code %d a probe that could not be carried out',
    async (exitCode) => {
      await expect(
        runInPod(answering({ exitCode, stderr: 'nc: not found' }), pod, 'nc', [], signal),
      ).rejects.toMatchObject({
        code: 'PROBE_NOT_RUN',
        evidence: ['sh -c "nc" ', 'nc: not found'],
      })
    },
  )

  it.each([124, 137, 143])('calls exit code %d out of time', async (exitCode) => {
    expect(await runInPod(answering({ exitCode }), pod, 'sleep 9', [], signal)).toMatchObject({
      timedOut: true,
    })
  })

  it('returns what the script itself reports', async () => {
    expect(await runInPod(answering({ exitCode: 1, stderr: 'no' }), pod, 'false', [], signal)).toMatchObject({
      exitCode: 1,
      timedOut: false,
    })
  })
})

describe('askHttp', () => {
  const to = { ip: '10.0.0.1', port: 8080, expected: 'canary' }

  it.each<[string, Partial<ExecResult>, object]>([
    ['the expected text', { stdout: 'HTTP/1.1 200 OK\r\n\r\ncanary' }, { kind: 'answered' }],
    ['silence until timeout(1) ends it', { exitCode: 143, stderr: 'Terminated' }, { kind: 'timed-out' }],
    ['silence until nc gives up', { exitCode: 1, stderr: 'nc: timed out' }, { kind: 'timed-out' }],
    [
      'silence, in the words of another nc',
      { exitCode: 1, stderr: 'nc: 10.0.0.1 (10.0.0.1:80): Connection timed out' },
      { kind: 'timed-out' },
    ],
    [
      'a refusal',
      { exitCode: 1, stderr: 'nc: Connection refused' },
      { kind: 'other', seen: 'nc: Connection refused' },
    ],
    [
      'another text',
      { stdout: 'HTTP/1.1 404 Not Found\r\n' },
      { kind: 'other', seen: 'HTTP/1.1 404 Not Found' },
    ],
    ['nothing at all', { exitCode: 0 }, { kind: 'other', seen: 'exit code 0' }],
  ])('tells %s', async (_, result, answer) => {
    expect(await askHttp(answering(result), pod, to, signal)).toEqual(answer)
  })

  it('never takes an attempt that could not be made for silence', async () => {
    const refused = new LocalCloudError('API_REFUSED', { message: 'exec timed out' })
    await expect(askHttp(answering(refused), pod, to, signal)).rejects.toBe(refused)
    await expect(askHttp(answering({ exitCode: 127 }), pod, to, signal)).rejects.toMatchObject({
      code: 'PROBE_NOT_RUN',
    })
  })
})

describe('lookUp', () => {
  const server = 'Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\n'

  it.each<[string, Partial<ExecResult>, string]>([
    ['an address', { stdout: `${server}Name:\tx.\nAddress: 10.96.0.7\n\n` }, 'resolved to 10.96.0.7'],
    [
      'several addresses',
      { stdout: `${server}Name:\tx.\nAddress: 10.0.0.1\nName:\tx.\nAddress: 10.0.0.2\n` },
      'resolved to 10.0.0.1, 10.0.0.2',
    ],
    [
      'a name that does not exist',
      { exitCode: 1, stdout: `${server}** server can't find x.: NXDOMAIN\n` },
      'does not exist (NXDOMAIN)',
    ],
    [
      'nobody there',
      { exitCode: 1, stdout: ';; connection timed out; no servers could be reached\n' },
      'timed out',
    ],
    ['a resolver that hangs', { exitCode: 143 }, 'timed out'],
    [
      'a server that fails',
      { exitCode: 1, stdout: `${server}** server can't find x.: SERVFAIL` },
      "was answered with: ** server can't find x.: SERVFAIL",
    ],
    ['an answer without address', { stdout: server }, 'was answered with: Address:\t10.96.0.10:53'],
  ])('tells %s', async (_, result, words) => {
    expect(describeLookUp(await lookUp(answering(result), pod, 'x.', signal))).toBe(words)
  })
})
