import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { gpuHolders } from '../../bootstrap/gpu/gpu-holders.ts'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { podReady } from '../../bootstrap/kube/conditions/pod-ready.ts'
import { violationsOf } from '../../manifests/checks/violations.ts'
import { factsOf } from '../../manifests/zones/check-contract.ts'
import { readContract } from '../../manifests/zones/contract.ts'
import { switchModel } from '../../manifests/zones/switch-model.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { assertNegative } from '../harness/controls.ts'
import { eventually } from '../harness/eventually.ts'
import { openGpuGround, type GpuGround } from '../harness/gpu-ground.ts'
import { gpuPod } from '../harness/gpu-pod.ts'
import { recordOf } from '../harness/record.ts'
import { evaluateIn } from '../harness/slate-pods.ts'
import { CheckBroke, NotProven } from '../harness/verdict.ts'
import { readyPodOfWorkload, requireZones, zoneA, zoneB, zonesOverlay } from '../harness/zones.ts'

/*
 * Who of the zones has the GPUs (L11-12, L27-29; Z09: whole devices, two of them): the brain has both, a pod that wants one more waits until
 * the document's command stops the brain, and the hands see none.
 */
const brainGpus = 2
/** A start of the overlay gpu takes the document's five minutes and its load; that of the others ten seconds. */
const startMs = 420_000

let cluster: Cluster
let ground: GpuGround
/** Whether the brain was stopped and is to be started again. */
let stopped = false
const stack = new AsyncDisposableStack()
const deepseek = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: zoneA, name: 'deepseek-v32' }

beforeAll(async () => {
  cluster = await attach(choiceFromEnvironment(), AbortSignal.timeout(30_000))
  requireZones(cluster)
})
afterAll(async () => {
  await stack.disposeAsync()
  if (stopped) await startBrain(AbortSignal.timeout(startMs))
}, startMs + 60_000)
beforeEach(() => {
  requireZones(cluster)
})

/** Gives the brain its replica back and returns when it is ready. */
async function startBrain(signal: AbortSignal): Promise<void> {
  await switchModel(cluster.kube, {
    to: 'deepseek-v32',
    stopTimeoutMs: 60_000,
    startTimeoutMs: startMs,
    signal,
    emit: () => undefined,
  })
  stopped = false
}

/** The devices that the kubelet says a pod of the zones has. */
async function givenTo(namespace: string, signal: AbortSignal): Promise<{ name: string; given: string[] }[]> {
  const pods = await cluster.kube.list({ apiVersion: 'v1', kind: 'Pod', namespace }, signal)
  return gpuHolders(pods).map(({ name, given }) => ({ name, given }))
}

describe('the Deployments', () => {
  it('ask for the GPUs that they are to have: two for the brain and its failover on a cluster that has some', async ({
    task,
    signal,
  }) => {
    const own = zonesOverlay(cluster)
    const given = cluster.record?.plan.systems.some(({ choices }) => choices?.['gpu'] === 'on') ?? false
    const stated = given ? 'gpu' : own
    const found = await cluster.kube.list(
      { apiVersion: 'apps/v1', kind: 'Deployment', namespace: zoneA },
      signal,
    )
    const facts = factsOf(readContract(), stated).filter(({ fact }) => ['GPUs', 'no GPU'].includes(fact))
    expect(facts.length).toBeGreaterThan(2)
    expect(violationsOf(facts, found)).toEqual([])
    recordOf(task.meta).facts.push({ name: 'as in the overlay', value: stated })
  })
})

