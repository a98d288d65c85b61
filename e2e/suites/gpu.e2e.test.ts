import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest'
import { LocalCloudError } from '../../bootstrap/errors/local-cloud-error.ts'
import { gpuResource } from '../../bootstrap/plan/gpu-plan.ts'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { conditionOf } from '../../bootstrap/kube/shapes.ts'
import { mockGpuChange } from '../../fixtures/gpu/mock-gpu-change.ts'
import { requireCanary } from '../harness/canaries.ts'
import { attach, choiceFromEnvironment } from '../harness/cluster.ts'
import { consistently } from '../harness/consistently.ts'
import { assertNegative } from '../harness/controls.ts'
import { eventually } from '../harness/eventually.ts'
import { openGpuGround, type GpuGround } from '../harness/gpu-ground.ts'
import { gpuOffer } from '../harness/gpu-node.ts'
import { gpuPod, runningGpuPod, startGpuPod, type GpuPodOptions } from '../harness/gpu-pod.ts'
import type { Look } from '../harness/look.ts'
import { createNamespace } from '../harness/namespace.ts'
import { recordOf } from '../harness/record.ts'
import { CheckBroke, ExpectationFailed, NotProven } from '../harness/verdict.ts'

/*
 * What NVIDIA's device plugin and the kubelet promise of GPUs, for every system. The tier of the node is a fact of each test: on `mock`
 * the plugin, the scheduler, the kubelet and the device cgroup are the real ones, and nothing computes.
 */
let ground: GpuGround
const stack = new AsyncDisposableStack()

beforeAll(async () => {
  const signal = AbortSignal.timeout(90_000)
  requireCanary('gpu')
  ground = stack.use(await openGpuGround(await attach(choiceFromEnvironment(), signal), 'gpu', signal))
}, 100_000)
afterAll(() => stack.disposeAsync(), 90_000)

const tellTier = ({ task }: Pick<TestContext, 'task'>): void => {
  recordOf(task.meta).facts.push({ name: 'tier', value: ground.node.tier })
}

/** Classes of SLATE (018 §Priority Classes). */
const [standard, urgent] = ['slate-standard-priority', 'slate-gpu-priority']

describe('what the node offers', () => {
  it('as many nvidia.com/gpu as it was told, all of them allocatable, and stays so', async ({
    task,
    signal,
  }) => {
    tellTier({ task })
    const seen = await consistently('capacity and allocatable', ground.offers(ground.node.advertised), {
      timeoutMs: 5_000,
      intervalMs: 500,
      signal,
    })
    const { capacity } = await gpuOffer(ground.kube, signal)
    expect(capacity).toBe(ground.node.advertised)
    recordOf(task.meta).facts.push({ name: 'node', value: `${ground.node.node}: ${seen}` })
  })
})

