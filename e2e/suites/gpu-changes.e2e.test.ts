import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mockProduct } from '../../bootstrap/gpu/node-files.ts'
import { gpuResource, type GpuPlan } from '../../bootstrap/plan/gpu-plan.ts'
import { mockGpuState } from '../../fixtures/gpu/mock-gpu-state.ts'
import { mockDeviceNodes } from '../../fixtures/gpu/node-files.ts'
import { requireCanary } from '../harness/canaries.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { assertNegative } from '../harness/controls.ts'
import { eventually } from '../harness/eventually.ts'
import { openGpuGround, type GivenGpu, type GpuGround } from '../harness/gpu-ground.ts'
import { gpuPod, type RunningGpuPod } from '../harness/gpu-pod.ts'
import type { Look } from '../harness/look.ts'
import { recordOf } from '../harness/record.ts'
import { sameFlags, upAgain } from '../harness/up-again.ts'
import { CheckBroke, NotProven } from '../harness/verdict.ts'

/*
 * What the flags of `up` change about the GPUs of a cluster that runs: as how many each is offered (time-slicing), and how containers are
 * told of theirs; and what NVIDIA's plugin makes of a GPU that is cut by MIG. Afterwards they are as they were.
 */
const choice = choiceFromEnvironment()
/** How long a whole `up` may take, milliseconds; where the CPU is short that is minutes. */
const upMs = 300_000

let cluster: Cluster
let before: GpuPlan
let ground: GpuGround
const stack = new AsyncDisposableStack()

beforeAll(async () => {
  const signal = AbortSignal.timeout(90_000)
  requireCanary('gpu')
  cluster = await attach(choice, signal)
  const gpu = cluster.record?.plan.gpu
  if (gpu === undefined) throw new NotProven('The GPUs of this cluster were not given by local-cloud.')
  before = gpu
  stack.defer(() => change({}))
  ground = stack.use(await openGpuGround(cluster, 'gpu-changes', signal))
}, 100_000)

afterAll(() => stack.disposeAsync(), upMs + 60_000)

/** Runs `up` as before but for what is different of the GPUs. */
async function change(different: Partial<GpuPlan>): Promise<void> {
  const { exitCode, words } = await upAgain(sameFlags(cluster, choice, { ...before, ...different }), choice)
  if (exitCode !== 0) throw new CheckBroke(`up ended with ${String(exitCode)}: ${words}`)
}

describe('time-slicing', () => {
  const replicas = 3
  beforeAll(() => change({ replicas }), upMs)

  it('offers each GPU three times, and as many pods run at once, each with one device', async ({
    task,
    signal,
  }) => {
    const offered = before.count * replicas
    const seen = await eventually('the node offers them', ground.offers(offered), {
      timeoutMs: 60_000,
      intervalMs: 500,
      signal,
    })
    const free = await ground.requireFree(before.count + 1, signal)
    const pods = await ground.fill(free, signal)
    try {
      // One after the other: each takes three programs, and those of twenty pods at once are more than a busy node starts in time.
      const given: GivenGpu[] = []
      for (const pod of pods) given.push(await ground.givenTo(pod, signal))
      expect(new Set(given.map(({ id }) => id)).size, 'identities of their own').toBe(free)
      const shared = new Set(given.map(({ uuid }) => uuid)).size
      expect(shared, 'GPUs that they share').toBeLessThanOrEqual(before.count)
      recordOf(task.meta).facts.push(
        { name: 'tier', value: ground.node.tier },
        { name: 'the node', value: seen },
        { name: 'shared', value: `${String(free)} pods on ${String(shared)} GPUs` },
      )
    } finally {
      await ground.remove(...pods)
    }
  })

  it('refuses a pod that asks for two shares, since it would get no more of the GPU', async ({
    task,
    signal,
  }) => {
    await ground.requireFree(3, signal)
    const two = ground.pod('two', { gpus: '2' })
    const ref = { apiVersion: 'v1', kind: 'Pod', namespace: two.namespace, name: two.name }
    await ground.kube.apply([gpuPod(two)], { signal, dryRun: 'skip' })
    let one: RunningGpuPod | undefined
    const refused = async (stop: AbortSignal): Promise<Look> => {
      const { phase, reason, message } = ((await ground.kube.get(ref, stop))?.['status'] ?? {}) as Partial<
        Record<'phase' | 'reason' | 'message', string>
      >
      return {
        ok: phase === 'Failed' && reason === 'UnexpectedAdmissionError',
        seen: [phase, reason, message].filter(Boolean).join(': '),
      }
    }
    try {
      await eventually('the kubelet judges the pod', refused, { timeoutMs: 60_000, intervalMs: 500, signal })
      await assertNegative(recordOf(task.meta), {
        negative: { title: 'two shares in one container', run: refused },
        control: {
          title: 'one share',
          run: async (stop): Promise<Look> => {
            ;[one] = one ? [one] : await ground.fill(1, stop)
            return one
              ? { ok: true, seen: (await ground.givenTo(one, stop)).id }
              : { ok: false, seen: 'no pod' }
          },
        },
        settle: { timeoutMs: 90_000, intervalMs: 500, signal },
        hold: { timeoutMs: 2_000, intervalMs: 500, signal },
      })
    } finally {
      await ground.remove(two, ...(one ? [one] : []))
    }
  })
})

