import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { as, type PodShape } from '../../bootstrap/kube/shapes.ts'
import { quantity } from '../../bootstrap/manifests/quantity.ts'
import { readContract } from '../../manifests/slate/contract.ts'
import { deploymentFacts } from '../../manifests/slate/facts/deployments.ts'
import { jobFacts } from '../../manifests/slate/facts/jobs.ts'
import { limitFacts } from '../../manifests/slate/facts/limits.ts'
import { at, idOf, textAt } from '../../manifests/checks/manifest.ts'
import { askAdmission, expectRefused, passesButForQuota, tryToMake } from '../harness/admission.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { consistently } from '../harness/consistently.ts'
import { assertNegative } from '../harness/controls.ts'
import { eventually } from '../harness/eventually.ts'
import { offerResource } from '../harness/extended-resource.ts'
import { expectLiveFacts, factsCalled } from '../harness/live-facts.ts'
import { createNamespace } from '../harness/namespace.ts'
import { parkedPod, type Resources } from '../harness/parked-pod.ts'
import { containersFor, least, type AmountKey } from '../harness/quota-fill.ts'
import { recordOf } from '../harness/record.ts'
import { movedTo } from '../harness/reduced-copy.ts'
import { runLabel } from '../harness/run-id.ts'
import { slateObjects } from '../harness/slate-objects.ts'
import { findsNoSeat, hasSeat, seatedPod } from '../harness/seated-pod.ts'
import { requireSlate } from '../harness/slate.ts'
import { CheckBroke, ExpectationFailed } from '../harness/verdict.ts'

/*
 * How much the system may take, and who goes first: quota, limit range and priorities. Amounts are filled up in a namespace
 * with copies of the quota and the limit range; pods of these tests wait for no node, so that they take none of its room.
 */
const contract = readContract()
const namespace = contract.namespace.name
const { quota, limitRange } = contract
const smallest = least(limitRange)
const facts = limitFacts(contract, 'local', [])
const settle = { timeoutMs: 20_000, intervalMs: 200 }
const hold = { timeoutMs: 2_500, intervalMs: 200 }

let cluster: Cluster
/** A namespace with copies of the quota and the limit range. */
let copy: string
const stack = new AsyncDisposableStack()

beforeAll(async () => {
  const signal = AbortSignal.timeout(60_000)
  cluster = await attach(choiceFromEnvironment(), signal)
  requireSlate(cluster)
  const { kube, runId } = cluster
  copy = stack.use(await createNamespace({ kube, runId, purpose: 'limits', signal })).name
  const originals = [`ResourceQuota/${quota.name}`, `LimitRange/${limitRange.name}`]
  const copies = (await slateObjects(cluster, signal))
    .filter((object) => originals.includes(idOf(object)))
    .map((object) => movedTo(copy, object))
  await kube.apply(copies, { signal, dryRun: 'skip' })
})
afterAll(() => stack.disposeAsync())

let count = 0
function pod(place: string, containers: readonly Resources[]): KubeObject {
  count += 1
  const name = `parked-${String(process.pid)}-${String(count)}`
  return parkedPod({ namespace: place, runId: cluster.runId, name, containers })
}

const admission = (object: KubeObject, signal: AbortSignal) => askAdmission(cluster.kube, object, signal)

