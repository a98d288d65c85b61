import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { readAlertSource } from '../../manifests/zones/monitoring-rules/alert-source.ts'
import { ruleFile } from '../../manifests/zones/monitoring-rules/rendered-alerts.ts'
import { ruleGroups } from '../../manifests/zones/monitoring-rules/rule-groups.ts'
import { switchModel } from '../../manifests/zones/switch-model.ts'
import { fires, isSilent, type WantedAlert } from '../harness/alert-look.ts'
import { withQuickAlerts } from '../harness/alert-values.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { consistently } from '../harness/consistently.ts'
import { eventually } from '../harness/eventually.ts'
import { describeHttp } from '../harness/http-client.ts'
import type { Look } from '../harness/look.ts'
import { goDurationMs } from '../harness/metrics-samples.ts'
import { startModelServerCopy, type ModelServerCopyOptions } from '../harness/model-server-copy.ts'
import type { PrometheusApi } from '../harness/prometheus-api.ts'
import { recordOf, type TestRecord } from '../harness/record.ts'
import { requestPod } from '../harness/slate-pods.ts'
import { CheckBroke, ExpectationFailed, NotProven } from '../harness/verdict.ts'
import {
  finishedTasks,
  offerTasks,
  podsOfWorkload,
  requireZones,
  sendTask,
  zoneA,
  zoneB,
  zonesOverlay,
} from '../harness/zones.ts'
import { whenAnswered, zonesPrometheus } from '../harness/zones-prometheus.ts'

/*
 * What Prometheus sees of both zones, that it judges by the rules of the repository, and that each of its alerts follows its cause (L40, L180;
 * names and expressions are decisions, 0034): the cause is made in earnest, on the system itself or on a model server beside it, with the
 * values `quick`, in which nobody waits for minutes. Every alert is silent before its cause and after it.
 */
const source = readAlertSource()
/** Longer than Prometheus takes to find a pod (5 s), to scrape it twice, and to judge (10 s each). */
const seenMs = 60_000
/** As long as the longest window of the quick values, and what it takes to be seen. */
const overMs = 200_000
const intervalMs = 2000
const brainPort = 8000

interface ServerStatus {
  restartCount: number
  lastState?: { terminated?: { reason?: string } }
}

let cluster: Cluster
let prometheus: PrometheusApi
beforeAll(async () => {
  cluster = await attach(choiceFromEnvironment(), AbortSignal.timeout(30_000))
  requireZones(cluster)
  prometheus = zonesPrometheus(cluster)
})
beforeEach(() => {
  requireZones(cluster)
})

const silent = (alert: WantedAlert, signal: AbortSignal, timeoutMs = overMs): Promise<string> =>
  eventually(`${alert.name} is silent`, whenAnswered(isSilent(prometheus, alert)), {
    timeoutMs,
    intervalMs,
    signal,
  })
const firing = (alert: WantedAlert, signal: AbortSignal, timeoutMs = 120_000): Promise<string> =>
  eventually(`${alert.name} fires`, whenAnswered(fires(prometheus, alert)), {
    timeoutMs,
    intervalMs,
    signal,
  })

/**
 * Sees an alert be silent, fire after its cause, and be silent again when the cause is gone; tells the report. Returns how long it took to
 * fire, ms.
 * @throws ExpectationFailed when one of them does not come
 */
async function followsItsCause(
  record: TestRecord,
  alert: WantedAlert,
  cause: { title: string; begin: () => Promise<unknown>; end: () => Promise<unknown> },
  signal: AbortSignal,
): Promise<number> {
  const quiet = await silent(alert, signal)
  const started = performance.now()
  let seen = ''
  let onsetMs = 0
  try {
    await cause.begin()
    seen = await firing(alert, signal)
    onsetMs = Math.round(performance.now() - started)
  } finally {
    await cause.end()
  }
  const after = await silent(alert, signal)
  record.controls.push({
    negative: { title: `${alert.name} without its cause`, seen: quiet },
    cause: cause.title,
    onsetMs,
    before: { title: 'with its cause', seen },
    after: { title: 'when the cause is gone', seen: after },
  })
  return onsetMs
}