describe('the strategy envvar', () => {
  beforeAll(() => change({ strategy: 'envvar' }), upMs)

  it('tells a container its GPU in its environment, and gives it that device only', async ({
    task,
    signal,
  }) => {
    await eventually('the node offers them', ground.offers(before.count * before.replicas), {
      timeoutMs: 60_000,
      intervalMs: 500,
      signal,
    })
    await ground.requireFree(1, signal)
    const [pod] = await ground.fill(1, signal)
    if (!pod) throw new CheckBroke('There is no pod.')
    try {
      const { uuid } = await ground.givenTo(pod, signal)
      expect(await pod.variable('NVIDIA_VISIBLE_DEVICES', signal)).toBe(uuid)
      recordOf(task.meta).facts.push({ name: 'NVIDIA_VISIBLE_DEVICES', value: uuid })
    } finally {
      await ground.remove(pod)
    }
  })
})

describe('MIG, on the mock', () => {
  const profile = '1g.5gb'
  const resource = `nvidia.com/mig-${profile}`
  /** As many as an A100 has slices. */
  const instances = 7
  const plugin = {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    namespace: 'kube-system',
    name: 'nvidia-device-plugin-daemonset',
  }
  const changePlugin = (container: object, signal: AbortSignal): Promise<unknown> =>
    ground.kube.patch(
      plugin,
      { spec: { template: { spec: { containers: [{ name: 'nvidia-device-plugin', ...container }] } } } },
      { signal },
    )
  const offersInstances =
    (wanted: number) =>
    async (stop: AbortSignal): Promise<Look> => {
      const node = await ground.kube.get({ apiVersion: 'v1', kind: 'Node', name: ground.node.node }, stop)
      const { allocatable = {} } = (node?.['status'] ?? {}) as { allocatable?: Record<string, string> }
      const [gpus, cut] = [allocatable[gpuResource] ?? '0', allocatable[resource] ?? '0']
      const whole = wanted === 0 ? before.count : before.count - 1
      return {
        ok: Number(cut) === wanted && Number(gpus) === whole * before.replicas,
        seen: `${gpus} × ${gpuResource}, ${cut} × ${resource}`,
      }
    }
  let index: number

  beforeAll(async () => {
    const signal = AbortSignal.timeout(upMs + 90_000)
    if (before.tier !== 'mock') throw new NotProven('MIG is not switched on a real card.')
    await change({})
    await ground.requireFree(1, signal)
    const [free] = await ground.fill(1, signal)
    if (!free) throw new CheckBroke('There is no pod.')
    index = Number(/\d+$/.exec((await ground.givenTo(free, signal)).device)?.[0])
    await ground.remove(free)
    const gpus = Array.from({ length: before.count }, (_, at) => ({
      product: mockProduct,
      ...(at === index ? { mig: Array.from({ length: instances }, () => profile) } : {}),
    }))
    const caps = mockDeviceNodes(gpus).filter((device) => device.path.startsWith('/dev/nvidia-caps/'))
    await ground.hand.inNode('mkdir -p /dev/nvidia-caps', signal)
    for (const device of caps)
      await ground.hand.inNode(
        `sh -c 'test -e ${device.path} || mknod -m 666 ${device.path} c ${String(device.major)} ${String(device.minor)}'`,
        signal,
      )
    const {
      [`gpus/${String(index)}/mig`]: mig = null,
      ['proc-driver/nvidia-caps/mig-minors']: minors = null,
    } = mockGpuState({ seed: ground.node.node, gpus })
    await ground.hand.changeMock(
      { [`gpus/${String(index)}/mig`]: mig, 'proc-driver/nvidia-caps/mig-minors': minors },
      signal,
    )
    await changePlugin(
      {
        command: ['/driver-root/usr/bin/with-mig-minors', 'nvidia-device-plugin'],
        env: [{ name: 'MIG_STRATEGY', value: 'mixed' }],
      },
      signal,
    )
  }, upMs + 100_000)

  afterAll(async () => {
    const signal = AbortSignal.timeout(120_000)
    if (before.tier !== 'mock') return
    await ground.hand.changeMock(
      { [`gpus/${String(index)}/mig`]: null, 'proc-driver/nvidia-caps/mig-minors': null },
      signal,
    )
    await changePlugin({ command: null, env: [{ name: 'MIG_STRATEGY', $patch: 'delete' }] }, signal)
    await eventually('the GPU is whole again', offersInstances(0), {
      timeoutMs: 90_000,
      intervalMs: 500,
      signal,
    })
  }, 130_000)

  it('a GPU that is cut is offered by the name of its profile, and pods have instances of their own', async ({
    task,
    signal,
  }) => {
    const seen = await eventually('the node offers instances', offersInstances(instances), {
      timeoutMs: 90_000,
      intervalMs: 500,
      signal,
    })
    const pods = await ground.fill(2, signal, { resource })
    try {
      const given = await Promise.all(pods.map((pod) => ground.hand.allocated(pod.uid, resource, signal)))
      expect(given.map((ids) => ids.length)).toEqual([1, 1])
      expect(new Set(given.flat()).size, 'instances').toBe(2)
      expect(
        given.flat().every((id) => id.startsWith('MIG-')),
        given.flat().join(', '),
      ).toBe(true)
      const devices = await Promise.all(pods.map((pod) => pod.devices(signal)))
      const caps = devices.map((own) => own.filter((device) => device.includes('nvidia-caps')))
      // The device of the GPU is shared; what is an instance's own are its two capabilities: itself and its compute instance.
      expect(devices.map((own) => own.filter((device) => !device.includes('nvidia-caps')))).toEqual([
        [`/dev/nvidia${String(index)}`],
        [`/dev/nvidia${String(index)}`],
      ])
      expect(caps.map((own) => own.length)).toEqual([2, 2])
      expect(new Set(caps.flat()).size, 'capabilities').toBe(4)
      recordOf(task.meta).facts.push(
        { name: 'the node', value: seen },
        { name: 'instances', value: given.flat().join(', ') },
        { name: 'devices', value: devices.map((own) => own.join(' ')).join('; ') },
      )
    } finally {
      await ground.remove(...pods)
    }
  })
})