describe('quota', () => {
  it('is the specified one', async ({ signal }) => {
    await expectLiveFacts(cluster, namespace, factsCalled(facts, ['resource quota']), signal)
  })

  it('counts the pods that are there and what they ask for', async ({ task, signal }) => {
    const seen = await eventually(
      'the quota counts',
      async (stop) => {
        const used = await usedIn(namespace, stop)
        const pods = (await cluster.kube.list({ apiVersion: 'v1', kind: 'Pod', namespace }, stop)).filter(
          (one) => !['Succeeded', 'Failed'].includes(as<PodShape>(one).status?.phase ?? ''),
        )
        const cpu = pods
          .flatMap((one) => as<{ spec: { containers: { resources?: Resources }[] } }>(one).spec.containers)
          .reduce((sum, { resources }) => sum + quantity(resources?.requests?.['cpu'] ?? 0), 0)
        const counted = quantity(used['requests.cpu'])
        return {
          ok: Number(used['pods']) === pods.length && Math.abs(cpu - counted) < 1e-9,
          seen: `${String(used['pods'])} of ${String(pods.length)} pods, ${String(counted)} of ${cpu.toFixed(3)} cores`,
        }
      },
      { timeoutMs: 20_000, intervalMs: 500, signal },
    )
    recordOf(task.meta).facts.push({ name: 'counted', value: seen })
  })

  const keys = [
    'requests.cpu',
    'limits.cpu',
    'requests.memory',
    'limits.memory',
    'requests.nvidia.com/gpu',
  ] as const
  it.for([...keys, 'pods'] as const)(
    'lets in %s up to the amount of the table, and not the first pod beyond',
    async (key, { task, signal }) => {
      const amount = quota.hard[key] ?? ''
      const filling =
        key === 'pods'
          ? Array.from({ length: Number(amount) }, () => pod(copy, [smallest]))
          : [pod(copy, containersFor(key, amount, limitRange))]
      const beyond = pod(
        copy,
        key.endsWith('gpu') ? containersFor(key as AmountKey, '1', limitRange) : [smallest],
      )
      await assertNegative(recordOf(task.meta), {
        negative: {
          title: `one pod more than ${key} ${amount}`,
          async run(stop) {
            const { seen } = await tryToMake(cluster.kube, beyond, stop)
            return { ok: seen.includes(`exceeded quota: ${quota.name}`) && seen.includes(`${key}=`), seen }
          },
        },
        control: { title: 'the same pod with room for it', run: (stop) => admission(beyond, stop) },
        cause: {
          title: `${String(filling.length)} pod(s) that make up ${key} ${amount}`,
          async apply() {
            for (const one of filling) {
              const { ok, seen } = await tryToMake(cluster.kube, one, signal)
              if (!ok) throw new ExpectationFailed(`Within the table, and yet: ${seen}`)
            }
            // The controller that counts may be behind for a moment.
            await eventually(
              `${key} is used up`,
              async (stop) => {
                const used = (await usedIn(copy, stop))[key] ?? ''
                return { ok: quantity(used) === quantity(amount), seen: `used ${used} of ${amount}` }
              },
              { timeoutMs: 10_000, intervalMs: 200, signal },
            )
            expect((await quotaIn(copy, signal)).hard[key]).toBe(amount)
          },
          async remove() {
            for (const { apiVersion, kind, metadata } of filling) {
              const ref = { apiVersion, kind, name: metadata.name, namespace: copy }
              await cluster.kube.delete(ref, { signal: AbortSignal.timeout(20_000), gracePeriodSeconds: 0 })
            }
          },
        },
        settle,
        hold,
      })
      await eventually(
        `${key} is free again`,
        async (stop) => {
          const used = (await usedIn(copy, stop))[key] ?? ''
          return { ok: quantity(used) === 0, seen: `used ${used}` }
        },
        settle,
      )
    },
  )

  it('refuses one GPU more than the table gives the namespace, and lets in the same pod with those it gives', async ({
    task,
    signal,
  }) => {
    const free =
      Number(quota.hard['requests.nvidia.com/gpu']) -
      Number((await usedIn(namespace, signal))['requests.nvidia.com/gpu'])
    const asking = (pieces: number) =>
      pod(namespace, [{ ...smallest, limits: { ...smallest.limits, 'nvidia.com/gpu': String(pieces) } }])
    // More stands there when something else is used up as well.
    const words = new RegExp(
      `exceeded quota: ${quota.name}, requested: (\\S*,)?requests\\.nvidia\\.com/gpu=${String(free + 1)}\\b`,
    )
    await expectRefused(
      cluster.kube,
      recordOf(task.meta),
      {
        title: `${String(free + 1)} GPUs in ${namespace}`,
        refused: asking(free + 1),
        words,
        twin: asking(free),
        twinTitle: `${String(free)} GPUs`,
        passes: ({ seen }) => !seen.includes('nvidia'),
      },
      signal,
    )
  })

  it('keeps the key limits.nvidia.com/gpu, which Kubernetes does not count', async ({ task, signal }) => {
    const gpus = pod(copy, containersFor('requests.nvidia.com/gpu', '1', limitRange))
    expect(await tryToMake(cluster.kube, gpus, signal)).toMatchObject({ ok: true })
    const used = await usedIn(copy, signal)
    await cluster.kube.delete(
      { apiVersion: 'v1', kind: 'Pod', name: gpus.metadata.name, namespace: copy },
      { signal, gracePeriodSeconds: 0 },
    )
    expect({
      requests: used['requests.nvidia.com/gpu'],
      limits: used['limits.nvidia.com/gpu'] ?? '0',
    }).toEqual({
      requests: '1',
      limits: '0',
    })
    recordOf(task.meta).facts.push({
      name: 'limits.nvidia.com/gpu (A23)',
      value: 'accepted, counted under requests',
    })
  })
})

