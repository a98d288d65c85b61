import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { kubectl } from '../../bootstrap/tools/kubectl.ts'
import { documentCommands, kubectlWords } from '../../manifests/zones/document-commands.ts'
import { switchModel } from '../../manifests/zones/switch-model.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { eventually } from '../harness/eventually.ts'
import { isReady } from '../harness/is-ready.ts'
import type { Look } from '../harness/look.ts'
import { recordOf } from '../harness/record.ts'
import { CheckBroke, NotProven } from '../harness/verdict.ts'
import {
  chainWords,
  finishedTasks,
  offerTasks,
  podsOfWorkload,
  readyPodOfWorkload,
  requireZones,
  sendTask,
  zoneA,
  zonesOverlay,
  type TaskSeen,
} from '../harness/zones.ts'

/*
 * One model server after another: the document's commands for the failover, with never two that hold the node's port, and tasks that are
 * under way meanwhile and lose nothing. Also what keeps GLM from running beside DeepSeek, and a brain that is killed in the middle of an answer.
 */
const choice = choiceFromEnvironment()
const models = ['deepseek-v32', 'glm-executor', 'minimax-failsafe']
const stopMs = 60_000
/** The short times of the overlays local and pod-network; in the overlay gpu a start takes five minutes at least. */
const startMs = 120_000

let cluster: Cluster
/** Whether a test may have changed which model server runs. */
let mayTest = false
beforeAll(async () => {
  cluster = await attach(choice, AbortSignal.timeout(30_000))
  requireZones(cluster)
})
beforeEach(() => {
  requireZones(cluster)
  if (zonesOverlay(cluster) === 'gpu')
    throw new NotProven(
      'With the document’s times each start takes five minutes; the overlay local has a thirtieth.',
    )
  mayTest = true
})

/** Back to what the overlay says, whatever a test left. */
async function toDeepSeek(signal: AbortSignal): Promise<void> {
  await switchModel(cluster.kube, {
    to: 'deepseek-v32',
    stopTimeoutMs: stopMs,
    startTimeoutMs: startMs,
    signal,
    emit: () => undefined,
  })
}
afterAll(async () => {
  if (mayTest) await toDeepSeek(AbortSignal.timeout(170_000))
}, 180_000)

/** Runs a command of the document. @throws CheckBroke when the document does not have it */
async function run(id: string, signal: AbortSignal): Promise<void> {
  const command = documentCommands().find((one) => one.id === id)
  if (!command) throw new CheckBroke(`The document has no command ${id}.`)
  await kubectl(kubectlWords(command), {
    kubeconfigFile: cluster.kubeconfigFile,
    signal,
    paths: choice.paths,
  })
}

const serversThere = (signal: AbortSignal): Promise<KubeObject[]> =>
  cluster.kube.list(
    {
      apiVersion: 'v1',
      kind: 'Pod',
      namespace: zoneA,
      labelSelector: 'app.kubernetes.io/component=model-server',
    },
    signal,
  )

/** Whether a pod's model server runs: it holds the port then, whether it is ready or on its way out. */
const holds = (pod: KubeObject): boolean =>
  (
    (pod['status'] as { containerStatuses?: { name: string; state?: { running?: object } }[] } | undefined)
      ?.containerStatuses ?? []
  ).some(({ name, state }) => name === 'model-server' && state?.running !== undefined)

interface Watch extends AsyncDisposable {
  /** Sets of names of model servers that held the port at the same time, each once. */
  together: () => string[]
  looks: () => number
}

/** Looks four times a second who holds the port. */
function watchHolders(): Watch {
  const stop = new AbortController()
  const seen = new Set<string>()
  let looks = 0
  const look = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const pods = await serversThere(stop.signal).catch(() => undefined)
      if (pods) {
        looks += 1
        const names = pods
          .filter(holds)
          .map(({ metadata }) => metadata.labels?.['app.kubernetes.io/name'] ?? '?')
        seen.add(names.sort().join(' and '))
      }
      await delay(250)
    }
  }
  const running = look()
  return {
    together: () => [...seen].filter((names) => names !== ''),
    looks: () => looks,
    async [Symbol.asyncDispose]() {
      stop.abort()
      await running
    },
  }
}

