import { beforeEach, describe, expect, it } from 'vitest'
import { fakeProbeCluster, type FakeProbeCluster } from '../../../bootstrap/addons/fake-probe-cluster.ts'
import { settleWithFakeTime } from '../../../bootstrap/addons/settle-with-fake-time.ts'
import { probe } from './probe.ts'

const gvisor =
  'Linux version 4.19.0-gvisor #1 SMP Sun Jan 10 15:06:54 PST 2016\n[    0.000000] Starting gVisor...\n'
const machine = 'Linux version 6.1.0-13-amd64 (debian-kernel@lists.debian.org)\n'

let fake: FakeProbeCluster
beforeEach(() => {
  fake = fakeProbeCluster()
})

const kernels = (sandboxed: string, plain: string): void => {
  fake.answer(({ pod }) => ({ stdout: pod === 'sandboxed' ? sandboxed : plain }))
}

describe('the probe', () => {
  it('passes when the kernel of the class calls itself gVisor, and that of a twin does not', async () => {
    kernels(gvisor, machine)
    expect(await probe(fake.context)).toEqual({
      result: 'pass',
      seen: 'a pod of the class has the kernel 4.19.0-gvisor, whose log begins with "Starting gVisor...", one without it the kernel 6.1.0-13-amd64, whose log it may not read',
    })
    const classOf = (name: string): unknown =>
      (fake.cluster.objects.get(`Pod probe-ns/${name}`)?.['spec'] as { runtimeClassName?: string })
        .runtimeClassName
    expect([classOf('sandboxed'), classOf('plain')]).toEqual(['gvisor', undefined])
  })

  it.each([
    ['runs on the kernel of the machine', machine],
    ['has only the version', gvisor.split('\n')[0] ?? ''],
    ['has only the log', `Linux version 4.4.0\n${gvisor.split('\n')[1] ?? ''}`],
    ['tells nothing', ''],
  ])('fails when the pod of the class %s', async (_what, answer) => {
    kernels(answer, machine)
    expect(await probe(fake.context)).toMatchObject({ result: 'fail' })
  })

  it('tells nothing where all pods run in gVisor', async () => {
    kernels(gvisor, gvisor)
    expect(await probe(fake.context)).toMatchObject({ result: 'not-proven' })
  })

  it('takes a shell that could not run for no verdict', async () => {
    fake.answer(() => ({ exitCode: 127 }))
    await expect(probe(fake.context)).rejects.toMatchObject({ code: 'PROBE_NOT_RUN' })
  })

  it('takes a pod that does not start for no verdict', async () => {
    fake.stuck.add('sandboxed')
    await expect(settleWithFakeTime(() => probe(fake.context))).rejects.toMatchObject({
      code: 'WAIT_TIMEOUT',
    })
  })
})