interface QuotaStatus {
  hard: Record<string, string>
  used: Record<string, string>
}
async function quotaIn(place: string, signal: AbortSignal): Promise<QuotaStatus> {
  const ref = { apiVersion: 'v1', kind: 'ResourceQuota', name: quota.name, namespace: place }
  const found = await cluster.kube.get(ref, signal)
  if (!found) throw new ExpectationFailed(`There is no ResourceQuota ${place}/${quota.name}.`)
  const { hard = {}, used = {} } = (found['status'] ?? {}) as Partial<QuotaStatus>
  return { hard, used }
}
const usedIn = async (place: string, signal: AbortSignal) => (await quotaIn(place, signal)).used

describe('limit range', () => {
  it('is the specified one', async ({ signal }) => {
    await expectLiveFacts(cluster, namespace, factsCalled(facts, ['limit range']), signal)
  })

  it('gives a container that asks for nothing the defaults of the table', async ({ signal }) => {
    const { result, seen } = await admission(pod(copy, [{}]), signal)
    expect(at(result, 'spec', 'containers', 0, 'resources'), seen).toEqual({
      requests: limitRange.defaultRequest,
      limits: limitRange.default,
    })
  })

  const { max, min } = limitRange
  const more = {
    cpu: `${String(quantity(max.cpu) * 1000 + 1)}m`,
    memory: String(quantity(max.memory) + 1024),
  }
  const less = {
    cpu: `${String(quantity(min.cpu) * 1000 - 1)}m`,
    memory: String(quantity(min.memory) - 1024),
  }
  it.for(
    (['cpu', 'memory'] as const).flatMap((resource) => [
      {
        resource,
        bound: 'maximum' as const,
        at: max[resource],
        beyond: more[resource],
        field: 'limits' as const,
      },
      {
        resource,
        bound: 'minimum' as const,
        at: min[resource],
        beyond: less[resource],
        field: 'requests' as const,
      },
    ]),
  )(
    'refuses $resource beyond the $bound, and lets in the $bound',
    async ({ resource, bound, field, ...row }, { task, signal }) => {
      const asking = (amount: string) =>
        pod(namespace, [{ ...smallest, [field]: { ...smallest[field], [resource]: amount } }])
      await expectRefused(
        cluster.kube,
        recordOf(task.meta),
        {
          title: `${resource} ${row.beyond}`,
          refused: asking(row.beyond),
          words: `${bound} ${resource} usage per Container is ${row.at}`,
          twin: asking(row.at),
          twinTitle: `${resource} ${row.at}`,
          passes: (answer) => passesButForQuota(answer, quota.name),
        },
        signal,
      )
    },
  )
})