/**
 * Hands in a task that is finished before `work`, one every two seconds until it is done, and one after it. Returns all of them once they are
 * finished.
 */
async function tasksDuring(work: () => Promise<void>, signal: AbortSignal): Promise<TaskSeen[]> {
  const ids: string[] = []
  const give = async (): Promise<void> => {
    const task = { task: `Task ${String(ids.length + 1)}`, maxTokens: 8, timeoutMs: 150_000 }
    const given = await offerTasks(cluster, [task], signal)
    ids.push(...given)
  }
  const finished = () => finishedTasks(cluster, ids, { timeoutMs: 150_000, signal })
  await give()
  await finished()
  const over = new AbortController()
  const giving = (async () => {
    while (!over.signal.aborted) {
      await give()
      await delay(2000)
    }
  })()
  // Told when it is awaited; until then nobody else has to hear of it.
  giving.catch(() => undefined)
  try {
    await work()
  } finally {
    over.abort()
    await giving
  }
  await give()
  return finished()
}

const isUp = async (name: string, signal: AbortSignal): Promise<Look> => {
  const pods = await podsOfWorkload(cluster, { namespace: zoneA, name }, signal)
  return {
    ok: pods.some(({ ready }) => ready),
    seen: pods.map((pod) => `${pod.name} ready ${String(pod.ready)}`).join() || 'no pod',
  }
}

describe('failover', () => {
  it(
    'by the document’s commands MiniMax takes over, never beside DeepSeek, and no task is lost (L246-247)',
    { timeout: 600_000 },
    async ({ task, signal }) => {
      if (zonesOverlay(cluster) === 'pod-network')
        throw new NotProven(
          'In the pod network no port of the node keeps two apart; the tool does (zones:switch).',
        )
      await toDeepSeek(signal)
      await using watch = watchHolders()
      const done = await tasksDuring(async () => {
        await run('stop-deepseek', signal)
        await run('start-minimax', signal)
        await eventually('MiniMax is ready', (stop) => isUp('minimax-failsafe', stop), {
          timeoutMs: startMs,
          intervalMs: 500,
          signal,
        })
      }, signal)
      const record = recordOf(task.meta)
      record.facts.push(
        { name: 'held the port, of ' + String(watch.looks()) + ' looks', value: watch.together().join('; ') },
        {
          name: 'tasks',
          value: `${String(done.length)}, of which ${String(done.filter(({ chain }) => chain.length > 2).length)} were tried again`,
        },
      )
      expect(watch.looks()).toBeGreaterThan(20)
      expect(watch.together().sort()).toEqual(['deepseek-v32', 'minimax-failsafe'])
      expect(done.filter(({ state }) => state !== 'succeeded').map(chainWords)).toEqual([])
      const brains = new Set(done.map(({ brain }) => brain?.name))
      expect([...brains].sort()).toEqual(['deepseek-v32', 'minimax-failsafe'])
    },
  )

  it('back to DeepSeek with the tool: it waits until no pod of another is left', async ({ task, signal }) => {
    await switchModel(cluster.kube, {
      to: 'minimax-failsafe',
      stopTimeoutMs: stopMs,
      startTimeoutMs: startMs,
      signal,
      emit: () => undefined,
    })
    await using watch = watchHolders()
    await toDeepSeek(signal)
    recordOf(task.meta).facts.push({ name: 'held the port', value: watch.together().join('; ') })
    expect(watch.together().sort()).toEqual(['deepseek-v32', 'minimax-failsafe'])
    const { status, task: done } = await sendTask(cluster, { task: 'Who are you?', maxTokens: 8 }, signal)
    expect({ status, brain: done.brain?.name }).toEqual({ status: 200, brain: 'deepseek-v32' })
  })
})