/** Requires that an alert stays silent for longer than two scrapes and two judgements; returns what was seen. */
const staysSilent = (alert: WantedAlert, signal: AbortSignal): Promise<string> =>
  consistently(`${alert.name} stays silent`, isSilent(prometheus, alert), {
    timeoutMs: 25_000,
    intervalMs,
    signal,
  })

describe('the targets', () => {
  const workloads = [
    { namespace: zoneA, name: 'deepseek-v32', port: 8000, metric: 'omni_model_loaded' },
    { namespace: zoneB, name: 'agent-orchestrator', port: 9000, metric: 'omni_tasks_total' },
    { namespace: zoneB, name: 'metacognition', port: 9001, metric: 'omni_checks_total' },
  ]

  it('are the pods of both zones, each once, and stay up', async ({ task, signal }) => {
    const look = async (stop: AbortSignal): Promise<Look> => {
      const pods = await Promise.all(workloads.map((one) => podsOfWorkload(cluster, one, stop)))
      const wanted = workloads.flatMap(({ namespace, port }, index) =>
        (pods[index] ?? []).map(
          ({ name, ip }) => `${namespace}/${name} http://${ip}:${String(port)}/metrics up`,
        ),
      )
      const targets = (await prometheus.targets(stop)).filter(({ job }) => job === 'zones')
      const seen = targets.map(
        ({ labels, url, health, error }) =>
          `${String(labels['namespace'])}/${String(labels['pod'])} ${url} ${health}${error === '' ? '' : `: ${error}`}`,
      )
      return {
        ok: wanted.length === workloads.length && wanted.sort().join() === seen.sort().join(),
        seen: seen.join(', '),
      }
    }
    await eventually('every pod is a target, and up', whenAnswered(look), {
      timeoutMs: seenMs,
      intervalMs,
      signal,
    })
    // What is shown is the last scrape; this is longer than two of them.
    const seen = await consistently('they stay up', look, { timeoutMs: 30_000, intervalMs, signal })
    recordOf(task.meta).facts.push({ name: 'targets', value: seen })
  })

  it('have their samples under the names of their pods, whatever they say', async ({ signal }) => {
    for (const { namespace, name, metric } of workloads) {
      const [pod] = await podsOfWorkload(cluster, { namespace, name }, signal)
      const samples = await prometheus.query(`${metric}{namespace="${namespace}"}`, signal)
      const own = samples.filter(({ labels }) => labels['pod'] === pod?.name)
      expect(own.length, `${metric} of ${name}`).toBeGreaterThan(0)
      expect(own.map(({ labels }) => labels['job'])).toEqual(own.map(() => 'zones'))
    }
  })
})

describe('the rules', () => {
  it('are loaded exactly as the repository has them, and every one can be judged', async ({ signal }) => {
    const groups = ruleGroups(source)
    const ref = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'monitoring', name: 'prometheus-alerts' }
    const map = await cluster.kube.get(ref, signal)
    expect((map?.['data'] as Record<string, string> | undefined)?.['zones.yaml']).toBe(ruleFile(groups))
    await eventually(
      'every rule was judged',
      whenAnswered(async (stop): Promise<Look> => {
        const rules = await prometheus.rules(stop)
        return {
          ok: rules.length > 0 && rules.every(({ health }) => health === 'ok'),
          seen: rules.map(({ name, health, error }) => `${name} ${health} ${error}`).join(', '),
        }
      }),
      { timeoutMs: seenMs, intervalMs, signal },
    )
    // Prometheus writes an expression with its own spaces.
    const bare = (expression: string): string => expression.replaceAll(/\s/g, '')
    const loaded = await prometheus.rules(signal)
    expect(
      loaded.map(({ group, name, expression, forSeconds, labels }) => ({
        group,
        name,
        expression: bare(expression),
        forSeconds,
        labels,
      })),
    ).toEqual(
      groups.flatMap(({ name: group, rules }) =>
        rules.map((rule) => ({
          group,
          name: rule.alert,
          expression: bare(rule.expr),
          forSeconds: goDurationMs(rule.for ?? '0s') / 1000,
          labels: rule.labels,
        })),
      ),
    )
  })
})