describe('allocation', () => {
  it('gives two pods two different GPUs, each its own device and no other', async ({ task, signal }) => {
    tellTier({ task })
    await ground.requireFree(2, signal)
    const pods = await ground.fill(2, signal)
    try {
      const given = await Promise.all(pods.map((pod) => ground.givenTo(pod, signal)))
      expect(new Set(given.map(({ uuid }) => uuid)).size).toBe(2)
      const [one, other] = pods
      const [mine = '', theirs = ''] = given.map(({ device }) => device)
      if (!one || !other) throw new CheckBroke('There are no two pods.')
      expect(await one.open(mine, signal)).toBe('allowed')
      // Also when it makes the device node by itself: the cgroup says no.
      const minor = Number(/\d+$/.exec(theirs)?.[0])
      expect(await one.open(`/dev/own${String(minor)}`, signal, { major: 195, minor })).toBe('forbidden')
      expect(await other.open(theirs, signal)).toBe('allowed')
      recordOf(task.meta).facts.push({ name: 'identities', value: given.map(({ id }) => id).join(', ') })
    } finally {
      await ground.remove(...pods)
    }
  })

  it('a pod that asks for none sees none, and cannot open one that it makes', async ({ task, signal }) => {
    tellTier({ task })
    await ground.requireFree(1, signal)
    const [none, one] = await Promise.all([
      startGpuPod(ground.kube, ground.pod('none'), signal),
      startGpuPod(ground.kube, ground.pod('one', { gpus: '1' }), signal),
    ])
    try {
      const { device } = await ground.givenTo(one, signal)
      const minor = Number(/\d+$/.exec(device)?.[0])
      expect(await none.devices(signal)).toEqual([])
      await none.open('/dev/made', signal, { major: 195, minor })
      const control = async (stop: AbortSignal): Promise<Look> => {
        const seen = await one.open(device, stop)
        return { ok: seen === 'allowed', seen }
      }
      await assertNegative(recordOf(task.meta), {
        negative: {
          title: 'a pod without a GPU cannot open one',
          run: async (stop) => {
            const seen = await none.open('/dev/made', stop)
            return { ok: seen === 'forbidden', seen }
          },
        },
        control: { title: 'the pod that has it opens it', run: control },
        settle: { timeoutMs: 10_000, intervalMs: 500, signal },
        hold: { timeoutMs: 3_000, intervalMs: 500, signal },
      })
    } finally {
      await ground.remove(none, one)
    }
  })

  it('one more than there are waits with the scheduler’s reason, and runs on the GPU that is freed', async ({
    task,
    signal,
  }) => {
    tellTier({ task })
    const pods = await ground.fill(await ground.requireFree(1, signal), signal)
    const late = ground.pod('late', { gpus: '1' })
    try {
      const [first] = pods
      if (!first) throw new CheckBroke('There are no pods.')
      const freed = await ground.givenTo(first, signal)
      await ground.kube.apply([gpuPod(late)], { signal, dryRun: 'skip' })
      await eventually('the scheduler judges it', ground.unplaced(late), {
        timeoutMs: 15_000,
        intervalMs: 300,
        signal,
      })
      const why = await consistently('it waits', ground.unplaced(late), {
        timeoutMs: 30_000,
        intervalMs: 1_000,
        signal,
      })
      await ground.remove(first)
      const since = performance.now()
      const running = await runningGpuPod(ground.kube, late, signal)
      const after = performance.now() - since
      pods.push(running)
      expect(await ground.givenTo(running, signal)).toEqual(freed)
      recordOf(task.meta).controls.push({
        negative: { title: 'it waits for 30 s', seen: why },
        before: { title: 'others like it run', seen: `${String(pods.length - 1)} pods` },
        after: {
          title: 'it runs when one is freed',
          seen: `after ${String(Math.round(after))} ms on ${freed.id}`,
        },
      })
    } finally {
      await ground.remove(...pods, late)
    }
  })

  it('more than the node has is never placed, and half a GPU is refused', async ({ task, signal }) => {
    tellTier({ task })
    const many = ground.pod('many', { gpus: String(ground.node.advertised + 1) })
    await ground.kube.apply([gpuPod(many)], { signal, dryRun: 'skip' })
    try {
      const seen = await eventually('it is not placed', ground.unplaced(many), {
        timeoutMs: 15_000,
        intervalMs: 300,
        signal,
      })
      recordOf(task.meta).facts.push({ name: 'the scheduler', value: seen })
    } finally {
      await ground.remove(many)
    }
    const refused = await ground.kube
      .apply([gpuPod(ground.pod('half', { gpus: '500m' }))], { signal, dryRun: 'skip' })
      .then(
        () => 'taken',
        (error: unknown) => String(error),
      )
    expect(refused).toMatch(/must be an integer/)
  })

  it('a quota counts what pods ask for, and refuses the next', async ({ task, signal }) => {
    tellTier({ task })
    const { kube, runId } = ground
    await using limited = await createNamespace({
      kube,
      runId,
      purpose: 'gpu-quota',
      podSecurity: 'privileged',
      signal,
    })
    const quota = { apiVersion: 'v1', kind: 'ResourceQuota', name: 'gpus', namespace: limited.name }
    await kube.apply(
      [
        {
          apiVersion: 'v1',
          kind: 'ResourceQuota',
          metadata: { name: quota.name, namespace: limited.name },
          spec: { hard: { [`requests.${gpuResource}`]: '1' } },
        },
      ],
      { signal, dryRun: 'skip' },
    )
    const used = async (stop: AbortSignal): Promise<string> => {
      const found = await kube.get(quota, stop)
      const status = found?.['status'] as { used?: Record<string, string> } | undefined
      return status?.used?.[`requests.${gpuResource}`] ?? 'not counted'
    }
    await eventually(
      'the quota counts',
      async (stop) => ({ ok: (await used(stop)) === '0', seen: await used(stop) }),
      {
        timeoutMs: 20_000,
        intervalMs: 200,
        signal,
      },
    )
    const pod = (name: string) =>
      kube
        .apply([gpuPod({ namespace: limited.name, runId, name, gpus: '1' })], { signal, dryRun: 'skip' })
        .then(
          () => 'taken',
          (error: unknown) => String(error),
        )
    expect(await pod('first')).toBe('taken')
    await eventually(
      'the first is counted',
      async (stop) => ({ ok: (await used(stop)) === '1', seen: await used(stop) }),
      {
        timeoutMs: 20_000,
        intervalMs: 200,
        signal,
      },
    )
    expect(await pod('second')).toMatch(/exceeded quota/)
  })

  it('a pod of the RuntimeClass nvidia has its GPU like any other', async ({ task, signal }) => {
    tellTier({ task })
    await ground.requireFree(1, signal)
    const pod = await startGpuPod(
      ground.kube,
      ground.pod('class', { gpus: '1', runtimeClassName: 'nvidia' }),
      signal,
    )
    try {
      recordOf(task.meta).facts.push({ name: 'identity', value: (await ground.givenTo(pod, signal)).id })
    } finally {
      await ground.remove(pod)
    }
  })
})