describe('GLM', () => {
  it(
    'does not start beside DeepSeek: the node’s port is taken (L237, Z08); without DeepSeek it does',
    { timeout: 300_000 },
    async ({ task, signal }) => {
      if (zonesOverlay(cluster) === 'pod-network')
        throw new NotProven('In the pod network no port of the node is shared.')
      const nodes = await cluster.kube.list({ apiVersion: 'v1', kind: 'Node' }, signal)
      if (nodes.length > 1) throw new NotProven('On several nodes another one has the port free.')
      await toDeepSeek(signal)
      await run('glm', signal)
      const refused = await eventually(
        'GLM waits for the port',
        async (stop): Promise<Look> => {
          const [pod] = await podsOfWorkload(cluster, { namespace: zoneA, name: 'glm-executor' }, stop)
          const conditions = (
            pod?.object['status'] as { conditions?: { type: string; message?: string }[] } | undefined
          )?.conditions
          const words = conditions?.find(({ type }) => type === 'PodScheduled')?.message ?? 'not judged yet'
          return { ok: words.includes("didn't have free ports"), seen: words }
        },
        { timeoutMs: 60_000, intervalMs: 500, signal },
      )
      const deepseek = await readyPodOfWorkload(cluster, { namespace: zoneA, name: 'deepseek-v32' }, signal)
      await run('stop-deepseek', signal)
      const started = await eventually('GLM is ready', (stop) => isUp('glm-executor', stop), {
        timeoutMs: startMs,
        intervalMs: 500,
        signal,
      })
      recordOf(task.meta).controls.push({
        negative: { title: 'GLM starts beside DeepSeek', seen: refused },
        before: { title: 'DeepSeek runs', seen: deepseek.name },
        after: { title: 'GLM runs once DeepSeek is stopped', seen: started },
      })
      await toDeepSeek(signal)
    },
  )
})

describe('a brain that is killed', () => {
  it(
    'in the middle of a task loses nothing: the orchestrator asks again',
    { timeout: 420_000 },
    async ({ task, signal }) => {
      await toDeepSeek(signal)
      const { kube } = cluster
      const { name } = await readyPodOfWorkload(cluster, { namespace: zoneA, name: 'deepseek-v32' }, signal)
      // More than the brain answers in the time that it takes to delete its pod: it has an eighth of a core.
      const ids = await offerTasks(
        cluster,
        Array.from({ length: 24 }, (_, index) => ({
          task: `Task ${String(index)}`,
          maxTokens: 128,
          timeoutMs: 150_000,
        })),
        signal,
      )
      await kube.delete(
        { apiVersion: 'v1', kind: 'Pod', namespace: zoneA, name },
        // Cut off after a second: answers that take longer are never finished.
        { signal, gracePeriodSeconds: 1 },
      )
      const done = await finishedTasks(cluster, ids, { timeoutMs: 120_000, signal })
      const retried = done.filter(({ chain }) => chain.some(({ outcome }) => outcome !== 'answered'))
      recordOf(task.meta).facts.push({
        name: 'chains',
        value: done.map(chainWords).join(' | ').slice(0, 1500),
      })
      expect(done.map(({ state }) => state)).toEqual(ids.map(() => 'succeeded'))
      if (retried.length === 0) throw new NotProven('Every task was answered before the pod was gone.')
      await eventually('DeepSeek is back', (stop) => isUp('deepseek-v32', stop), {
        timeoutMs: startMs,
        intervalMs: 500,
        signal,
      })
      const pods = await serversThere(signal)
      expect(pods.filter(isReady).map(({ metadata }) => metadata.labels?.['app.kubernetes.io/name'])).toEqual(
        [models[0]],
      )
    },
  )
})