describe('the GPUs', () => {
  beforeAll(async () => {
    requireZones(cluster)
    ground = stack.use(await openGpuGround(cluster, 'zones-gpu', AbortSignal.timeout(90_000)))
  }, 120_000)

  it('are the brain’s, two different ones, and nobody else’s of the zones', async ({ task, signal }) => {
    const [ofBrain, ofAgents] = await Promise.all([givenTo(zoneA, signal), givenTo(zoneB, signal)])
    recordOf(task.meta).facts.push({
      name: `the brain has, on tier ${ground.node.tier}`,
      value: ofBrain.map(({ name, given }) => `${name}: ${given.join(', ')}`).join('; '),
    })
    expect(ofAgents).toEqual([])
    expect(ofBrain.map(({ name }) => name.startsWith(`${deepseek.name}-`))).toEqual([true])
    expect(new Set(ofBrain[0]?.given).size).toBe(brainGpus)
  })

  it('are in the brain’s container; the agents’ sandboxes have none', async ({ task, signal }) => {
    const devices = async (namespace: string, name: string): Promise<string[]> => {
      const pod = await readyPodOfWorkload(cluster, { namespace, name }, signal)
      return evaluateIn<string[]>(
        cluster,
        { namespace, name: pod.name },
        `require('node:fs').readdirSync('/dev').filter((name) => /^nvidia[0-9]+$/.test(name)).sort()`,
        {},
        signal,
      )
    }
    const brain = await devices(zoneA, deepseek.name)
    const hands = await Promise.all(
      ['agent-orchestrator', 'metacognition'].map((name) => devices(zoneB, name)),
    )
    recordOf(task.meta).controls.push({
      negative: {
        title: 'the agents have no device of a GPU',
        seen: hands.flat().join(', ') || 'none in either',
      },
      before: { title: 'the brain has two', seen: brain.join(', ') },
      after: { title: 'the brain has two', seen: brain.join(', ') },
    })
    expect(brain).toHaveLength(brainGpus)
    expect(hands).toEqual([[], []])
  })

  it(
    'keep a pod that wants one more waiting, until the brain is stopped (L240-247)',
    { timeout: 600_000 },
    async ({ task, signal }) => {
      const { kube } = cluster
      const free = await ground.requireFree(0, signal)
      const holders = await givenTo(zoneA, signal)
      if (holders.length !== 1) throw new NotProven('Not the brain alone holds GPUs of Zone A.')
      const pod = ground.pod('third', { gpus: String(free + 1) })
      const ref = { apiVersion: 'v1', kind: 'Pod', namespace: pod.namespace, name: pod.name }
      const { nodeName } = (
        await readyPodOfWorkload(cluster, { namespace: zoneA, name: deepseek.name }, signal)
      ).object['spec'] as { nodeName: string }
      await kube.apply([gpuPod(pod)], { signal, dryRun: 'skip' })
      const pace = { timeoutMs: 60_000, intervalMs: 500, signal }
      await eventually('the scheduler finds no place for the pod', ground.unplaced(pod), pace)
      await assertNegative(recordOf(task.meta), {
        negative: { title: 'the pod is not placed', run: ground.unplaced(pod) },
        control: {
          title: 'a pod without a GPU is placed on that node',
          async run(stop) {
            const twin = ground.pod('without')
            const object: KubeObject = gpuPod({
              ...twin,
              nodeSelector: { 'kubernetes.io/hostname': nodeName },
            })
            await kube.apply([object], { signal: stop, dryRun: 'skip' })
            const seen = await kube.waitFor({ ...ref, name: twin.name }, podReady, {
              timeoutMs: 60_000,
              signal: stop,
            })
            await ground.remove(twin)
            return { ok: seen !== undefined, seen: `${twin.name} ran on ${nodeName}` }
          },
        },
        settle: { ...pace, timeoutMs: 120_000 },
        hold: { timeoutMs: 5000, intervalMs: 500, signal },
      })
      stopped = true
      await kube.patch(deepseek, { spec: { replicas: 0 } }, { signal })
      const started = performance.now()
      const ready = await kube.waitFor(ref, podReady, { timeoutMs: 90_000, signal })
      if (!ready) throw new CheckBroke('The pod is gone.')
      const given = await ground.hand.allocated(ready.metadata.uid ?? '', 'nvidia.com/gpu', signal)
      recordOf(task.meta).facts.push({
        name: 'once the brain is stopped',
        value: `${pod.name} has ${given.join(', ')} after ${String(Math.round((performance.now() - started) / 1000))} s`,
      })
      expect(given).toHaveLength(free + 1)
      await ground.remove(pod)
      await startBrain(signal)
      expect((await givenTo(zoneA, signal))[0]?.given).toHaveLength(brainGpus)
    },
  )
})