describe('priority', () => {
  const { rows } = contract.priorityClasses
  const valueOf = (name: string): number | undefined => rows.find((row) => row.name === name)?.value
  const classOf = new Map<string, string>([
    ...contract.deployments.map(({ component, priority }) => [component, priority] as const),
    ...contract.cronJobs.map(({ job, priority }) => [job, priority] as const),
    [contract.preload.component, contract.preload.priority],
  ])

  it.for(rows)('$name is the specified class', async ({ name }, { signal }) => {
    const about = (object: string): boolean => object === `PriorityClass/${name}`
    await expectLiveFacts(cluster, namespace, factsCalled(facts, ['priority class'], about), signal)
  })

  it('every workload names the class of the table', async ({ signal }) => {
    const workloads = [...deploymentFacts(contract, 'local', []), ...jobFacts(contract, 'local', [])]
    const lasting = (object: string): boolean => !object.startsWith('Job/')
    await expectLiveFacts(cluster, namespace, factsCalled(workloads, ['priority'], lasting), signal)
  })

  it('every pod has the value of its class', async ({ task, signal }) => {
    const labelSelector = `app.kubernetes.io/part-of=${contract.podLabels.partOf},!${runLabel}`
    const all = await cluster.kube.list({ apiVersion: 'v1', kind: 'Pod', namespace, labelSelector }, signal)
    const pods = all.flatMap((one) => {
      const name = classOf.get(one.metadata.labels?.['app.kubernetes.io/component'] ?? '')
      return name === undefined ? [] : [{ one, expected: valueOf(name) }]
    })
    expect(pods.length).toBeGreaterThanOrEqual(contract.deployments.length)
    const wrong = pods.filter(({ one, expected }) => at(one, 'spec', 'priority') !== expected)
    expect(wrong.map(({ one }) => `${one.metadata.name}: ${String(at(one, 'spec', 'priority'))}`)).toEqual([])
    recordOf(task.meta).facts.push({ name: 'pods', value: String(pods.length) })
  })

  it('a GPU workload displaces a standard one, and another standard one does not', async ({
    task,
    signal,
  }) => {
    const { kube, runId } = cluster
    const nodes = await kube.list({ apiVersion: 'v1', kind: 'Node' }, signal)
    const node = nodes.find((one) => at(one, 'spec', 'unschedulable') !== true)?.metadata.name
    if (node === undefined) throw new CheckBroke('There is no node that takes pods.')
    // The pods compete for a seat that only they ask for: no pod of anybody else can be in the way, or be displaced.
    await using seat = await offerResource(
      kube,
      { node, name: `e2e.local-cloud.io/seat-${runId}`, pieces: 1 },
      signal,
    )
    await using space = await createNamespace({ kube, runId, purpose: 'priority', signal })
    const resource = seat.name
    const ref = (name: string) => ({ apiVersion: 'v1', kind: 'Pod', namespace: space.name, name })
    const make = async (name: string, priorityClassName: string): Promise<string> => {
      const manifest = seatedPod({ namespace: space.name, runId, name, priorityClassName, resource, node })
      await kube.apply([manifest], { signal, dryRun: 'skip' })
      const made = await kube.get(ref(name), signal)
      expect(at(made, 'spec', 'priority'), name).toBe(valueOf(priorityClassName))
      return made?.metadata.uid ?? ''
    }
    const stays = async (name: string, uid: string): Promise<boolean> => {
      const now = await kube.get(ref(name), signal)
      return now?.metadata.uid === uid && now.metadata.deletionTimestamp === undefined
    }

    const first = await make('first', 'slate-standard-priority')
    const before = await eventually('the first has the seat', hasSeat(kube, ref('first')), settle)
    const second = await make('second', 'slate-standard-priority')
    const waits = findsNoSeat(kube, ref('second'), resource)
    await eventually('the second finds no seat', waits, settle)
    const held = await consistently(
      'one of the same class waits, and the first stays',
      async (stop) => {
        const look = await waits(stop)
        const kept = await stays('first', first)
        return { ok: look.ok && kept, seen: `${look.seen}; the first ${kept ? 'stays' : 'is gone'}` }
      },
      { timeoutMs: 4_000, intervalMs: 250, signal },
    )
    const third = await make('third', 'slate-gpu-priority')
    const after = await eventually('the GPU workload has the seat', hasSeat(kube, ref('third')), settle)
    expect(await stays('first', first)).toBe(false)
    expect(await stays('second', second)).toBe(true)
    let preempted: KubeObject[] = []
    await eventually(
      'the event tells who displaced the first',
      async (stop) => {
        const events = await kube.list({ apiVersion: 'v1', kind: 'Event', namespace: space.name }, stop)
        preempted = events.filter(
          ({ reason, involvedObject }) => reason === 'Preempted' && at(involvedObject, 'name') === 'first',
        )
        return {
          ok: preempted.length > 0,
          seen: `${String(preempted.length)} of ${String(events.length)} events`,
        }
      },
      settle,
    )
    expect(preempted.map((event) => textAt(event, 'message'))).toEqual([expect.stringContaining(third)])
    recordOf(task.meta).controls.push({
      negative: { title: 'a second standard one displaces nobody', seen: held },
      before: { title: 'a standard one finds the seat free', seen: before },
      after: { title: 'a GPU workload displaces it', seen: `${after}; ${textAt(preempted[0], 'message')}` },
    })
  })
})
