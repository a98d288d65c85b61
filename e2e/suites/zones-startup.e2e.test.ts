import { beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { factsOf, startupBudget } from '../../manifests/zones/check-contract.ts'
import { readContract } from '../../manifests/zones/contract.ts'
import { idOf } from '../../manifests/checks/manifest.ts'
import { violationsOf } from '../../manifests/checks/violations.ts'
import { askAdmission } from '../harness/admission.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { eventually } from '../harness/eventually.ts'
import { isReady } from '../harness/is-ready.ts'
import type { Look } from '../harness/look.ts'
import { startModelServerCopy } from '../harness/model-server-copy.ts'
import { createNamespace } from '../harness/namespace.ts'
import { parkedPod, type Resources } from '../harness/parked-pod.ts'
import { recordOf } from '../harness/record.ts'
import { CheckBroke, NotProven } from '../harness/verdict.ts'
import {
  podsOfWorkload,
  readyPodOfWorkload,
  requireZones,
  zoneA,
  zoneB,
  zonesOverlay,
} from '../harness/zones.ts'

/*
 * How long a model server may take to start and to be ill (L190-195, Z05, Z06), and that it is Guaranteed (L205, Z04): computed from the
 * live objects, and on copies of the model server whose model loads within the budget, and never. The copies' times are those on the
 * cluster; where a start may take 25 minutes, nobody waits for it here.
 */
const contract = readContract()
/** The longest budget that a test waits for, seconds. */
const longestBudget = 120

let cluster: Cluster
beforeAll(async () => {
  cluster = await attach(choiceFromEnvironment(), AbortSignal.timeout(30_000))
  requireZones(cluster)
})

async function liveDeployments(signal: AbortSignal): Promise<KubeObject[]> {
  const lists = await Promise.all(
    [zoneA, zoneB].map((namespace) =>
      cluster.kube.list({ apiVersion: 'apps/v1', kind: 'Deployment', namespace }, signal),
    ),
  )
  return lists.flat()
}

/** The same resources, but for the processor: memory alone, as the document has it (L201-205). */
function withoutProcessor({ requests, limits }: Resources): Resources {
  const rest = (amounts: Record<string, string> = {}): Record<string, string> =>
    Object.fromEntries(Object.entries(amounts).filter(([resource]) => resource !== 'cpu'))
  return { requests: rest(requests), limits: rest(limits) }
}

describe('the live objects', () => {
  const facts = [
    'replicas',
    'host network',
    'standard runtime',
    'sandbox',
    'startup budget',
    'startup delay',
    'startup failures',
    'startup period',
    'liveness budget',
    'liveness delay',
    'liveness failures',
    'liveness period',
    'quality of service',
    'memory request',
    'memory limit',
  ]

  it.for(facts)('have the %s of the contract', async (name, { task, signal }) => {
    const environment = zonesOverlay(cluster)
    const objects = await liveDeployments(signal)
    const wanted = factsOf(contract, environment).filter(({ fact }) => fact === name)
    expect(wanted.length).toBeGreaterThan(0)
    expect(violationsOf(wanted, objects)).toEqual([])
    const times = contract.budgets.divided[environment]
    if (name.endsWith('budget') && times > 1)
      recordOf(task.meta).facts.push({
        name,
        value: `the document's divided by ${String(times)} in this overlay`,
      })
    expect(wanted.every(({ object }) => objects.some((one) => idOf(one) === object))).toBe(true)
  })

  it('the pod of the brain is Guaranteed; a pod that asks for the same without CPU is Burstable (Z04)', async ({
    task,
    signal,
  }) => {
    const { object } = await readyPodOfWorkload(cluster, { namespace: zoneA, name: 'deepseek-v32' }, signal)
    const classOf = (pod: unknown): string =>
      (pod as { status?: { qosClass?: string } } | undefined)?.status?.qosClass ?? 'none'
    const { initContainers = [], containers } = object['spec'] as {
      initContainers?: { resources: Resources }[]
      containers: { resources: Resources }[]
    }
    const asked = [...initContainers, ...containers].map(({ resources }) => resources)
    const admitted = async (resources: readonly Resources[]): Promise<string> => {
      const { result, seen } = await askAdmission(
        cluster.kube,
        parkedPod({
          namespace: 'default',
          runId: cluster.runId,
          name: `twin-${cluster.runId}`,
          containers: resources,
        }),
        signal,
      )
      if (result === undefined) throw new CheckBroke(`The twin is not admitted: ${seen}`)
      return classOf(result)
    }
    const own = classOf(object)
    const twin = await admitted(asked)
    const withoutCpu = await admitted(asked.map(withoutProcessor))
    recordOf(task.meta).controls.push({
      negative: { title: 'a pod that asks for the same without CPU is not Guaranteed', seen: withoutCpu },
      before: { title: 'one that asks for the same is', seen: twin },
      after: { title: 'the brain is', seen: own },
    })
    expect({ own, twin, withoutCpu }).toEqual({
      own: 'Guaranteed',
      twin: 'Guaranteed',
      withoutCpu: 'Burstable',
    })
  })

  it('the brain has started once and was never killed', async ({ signal }) => {
    const pods = await podsOfWorkload(cluster, { namespace: zoneA, name: 'deepseek-v32' }, signal)
    expect(pods.map(({ ready, restarts }) => ({ ready, restarts }))).toEqual([{ ready: true, restarts: 0 }])
  })
})

interface ServerStatus {
  restarts: number
  ready: boolean
  /** Milliseconds for which the running program has been running; absent while none runs. */
  ranMs?: number
  /** Milliseconds that the last program ran before it was ended. */
  lastRanMs?: number
  exitCode?: number
}

interface ContainerStatus {
  name: string
  restartCount: number
  started?: boolean
  state?: { running?: { startedAt: string } }
  lastState?: { terminated?: { startedAt: string; finishedAt: string; exitCode: number } }
}

function serverStatus(pod: KubeObject | undefined): ServerStatus {
  const statuses = (pod?.['status'] as { containerStatuses?: ContainerStatus[] } | undefined)
    ?.containerStatuses
  const server = statuses?.find(({ name }) => name === 'model-server')
  if (!pod || !server) return { restarts: 0, ready: false }
  const { state, lastState } = server
  const ended = lastState?.terminated
  return {
    restarts: server.restartCount,
    ready: isReady(pod),
    ...(state?.running ? { ranMs: Date.now() - Date.parse(state.running.startedAt) } : {}),
    ...(ended
      ? { lastRanMs: Date.parse(ended.finishedAt) - Date.parse(ended.startedAt), exitCode: ended.exitCode }
      : {}),
  }
}

describe.concurrent('a model server', () => {
  const start = async (purpose: string, loadSeconds: (budget: number) => number, signal: AbortSignal) => {
    const { kube, runId } = cluster
    const space = await createNamespace({ kube, runId, purpose, signal })
    const stack = new AsyncDisposableStack()
    stack.use(space)
    const found = await cluster.kube.get(
      { apiVersion: 'apps/v1', kind: 'Deployment', namespace: zoneA, name: 'deepseek-v32' },
      signal,
    )
    const budget = startupBudget(
      (found?.['spec'] as { template: { spec: { containers: { startupProbe: object }[] } } } | undefined)
        ?.template.spec.containers[0]?.startupProbe ?? {},
    )
    if (budget > longestBudget) {
      await stack.disposeAsync()
      throw new NotProven(
        `A start may take ${String(budget)} s in this overlay; the overlay local has a thirtieth.`,
      )
    }
    const pod = await startModelServerCopy(cluster, {
      namespace: space.name,
      purpose,
      loadSeconds: loadSeconds(budget),
      signal,
    })
    const look = async (stop: AbortSignal): Promise<ServerStatus> => {
      const ref = { apiVersion: 'v1', kind: 'Pod', namespace: pod.namespace, name: pod.name }
      return serverStatus(await kube.get(ref, stop))
    }
    return { budget, look, stack }
  }

  it('that loads for three quarters of the budget is not killed, and becomes ready when it has loaded', async ({
    task,
    signal,
  }) => {
    const { budget, look, stack } = await start('within', (seconds) => Math.floor(seconds * 0.75), signal)
    await using _ = stack
    let readyBeforeLoaded = false
    const seen = await eventually(
      'the model server becomes ready',
      async (stop): Promise<Look> => {
        const status = await look(stop)
        if (status.restarts > 0) expect.fail(`It was killed: ${JSON.stringify(status)}`)
        if (status.ready && (status.ranMs ?? 0) < budget * 0.7 * 1000) readyBeforeLoaded = true
        return { ok: status.ready, seen: JSON.stringify(status) }
      },
      { timeoutMs: (budget + 60) * 1000, intervalMs: 500, signal },
    )
    expect(readyBeforeLoaded).toBe(false)
    recordOf(task.meta).facts.push({ name: `started within ${String(budget)} s`, value: seen })
  })

  it('that never loads is killed when the budget is over, and not before', async ({ task, signal }) => {
    const { budget, look, stack } = await start('beyond', () => 86_400, signal)
    await using _ = stack
    const seen = await eventually(
      'the model server is killed',
      async (stop): Promise<Look> => {
        const status = await look(stop)
        if (status.ready) throw new CheckBroke(`It became ready without a model: ${JSON.stringify(status)}`)
        return { ok: status.restarts === 1 && status.lastRanMs !== undefined, seen: JSON.stringify(status) }
      },
      { timeoutMs: (budget * 2 + 60) * 1000, intervalMs: 500, signal },
    )
    const { lastRanMs = 0 } = await look(signal)
    // The kubelet counts whole periods from the start of the container; times of the API are whole seconds. On a busy machine it is late
    // with its probes, and then with the end.
    expect(lastRanMs).toBeGreaterThan((budget - 5) * 1000)
    expect(lastRanMs).toBeLessThan(budget * 2 * 1000)
    recordOf(task.meta).facts.push({ name: `killed after ${String(budget)} s`, value: seen })
  })
})
