import { hostname } from 'node:os'
import { describe, expect, it } from 'vitest'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { Probe } from './addon.ts'
import { fakeProbeCluster } from './fake-probe-cluster.ts'
import { probeLabel } from './probe-namespace.ts'
import { makePeerNamespace } from './probing/peer-namespace.ts'
import { runProbe } from './run-probe.ts'

const deadPid = 4_194_304 + 7

function run(
  probe: Probe,
  fake = fakeProbeCluster(),
  signal = new AbortController().signal,
): ReturnType<typeof runProbe> {
  const { kube, shellImage, ingressUrl } = fake.context
  return runProbe({ name: 'example', probe }, kube, { shellImage, ingressUrl, signal })
}

function namespace(name: string, owner: string, extra: object = {}): [string, never] {
  const metadata = {
    name,
    labels: { [probeLabel]: 'example' },
    annotations: { 'local-cloud.io/probe-owner': owner },
    creationTimestamp: new Date().toISOString(),
    ...extra,
  }
  return [`Namespace ${name}`, { apiVersion: 'v1', kind: 'Namespace', metadata } as never]
}

describe('runProbe', () => {
  it('gives the probe a labelled namespace of its own and deletes it and its peer afterwards', async () => {
    const fake = fakeProbeCluster()
    let inside: string[] = []
    const result = await run(async (context) => {
      await makePeerNamespace(context, 'example')
      inside = [...fake.cluster.objects.keys()].filter((key) => key.startsWith('Namespace '))
      const made = fake.cluster.objects.get(`Namespace ${context.namespace}`)
      expect(made?.metadata.labels).toMatchObject({
        [probeLabel]: 'example',
        'app.kubernetes.io/managed-by': 'local-cloud',
        'pod-security.kubernetes.io/enforce': 'privileged',
      })
      return { result: 'pass', seen: context.namespace }
    }, fake)
    expect(result).toMatchObject({
      result: 'pass',
      seen: expect.stringMatching(/^local-cloud-probe-example-[0-9a-f]{6}$/) as string,
    })
    expect(inside).toHaveLength(2)
    expect([...fake.cluster.objects.keys()].filter((key) => key.startsWith('Namespace '))).toEqual([])
  })

  it('calls a probe that could not be carried out not proven, with its reason', async () => {
    const fake = fakeProbeCluster()
    const result = await run(async () => {
      throw new LocalCloudError('API_REFUSED', { message: 'exec refused', evidence: ['403'] })
    }, fake)
    expect(result).toEqual({ result: 'not-proven', reason: 'exec refused\n403' })
    expect(
      fake.cluster.changes.filter((change) =>
        change.startsWith('delete Namespace local-cloud-probe-example-'),
      ),
    ).toHaveLength(2)
  })

  it('reports a defect of the probe as one, and still deletes', async () => {
    const fake = fakeProbeCluster()
    await expect(run(() => Promise.reject(new TypeError('x is undefined')), fake)).rejects.toMatchObject({
      code: 'INTERNAL',
    })
    expect(fake.cluster.changes.some((change) => change.startsWith('delete Namespace'))).toBe(true)
  })

  it.each(['INTERRUPTED', 'STEP_TIMEOUT'] as const)('passes %s on, and still deletes', async (code) => {
    const fake = fakeProbeCluster()
    const controller = new AbortController()
    const interrupted = run(
      async ({ kube, signal }) => {
        controller.abort(new LocalCloudError(code, { message: 'stop' }))
        await kube.list({ apiVersion: 'v1', kind: 'Pod' }, signal)
        return { result: 'pass', seen: '' }
      },
      fake,
      controller.signal,
    )
    await expect(interrupted).rejects.toMatchObject({ code })
    expect(fake.cluster.changes.some((change) => change.startsWith('delete Namespace'))).toBe(true)
  })

  it('does not lose the outcome when the namespace cannot be deleted', async () => {
    const fake = fakeProbeCluster()
    const result = await run(async () => {
      fake.cluster.fail.delete = new LocalCloudError('API_UNREACHABLE', { message: 'gone' })
      return { result: 'fail', seen: 'broken' }
    }, fake)
    expect(result).toEqual({ result: 'fail', seen: 'broken' })
  })

  it('deletes what dead runs left and nothing of runs that live', async () => {
    const fake = fakeProbeCluster()
    const old = new Date(Date.now() - 3_600_000).toISOString()
    for (const [key, object] of [
      namespace('dead', `${hostname()}/${String(deadPid)}`),
      namespace('alive', `${hostname()}/${String(process.pid)}`),
      namespace('elsewhere', 'another-host/1'),
      namespace('elsewhere-old', 'another-host/1', { creationTimestamp: old }),
      namespace('other-addon', `${hostname()}/${String(deadPid)}`, { labels: { [probeLabel]: 'other' } }),
      namespace('going', `${hostname()}/${String(deadPid)}`, { deletionTimestamp: old }),
    ]) {
      fake.cluster.objects.set(key, object)
    }
    await run(async () => ({ result: 'pass', seen: '' }), fake)
    const left = [...fake.cluster.objects.keys()].filter((key) => key.startsWith('Namespace ')).sort()
    expect(left).toEqual([
      'Namespace alive',
      'Namespace elsewhere',
      'Namespace going',
      'Namespace other-addon',
    ])
  })
})