describe('the alerts', () => {
  const stack = new AsyncDisposableStack()
  beforeAll(async () => {
    requireZones(cluster)
    stack.use(
      await withQuickAlerts({
        kube: cluster.kube,
        prometheus,
        signal: AbortSignal.timeout(150_000),
        timeoutMs: 120_000,
      }),
    )
  })
  afterAll(() => stack.disposeAsync())

  /** A model server of its own in Zone A, in the pod network, that Prometheus scrapes; gone when the scope is left. */
  interface Beside extends AsyncDisposable {
    readonly name: string
    /** POST on a path. @throws CheckBroke when it does not answer 200 */
    tell: (path: string) => Promise<void>
    /** How often its container was started anew, and why the last time. */
    restarts: (signal: AbortSignal) => Promise<{ count: number; reason: string }>
  }
  async function beside(
    options: Pick<ModelServerCopyOptions, 'purpose' | 'loadSeconds' | 'model'>,
    signal: AbortSignal,
  ): Promise<Beside> {
    const copy = { ...options, namespace: zoneA, scraped: true, debug: true, signal }
    const { name, namespace } = await startModelServerCopy(cluster, copy)
    const ref = { apiVersion: 'v1', kind: 'Pod', namespace, name }
    return {
      name,
      async tell(path) {
        const outcome = await requestPod(cluster, { namespace, name }, brainPort, path, signal, {})
        if (outcome.kind !== 'answered' || outcome.status !== 200)
          throw new CheckBroke(`${name} did not do ${path}: ${describeHttp(outcome)}`)
      },
      async restarts(stop) {
        const pod = await cluster.kube.get(ref, stop)
        const [status] =
          (pod?.['status'] as { containerStatuses?: ServerStatus[] } | undefined)?.containerStatuses ?? []
        return { count: status?.restartCount ?? 0, reason: status?.lastState?.terminated?.reason ?? 'none' }
      },
      [Symbol.asyncDispose]: () =>
        cluster.kube.delete(ref, {
          signal: AbortSignal.timeout(60_000),
          wait: true,
          gracePeriodSeconds: 1,
        }),
    }
  }

  /** Waits until Prometheus has such a value of a pod, and returns it. */
  async function sampled(
    metric: string,
    pod: string,
    judge: (value: number) => boolean,
    signal: AbortSignal,
  ): Promise<number> {
    let value = Number.NaN
    await eventually(
      `Prometheus has ${metric} of ${pod}`,
      whenAnswered(async (stop): Promise<Look> => {
        const [sample] = await prometheus.query(`${metric}{pod="${pod}"}`, stop)
        value = sample?.value ?? Number.NaN
        return { ok: judge(value), seen: String(value) }
      }),
      { timeoutMs: seenMs, intervalMs, signal },
    )
    return value
  }
  const isLoaded = (value: number): boolean => value === 1

  describe.concurrent('on a model server beside the system', () => {
    it('BlackwellGpuReset: a reset of one GPU is counted', { timeout: 420_000 }, async ({ task, signal }) => {
      await using server = await beside({ purpose: 'e2e-reset', loadSeconds: 0 }, signal)
      const { name: pod } = server
      await sampled('omni_gpu_resets_total', pod, (value) => value === 0, signal)
      const alert = (gpu: string) => ({
        name: 'BlackwellGpuReset',
        labels: { pod, gpu, severity: 'critical' },
      })
      await followsItsCause(
        recordOf(task.meta),
        alert('1'),
        {
          title: 'a reset of GPU 1 is counted',
          async begin() {
            await server.tell('/debug/gpu-resets/1')
            await firing(alert('1'), signal)
            // The other GPU of the same server.
            expect(await silent(alert('0'), signal, intervalMs * 5)).toContain('is silent')
          },
          // It is over by itself: the window has passed.
          end: () => Promise.resolve(),
        },
        signal,
      )
    })

    it(
      'ModelNearMemoryLimit and ModelOutOfMemory: a model server holds nearly all of its memory, and then more',
      { timeout: 600_000 },
      async ({ task, signal }) => {
        const record = recordOf(task.meta)
        // Its loss is seen only where a scrape meets it while it loads anew.
        await using server = await beside({ purpose: 'e2e-memory', loadSeconds: 25 }, signal)
        const { name: pod } = server
        const near = { name: 'ModelNearMemoryLimit', labels: { pod, severity: 'warning' } }
        const out = { name: 'ModelOutOfMemory', labels: { pod, severity: 'critical' } }
        await sampled('omni_model_loaded', pod, isLoaded, signal)
        const limit = await sampled('omni_memory_limit_bytes', pod, (value) => value > 0, signal)
        const own = await sampled('process_resident_memory_bytes', pod, (value) => value > 0, signal)
        const hold = async (share: number): Promise<void> => {
          const mebibytes = Math.max(0, Math.ceil((limit * share - own) / 2 ** 20))
          await server.tell(`/debug/memory/${String(mebibytes)}`)
        }
        const holds = (share: number) =>
          sampled('process_resident_memory_bytes', pod, (value) => value > limit * share, signal)

        await hold(0.6)
        await holds(0.5)
        record.facts.push({ name: '60% of the limit', value: await staysSilent(near, signal) })
        await followsItsCause(
          record,
          near,
          { title: '95% of the limit is held', begin: () => hold(0.95), end: () => hold(0) },
          signal,
        )

        await followsItsCause(
          record,
          out,
          {
            title: 'twice the limit is asked for',
            async begin() {
              await hold(0.95)
              await holds(0.9)
              // The server is killed before it can answer.
              await hold(2).catch(() => undefined)
              const killed = async (stop: AbortSignal): Promise<Look> => {
                const { count, reason } = await server.restarts(stop)
                return { ok: count > 0, seen: `${String(count)} restarts, ${reason}` }
              }
              try {
                const pace = { timeoutMs: 30_000, intervalMs: 1000, signal }
                const seen = await eventually('the kernel kills it', killed, pace)
                record.facts.push({ name: 'memory limit', value: seen })
              } catch (error) {
                if (!(error instanceof ExpectationFailed)) throw error
                throw new NotProven('This machine does not hold a container to its memory limit.')
              }
            },
            async end() {
              await server[Symbol.asyncDispose]()
            },
          },
          signal,
        )
      },
    )

    it(
      'BrainNotReady: a model loads for longer than the budget, and its container is started anew meanwhile',
      { timeout: 420_000 },
      async ({ task, signal }) => {
        const record = recordOf(task.meta)
        const late = 'e2e-late'
        const alert = { name: 'BrainNotReady', labels: { model: late, severity: 'critical' } }
        await using inTime = await beside({ purpose: 'e2e-in-time', loadSeconds: 5 }, signal)
        await using stop = new AsyncDisposableStack()
        const onsetMs = await followsItsCause(
          record,
          alert,
          {
            title: 'a model that never loads',
            async begin() {
              const server = stop.use(
                await beside({ purpose: late, loadSeconds: 86_400, model: late }, signal),
              )
              await firing(alert, signal, 180_000)
              record.facts.push({
                name: 'restarts of the container',
                value: String((await server.restarts(signal)).count),
              })
              const other = { name: 'BrainNotReady', labels: { pod: inTime.name } }
              expect(await silent(other, signal, intervalMs * 5)).toContain('is silent')
            },
            async end() {
              await stop.disposeAsync()
            },
          },
          signal,
        )
        expect(onsetMs).toBeGreaterThan(goDurationMs(source.values.quick['loadBudget'] ?? ''))
      },
    )

    it(
      'TwoModelsAtOnce: two models are loaded; two pods of one are none',
      { timeout: 420_000 },
      async ({ task, signal }) => {
        const alert = { name: 'TwoModelsAtOnce', labels: { severity: 'critical' } }
        await using same = await beside({ purpose: 'e2e-same', loadSeconds: 0 }, signal)
        await sampled('omni_model_loaded', same.name, isLoaded, signal)
        const record = recordOf(task.meta)
        record.facts.push({ name: 'two pods of one model', value: await staysSilent(alert, signal) })
        await using stop = new AsyncDisposableStack()
        await followsItsCause(
          record,
          alert,
          {
            title: 'GLM is loaded beside DeepSeek',
            async begin() {
              stop.use(await beside({ purpose: 'e2e-glm', loadSeconds: 0, model: 'glm-executor' }, signal))
            },
            async end() {
              await stop.disposeAsync()
            },
          },
          signal,
        )
      },
    )
  })

  describe('on the system itself', () => {
    it(
      'AgentFailing: tasks fail; those that succeed are none',
      { timeout: 420_000 },
      async ({ task, signal }) => {
        const record = recordOf(task.meta)
        const [orchestrator] = await podsOfWorkload(
          cluster,
          { namespace: zoneB, name: 'agent-orchestrator' },
          signal,
        )
        const alert = { name: 'AgentFailing', labels: { pod: orchestrator?.name ?? '', severity: 'warning' } }
        await silent(alert, signal)
        for (const words of ['What is a zone?', 'What is an alert?'])
          expect((await sendTask(cluster, { task: words, maxTokens: 4 }, signal)).status).toBe(200)
        record.facts.push({ name: 'tasks that succeed', value: await staysSilent(alert, signal) })
        await followsItsCause(
          record,
          alert,
          {
            title: 'no brain answers tasks in the time that they have',
            async begin() {
              const hasty = Array.from({ length: 8 }, () => ({ task: 'What is a zone?', timeoutMs: 100 }))
              const ids = await offerTasks(cluster, hasty, signal)
              const done = await finishedTasks(cluster, ids, { timeoutMs: 30_000, signal })
              const failed = done.filter(({ state }) => state === 'failed').length
              record.facts.push({
                name: 'failed tasks',
                value: `${String(failed)} of ${String(done.length)}`,
              })
              expect(failed).toBeGreaterThan(4)
            },
            // It is over by itself: the window has passed.
            end: () => Promise.resolve(),
          },
          signal,
        )
      },
    )

    it(
      'BrainSlow: more is asked at once than it can answer',
      { timeout: 480_000 },
      async ({ task, signal }) => {
        const [deepseek] = await podsOfWorkload(cluster, { namespace: zoneA, name: 'deepseek-v32' }, signal)
        const over = new AbortController()
        const load = async (): Promise<void> => {
          while (!over.signal.aborted) {
            const tasks = Array.from({ length: 8 }, (_, index) => ({
              task: `Question ${String(index)}`,
              maxTokens: 512,
              timeoutMs: 120_000,
            }))
            await finishedTasks(cluster, await offerTasks(cluster, tasks, signal), {
              timeoutMs: 150_000,
              signal,
            })
          }
        }
        let loading = Promise.resolve()
        await followsItsCause(
          recordOf(task.meta),
          { name: 'BrainSlow', labels: { pod: deepseek?.name ?? '', severity: 'warning' } },
          {
            title: 'eight tasks at once, again and again',
            begin() {
              loading = load()
              // Told when it is awaited; until then nobody else has to hear of it.
              loading.catch(() => undefined)
              return Promise.resolve()
            },
            async end() {
              over.abort()
              await loading
            },
          },
          signal,
        )
      },
    )

    it('BrainDown: the brain is stopped', { timeout: 480_000 }, async ({ task, signal }) => {
      if (zonesOverlay(cluster) === 'gpu')
        throw new NotProven(
          'With the document’s times a start takes five minutes; the overlay local has a thirtieth.',
        )
      const deepseek = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: zoneA, name: 'deepseek-v32' }
      await followsItsCause(
        recordOf(task.meta),
        { name: 'BrainDown', labels: { severity: 'critical' } },
        {
          title: 'deepseek-v32 has no replicas',
          begin: () => cluster.kube.patch(deepseek, { spec: { replicas: 0 } }, { signal }),
          end: () =>
            switchModel(cluster.kube, {
              to: 'deepseek-v32',
              stopTimeoutMs: 60_000,
              startTimeoutMs: 120_000,
              signal: AbortSignal.timeout(200_000),
              emit: () => undefined,
            }),
        },
        signal,
      )
    })
  })
})