describe('when there is none left', () => {
  it('a pod of slate-gpu-priority displaces a standard one and has its GPU; another standard one waits', async ({
    task,
    signal,
  }) => {
    tellTier({ task })
    const { kube } = ground
    for (const name of [standard, urgent]) {
      const found = await kube.get(
        { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', name },
        signal,
      )
      if (!found)
        throw new NotProven(`There is no PriorityClass ${name}: it comes with SLATE (up --system slate).`)
    }
    const free = await ground.requireFree(1, signal)
    const pods = await ground.fill(free, signal, { priorityClassName: standard })
    const waits = ground.pod('waits', { gpus: '1', priorityClassName: standard })
    const displaces = ground.pod('displaces', { gpus: '1', priorityClassName: urgent })
    const left = async (stop: AbortSignal): Promise<string[]> => {
      const running = await kube.list({ apiVersion: 'v1', kind: 'Pod', namespace: ground.namespace }, stop)
      const uids = running.flatMap(({ metadata }) =>
        metadata.deletionTimestamp === undefined ? [metadata.uid] : [],
      )
      return pods.flatMap(({ name, uid }) => (uids.includes(uid) ? [name] : []))
    }
    try {
      const given = new Map(
        await Promise.all(pods.map(async (pod) => [pod.name, await ground.givenTo(pod, signal)] as const)),
      )
      await kube.apply([gpuPod(waits)], { signal, dryRun: 'skip' })
      const unplaced = ground.unplaced(waits)
      await eventually('the scheduler judges it', unplaced, { timeoutMs: 15_000, intervalMs: 300, signal })
      const held = await consistently(
        'it waits, and displaces nobody',
        async (stop) => {
          const [look, names] = await Promise.all([unplaced(stop), left(stop)])
          return {
            ok: look.ok && names.length === pods.length,
            seen: `${look.seen}; ${names.join(', ')} run`,
          }
        },
        { timeoutMs: 5_000, intervalMs: 500, signal },
      )
      await kube.apply([gpuPod(displaces)], { signal, dryRun: 'skip' })
      const running = await runningGpuPod(kube, displaces, signal).catch((error: unknown) => {
        signal.throwIfAborted()
        // That it waits is what must not be, and no fault of the check.
        if (!(error instanceof LocalCloudError) || error.code !== 'WAIT_TIMEOUT') throw error
        throw new ExpectationFailed(error.message, { cause: error })
      })
      const kept = await left(signal)
      const displaced = pods.filter(({ name }) => !kept.includes(name)).map(({ name }) => name)
      expect(displaced, 'exactly one is displaced').toHaveLength(1)
      expect(await ground.givenTo(running, signal)).toEqual(given.get(displaced[0] ?? ''))
      const still = await ground.unplaced(waits)(signal)
      expect(still.ok, still.seen).toBe(true)
      recordOf(task.meta).controls.push({
        negative: { title: 'a standard one displaces nobody', seen: held },
        before: { title: 'standard ones have all free GPUs', seen: `${String(pods.length)} pods` },
        after: { title: 'one of slate-gpu-priority displaces one', seen: `${displaced.join('')} gave way` },
      })
    } finally {
      await ground.remove(...pods, waits, displaces)
    }
  })

  it('a node without GPUs takes no pod that asks for one', async ({ task, signal }) => {
    tellTier({ task })
    const { kube, node } = ground
    const nodes = await kube.list({ apiVersion: 'v1', kind: 'Node' }, signal)
    const other = nodes.find(({ metadata }) => metadata.name !== node.node)
    if (!other) throw new NotProven('This takes a second node, and this cluster has one: up --nodes 2.')
    const there: Partial<GpuPodOptions> = {
      nodeSelector: { 'kubernetes.io/hostname': other.metadata.name },
      // The other node may be one of the control plane.
      tolerations: [{ operator: 'Exists' }],
    }
    const free = await ground.requireFree(1, signal)
    const [asks, plain] = [ground.pod('asks', { gpus: '1', ...there }), ground.pod('plain', there)]
    const pods = await ground.fill(free, signal)
    try {
      const placed = await Promise.all(
        pods.map(({ name }) =>
          kube.get({ apiVersion: 'v1', kind: 'Pod', namespace: ground.namespace, name }, signal),
        ),
      )
      expect(placed.map((pod) => (pod?.['spec'] as { nodeName?: string }).nodeName)).toEqual(
        pods.map(() => node.node),
      )
      await ground.remove(...pods)
      const before = (await startGpuPod(kube, plain, signal)).name
      await kube.apply([gpuPod(asks)], { signal, dryRun: 'skip' })
      const unplaced = ground.unplaced(asks)
      await eventually('the scheduler judges it', unplaced, { timeoutMs: 15_000, intervalMs: 300, signal })
      const held = await consistently('it waits', unplaced, { timeoutMs: 10_000, intervalMs: 500, signal })
      const [again] = await ground.fill(1, signal)
      if (!again) throw new CheckBroke('There is no pod.')
      pods.push(again)
      recordOf(task.meta).controls.push({
        negative: { title: `no pod with a GPU runs on ${other.metadata.name}`, seen: held },
        before: { title: 'the same pod without a GPU runs there', seen: before },
        after: { title: `a GPU is free meanwhile, on ${node.node}`, seen: `${again.name} has it` },
      })
    } finally {
      await ground.remove(...pods, asks, plain)
    }
  })
})

describe('when the plugin or the kubelet is replaced', () => {
  const plugin = {
    apiVersion: 'v1',
    kind: 'Pod',
    namespace: 'kube-system',
    labelSelector: 'app.kubernetes.io/name=nvidia-device-plugin',
  }

  const replacePlugin = async (signal: AbortSignal): Promise<void> => {
    const pods = await ground.kube.list(plugin, signal)
    if (pods.length !== 1) throw new CheckBroke(`There are ${String(pods.length)} plugin pods.`)
    const before = pods[0]?.metadata.uid
    await ground.kube.delete(
      { apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system', name: pods[0]?.metadata.name ?? '' },
      { signal, wait: true },
    )
    await eventually(
      'another plugin pod runs',
      async (stop) => {
        const [now] = await ground.kube.list(plugin, stop)
        return {
          ok:
            now !== undefined && now.metadata.uid !== before && conditionOf(now, 'Ready')?.status === 'True',
          seen: now?.metadata.name ?? 'none',
        }
      },
      { timeoutMs: 60_000, intervalMs: 300, signal },
    )
  }

  const restartKubelet = async (signal: AbortSignal): Promise<void> => {
    const running = (stop: AbortSignal) => ground.hand.inNode('pgrep -x kubelet', stop)
    const before = await running(signal)
    // Programs in pods are started by the kubelet: what is asked of it while it ends is lost.
    await ground.hand.inNode('pkill -x kubelet', signal).catch(() => '')
    await eventually(
      'another kubelet runs',
      async (stop) => {
        const now = await running(stop).catch(() => before)
        return { ok: now.trim() !== '' && now !== before, seen: `process ${now.trim()}` }
      },
      { timeoutMs: 60_000, intervalMs: 500, signal },
    )
  }

  const replacements: { what: string; replace: (signal: AbortSignal) => Promise<unknown> }[] = [
    { what: 'the plugin', replace: replacePlugin },
    { what: 'the kubelet', replace: restartKubelet },
  ]

  /** What the node offers may be its word from before; that GPUs are given again only a pod shows that has one. */
  const givesAgain = (signal: AbortSignal): Promise<string> =>
    eventually(
      'a new pod has a GPU',
      async (stop): Promise<Look> => {
        const again = ground.pod('again', { gpus: '1' })
        try {
          return { ok: true, seen: (await startGpuPod(ground.kube, again, stop)).name }
        } catch (error) {
          stop.throwIfAborted()
          // A kubelet that does not know of any GPU yet refuses the pod for good (UnexpectedAdmissionError): another one is made.
          if (!(error instanceof LocalCloudError) || error.code !== 'WAIT_TIMEOUT') throw error
          return { ok: false, seen: error.message }
        } finally {
          await ground.remove(again)
        }
      },
      { timeoutMs: 120_000, intervalMs: 1_000, signal },
    )

  it.each(replacements)(
    'a pod keeps its GPU while $what restarts, and all GPUs are offered again',
    async ({ replace }) => {
      const signal = AbortSignal.timeout(400_000)
      await ground.requireFree(1, signal)
      const pod = await startGpuPod(ground.kube, ground.pod('kept', { gpus: '1' }), signal)
      try {
        const before = await ground.givenTo(pod, signal)
        await replace(signal)
        await eventually('all GPUs are offered', ground.offers(ground.node.advertised), {
          timeoutMs: 60_000,
          intervalMs: 500,
          signal,
        })
        const after = await runningGpuPod(
          ground.kube,
          { namespace: ground.namespace, name: pod.name },
          signal,
        )
        expect(after.uid).toBe(pod.uid)
        expect(await ground.givenTo(after, signal)).toEqual(before)
      } finally {
        await ground.remove(pod)
      }
      await givesAgain(signal)
    },
    420_000,
  )

  it('an XID of an application changes nothing, one of the hardware takes the GPU out until the plugin starts again', async ({
    task,
  }) => {
    const signal = AbortSignal.timeout(400_000)
    tellTier({ task })
    if (ground.node.tier !== 'mock') throw new NotProven('No XID can be raised on a real card.')
    await ground.requireFree(1, signal)
    const pod = await startGpuPod(ground.kube, ground.pod('ill', { gpus: '1' }), signal)
    try {
      const { id, device } = await ground.givenTo(pod, signal)
      const index = Number(/\d+$/.exec(device)?.[0])
      const pace = { intervalMs: 500, signal }
      // 31, a page fault of the application, is one that NVIDIA's plugin passes over by default.
      await ground.hand.changeMock(mockGpuChange.xid(index, 31), signal)
      const unharmed = await consistently('an application’s XID', ground.offers(ground.node.advertised), {
        ...pace,
        timeoutMs: 10_000,
      })
      await ground.hand.changeMock(mockGpuChange.xid(index, 79), signal)
      const since = performance.now()
      const fewer = await eventually('one GPU fewer', ground.offers(ground.node.advertised - 1), {
        ...pace,
        timeoutMs: 30_000,
      })
      const after = performance.now() - since
      const health = await eventually(
        'the pod is told',
        async (stop): Promise<Look> => {
          const found: KubeObject | undefined = await ground.kube.get(
            { apiVersion: 'v1', kind: 'Pod', namespace: ground.namespace, name: pod.name },
            stop,
          )
          const seen = JSON.stringify(
            (
              found?.['status'] as
                { containerStatuses?: { allocatedResourcesStatus?: unknown }[] } | undefined
            )?.containerStatuses?.[0]?.allocatedResourcesStatus ?? 'nothing',
          )
          return { ok: seen.includes('Unhealthy') && seen.includes(id), seen }
        },
        { ...pace, timeoutMs: 30_000 },
      )
      await ground.hand.changeMock({ [`gpus/${String(index)}/xid`]: null }, signal)
      const stays = await consistently('it stays out', ground.offers(ground.node.advertised - 1), {
        ...pace,
        timeoutMs: 5_000,
      })
      await replacePlugin(signal)
      const back = await eventually('it is back', ground.offers(ground.node.advertised), {
        ...pace,
        timeoutMs: 60_000,
      })
      recordOf(task.meta).facts.push(
        { name: 'XID 31', value: unharmed },
        { name: 'XID 79', value: `${fewer} after ${String(Math.round(after))} ms; ${health}` },
        { name: 'after the XID, without a restart', value: stays },
        { name: 'after the plugin’s restart', value: back },
      )
    } finally {
      await ground.remove(pod)
    }
  }, 420_000)
})
