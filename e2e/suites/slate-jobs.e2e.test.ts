import { randomBytes, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { jobComplete } from '../../bootstrap/kube/conditions/job-complete.ts'
import { textAt } from '../../manifests/checks/manifest.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { eventually } from '../harness/eventually.ts'
import { describeHttp } from '../harness/http-client.ts'
import { startProbePod, type ProbePod } from '../harness/probe-pod.ts'
import type { PodHttpOutcome } from '../harness/probe-script.ts'
import { manualJob } from '../harness/cron-twin.ts'
import { recordOf } from '../harness/record.ts'
import { readContract } from '../../manifests/slate/contract.ts'
import { evaluateIn, readyPodOf, requestPod, type PodOfSlate } from '../harness/slate-pods.ts'
import { placeInSlate, readSlateContract, requireSlate } from '../harness/slate.ts'
import { CheckBroke } from '../harness/verdict.ts'

/*
 * Every scheduled job of SLATE, started by hand as the guide does (`kubectl create job --from=cronjob/…`), on real Ollama and Chroma: it ends
 * well, says so, and what its name promises can be seen where it was done. The models are stand-ins with random weights.
 */
const slate = readSlateContract()
const contract = readContract()
const standInNote = /random weights/

let cluster: Cluster
let client: ProbePod
const stack = new AsyncDisposableStack()

beforeAll(async () => {
  const signal = AbortSignal.timeout(150_000)
  cluster = await attach(choiceFromEnvironment(), signal)
  requireSlate(cluster)
  client = stack.use(
    await startProbePod({
      kube: cluster.kube,
      namespace: slate.namespace,
      ...placeInSlate,
      runId: cluster.runId,
      name: `e2e-jobs-${cluster.runId}-${randomBytes(2).toString('hex')}`,
      labels: { 'app.kubernetes.io/part-of': slate.partOf, 'app.kubernetes.io/component': 'e2e-client' },
      signal,
    }),
  )
})
afterAll(() => stack.disposeAsync())

interface PodTemplate {
  template: { spec: { containers: { env?: { name: string; value: string }[] }[] } }
}

/** The Job's specification with variables added to its containers. */
function withVariables(
  spec: Record<string, unknown>,
  variables: Readonly<Record<string, string>>,
): Record<string, unknown> {
  const copy = structuredClone(spec) as Record<string, unknown> & PodTemplate
  const added = Object.entries(variables).map(([name, value]) => ({ name, value }))
  for (const container of copy.template.spec.containers) container.env = [...(container.env ?? []), ...added]
  return copy
}

/** The lines that a run logged, parsed; the last one is its outcome. */
interface JobRun {
  lines: Record<string, unknown>[]
  outcome: Record<string, unknown>
}

/** Runs a CronJob once now, as it is but for the variables given, and returns what it logged; the Job is deleted afterwards. */
async function runNow(
  cronJob: string,
  signal: AbortSignal,
  variables: Readonly<Record<string, string>> = {},
  timeoutMs = 150_000,
): Promise<JobRun> {
  const { kube, runId } = cluster
  const owner = await kube.get(
    { apiVersion: 'batch/v1', kind: 'CronJob', namespace: slate.namespace, name: cronJob },
    signal,
  )
  if (!owner) throw new CheckBroke(`There is no CronJob ${cronJob}.`)
  const name = `${cronJob}-${runId}-${randomBytes(2).toString('hex')}`
  const job = manualJob(owner, name, runId)
  job['spec'] = withVariables(job['spec'] as Record<string, unknown>, variables)
  const ref = { apiVersion: 'batch/v1', kind: 'Job', namespace: slate.namespace, name }
  await kube.apply([job], { signal, dryRun: 'skip' })
  try {
    await kube.waitFor(ref, jobComplete, { timeoutMs, signal })
    const pods = await kube.list(
      { apiVersion: 'v1', kind: 'Pod', namespace: slate.namespace, labelSelector: `job-name=${name}` },
      signal,
    )
    // A try that failed has left a pod as well.
    const pod = pods.find((one) => textAt(one, 'status', 'phase') === 'Succeeded')
    if (!pod) throw new CheckBroke(`The Job ${name} is complete, but no pod of it has succeeded.`)
    const log = await kube.logs({ namespace: slate.namespace, name: pod.metadata.name }, signal)
    const lines = log
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    return { lines, outcome: lines.at(-1) ?? {} }
  } finally {
    await kube.delete(ref, { signal: AbortSignal.timeout(90_000), wait: true })
  }
}

/** What a service answers; a model that has to be loaded first, or others that ask it, may take their time. */
function outcomeOf(
  path: string,
  service: string,
  signal: AbortSignal,
  body?: unknown,
): Promise<PodHttpOutcome> {
  const { host, port } = slate.serviceOf(service)
  return client.http(`http://${host}:${String(port)}${path}`, {
    timeoutSeconds: 60,
    signal,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
  })
}

async function ask(path: string, service: string, signal: AbortSignal, body?: unknown): Promise<unknown> {
  return bodyOf(`${service}${path}`, await outcomeOf(path, service, signal, body))
}

/** What was answered. @throws CheckBroke when nothing was; AssertionError for another status than 2xx */
function bodyOf(what: string, outcome: PodHttpOutcome): unknown {
  if (outcome.kind !== 'answered') throw new CheckBroke(`${what}: ${outcome.kind}: ${outcome.detail}`)
  expect(outcome.status, `${what}: ${outcome.body}`).toBeLessThan(300)
  return outcome.body === '' ? undefined : JSON.parse(outcome.body)
}

interface Model {
  name: string
  digest: string
  modified_at: string
}
const models = async (signal: AbortSignal): Promise<Model[]> =>
  ((await ask('/api/tags', 'ollama', signal)) as { models: Model[] }).models

/** What the models of the specification's Modelfiles are called. */
const modelNames = (contract.configMaps.find(({ name }) => name === 'slate-model-files')?.keys ?? []).map(
  (key) => key.replace('Modelfile.', ''),
)

const collections = '/api/v2/tenants/default_tenant/databases/default_database/collections'

/** Deletes a collection of Chroma's, if it is there. */
async function deleteCollection(name: string, signal: AbortSignal): Promise<void> {
  const row = { component: 'chromadb', name: 'chromadb' }
  const pod = await readyPodOf(cluster, row, signal)
  const { port } = slate.serviceOf(row.name)
  const outcome = await requestPod(cluster, pod, port, `${collections}/${name}`, signal, undefined, 'DELETE')
  if (outcome.kind !== 'answered' || ![200, 404].includes(outcome.status))
    throw new CheckBroke(`The collection ${name} could not be deleted: ${describeHttp(outcome)}`)
}

function expectSucceeded({ outcome }: JobRun, job: string): void {
  expect(outcome, JSON.stringify(outcome)).toMatchObject({
    message: 'job-finished',
    job,
    outcome: 'succeeded',
  })
}

const managerPod = (signal: AbortSignal): Promise<PodOfSlate> =>
  readyPodOf(cluster, { component: 'workflow-manager', name: 'slate-workflow-manager' }, signal)

/** Puts a task that was finished long ago where the workflow manager keeps its tasks, made from one of its own, and has it read. */
async function putOldTask(example: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<string> {
  const id = randomUUID()
  const then = '2020-01-01T00:00:00.000Z'
  const old = { ...example, id, state: 'completed', createdAt: then, updatedAt: then, history: [] }
  // It is not restarted for that: other suites ask it at the same time.
  await evaluateIn(
    cluster,
    await managerPod(signal),
    "require('node:fs/promises').writeFile(process.env.SLATE_DATA_DIR + '/tasks/' + input.id + '.json', JSON.stringify(input)).then(() => process.kill(1, 'SIGHUP'))",
    old,
    signal,
  )
  return id
}

/** Waits until the workflow manager knows a task, or a cleaner that was first has had its file removed; returns what it answered last. */
async function taskStatus(id: string, signal: AbortSignal): Promise<string> {
  return eventually(
    'the workflow manager answers for the old task',
    async (stop) => {
      const outcome = await client.http(taskUrl(id), { timeoutSeconds: 20, signal: stop })
      if (outcome.kind !== 'answered') return { ok: false, seen: outcome.detail }
      const seen = String(outcome.status)
      return { ok: outcome.status === 200 || !(await hasTaskFile(id, stop)), seen }
    },
    { timeoutMs: 60_000, intervalMs: 500, signal },
  )
}

const hasTaskFile = async (id: string, signal: AbortSignal): Promise<boolean> =>
  evaluateIn<boolean>(
    cluster,
    await managerPod(signal),
    "require('node:fs').existsSync(process.env.SLATE_DATA_DIR + '/tasks/' + input + '.json')",
    id,
    signal,
  )

const factsOf = ({ outcome }: JobRun): { name: string; value: string } => ({
  name: 'outcome',
  value: Object.entries(outcome)
    .filter(([key]) => !['time', 'level', 'event', 'message', 'job', 'pod'].includes(key))
    .map(([key, value]) => `${key} ${String(value)}`)
    .join(', '),
})

describe('slate-model-preload', () => {
  it('has left the three models, and each says that its weights are random', async ({ task, signal }) => {
    const listed = (await models(signal)).map(({ name }) => name.replace(/:latest$/, ''))
    expect(modelNames).toHaveLength(3)
    expect(listed).toEqual(expect.arrayContaining(modelNames))
    for (const model of modelNames) {
      const shown = (await ask('/api/show', 'ollama', signal, { model })) as { license?: string }
      expect(shown.license, model).toMatch(standInNote)
    }
    recordOf(task.meta).facts.push({
      name: 'models',
      value: `${listed.join(', ')} (stand-ins with random weights)`,
    })
  })

  it('its models answer', async ({ signal }) => {
    for (const model of modelNames) {
      let answer = ''
      // Random weights may say nothing that can be read, or end their answer at once; not with every seed.
      for (let seed = 1; seed <= 3 && answer === ''; seed += 1) {
        const { response } = (await ask('/api/generate', 'ollama', signal, {
          model,
          prompt: 'Say something.',
          stream: false,
          options: { num_predict: 8, seed },
        })) as { response: string }
        answer = response.trim()
      }
      expect(answer, model).not.toBe('')
    }
  })

  it('an answer of SLATE that a model gave says what the model is', async ({ signal }) => {
    const [path, router] = ['/api/agents/ask', 'slate-agent-router']
    let outcome: PodHttpOutcome | undefined
    // It says 503 while Ollama does not list its models within two seconds.
    await eventually(
      'the agent router has a model to ask',
      async (stop) => {
        outcome = await outcomeOf(path, router, stop, { task: 'Write a function that adds two numbers.' })
        return outcome.kind === 'answered'
          ? { ok: outcome.status !== 503, seen: `status ${String(outcome.status)}` }
          : { ok: false, seen: `${outcome.kind}: ${outcome.detail}` }
      },
      { timeoutMs: 120_000, intervalMs: 1_000, signal },
    )
    if (!outcome) throw new CheckBroke('Nothing was asked.')
    const answer = bodyOf(`${router}${path}`, outcome) as {
      model?: { name: string; standIn: boolean; note: string }
    }
    expect(answer.model, JSON.stringify(answer)).toMatchObject({ standIn: true })
    expect(answer.model?.note).toMatch(standInNote)
  })
})

const taskUrl = (id: string): string => {
  const { host, port } = slate.serviceOf('slate-workflow-manager')
  return `http://${host}:${String(port)}/api/workflow/tasks/${id}`
}

describe('scheduled jobs', () => {
  it('are all tried here', ({ task }) => {
    const titles = task.suite?.tasks.map(({ name }) => name.split(':')[0]) ?? []
    expect(titles).toEqual(expect.arrayContaining(contract.cronJobs.map(({ name }) => name)))
  })

  it('slate-nightly-health: sees every service up', { timeout: 780_000 }, async ({ task, signal }) => {
    // What other suites start and replace meanwhile may take longer to be ready than the minute that the job gives it.
    const patient = { SLATE_HEALTH_GRACE_SECONDS: '240' }
    const run = await runNow('slate-nightly-health', signal, patient, 620_000)
    expectSucceeded(run, 'nightly-health')
    recordOf(task.meta).facts.push(factsOf(run))
    const up = /^(\d+) of (\d+) up$/.exec(String(run.outcome['services']))
    expect(up?.[1]).toBe(up?.[2])
    expect(Number(up?.[1])).toBeGreaterThanOrEqual(slate.deployments.length - 1)
  })

  it('slate-codebase-indexer: puts the code base into Chroma, and goes on where it stopped', async ({
    task,
    signal,
  }) => {
    // The whole code base takes the tiny model minutes on two cores; the limit stops each run in between. In a collection of its own, for the
    // schedule may start the job at the same time.
    const collection = `e2e-codebase-${cluster.runId}`
    const variables = { SLATE_INDEX_MAX_SECONDS: '25', SLATE_INDEX_COLLECTION: collection }
    await using stack = new AsyncDisposableStack()
    stack.defer(() => deleteCollection(collection, AbortSignal.timeout(60_000)))
    const first = await runNow('slate-codebase-indexer', signal, variables)
    expectSucceeded(first, 'codebase-indexer')
    const again = await runNow('slate-codebase-indexer', signal, variables)
    expectSucceeded(again, 'codebase-indexer')
    const all = (await ask(collections, 'chromadb', signal)) as { id: string; name: string }[]
    const id = all.find(({ name }) => name === collection)?.id
    const count = (await ask(`${collections}/${String(id)}/count`, 'chromadb', signal)) as number
    recordOf(task.meta).facts.push(factsOf(first), factsOf(again))
    const numbers = ({ outcome }: JobRun) =>
      Object.fromEntries(
        ['indexed', 'unchanged', 'remaining', 'entries'].map((key) => [key, Number(outcome[key])]),
      ) as Record<'indexed' | 'unchanged' | 'remaining' | 'entries', number>
    const [before, after] = [numbers(first), numbers(again)]
    expect(before.indexed + before.unchanged).toBeGreaterThan(0)
    expect(after.entries).toBe(count)
    expect(count).toBeGreaterThanOrEqual(before.indexed + before.unchanged)
    // Nothing is done twice, and what was left is what the second run worked on.
    expect(after.unchanged).toBe(before.unchanged + before.indexed)
    expect(after.indexed + after.remaining).toBe(before.remaining)
  }, 600_000)

  it('slate-model-trainer: makes every model anew', async ({ task, signal }) => {
    const before = await models(signal)
    const run = await runNow('slate-model-trainer', signal)
    expectSucceeded(run, 'model-trainer')
    recordOf(task.meta).facts.push(factsOf(run))
    const after = await models(signal)
    const modified = (list: Model[], name: string) =>
      list.find((one) => one.name === `${name}:latest`)?.modified_at
    for (const name of modelNames) {
      const [earlier, later] = [modified(before, name), modified(after, name)]
      expect(Date.parse(later ?? ''), name).toBeGreaterThan(Date.parse(earlier ?? ''))
    }
  })

  it('slate-inference-benchmarks: times every model and says that the weights are random', async ({
    task,
    signal,
  }) => {
    const run = await runNow('slate-inference-benchmarks', signal)
    expectSucceeded(run, 'inference-benchmarks')
    const measured = run.lines.filter((line) => line['event'] === 'benchmark')
    recordOf(task.meta).facts.push(
      ...measured.map((line) => ({
        name: String(line['model']),
        value: `${String(line['tokensPerSecond'])} tokens/s, first token ${String(line['firstTokenMs'])} ms, on ${String(line['processor'])}`,
      })),
    )
    expect(measured.map((line) => line['model']).sort()).toEqual([...modelNames].sort())
    for (const line of measured) {
      expect(Number(line['totalMs'])).toBeGreaterThan(0)
      // Null where no answer of the random weights had two tokens, between which there is a time.
      if (line['tokensPerSecond'] !== null) expect(Number(line['tokensPerSecond'])).toBeGreaterThan(0)
      expect(String(line['note'])).toMatch(standInNote)
    }
  })

  it('slate-workflow-cleanup: removes finished tasks that are old, and only those', async ({
    task,
    signal,
  }) => {
    const { runId } = cluster
    const made = (await ask('/api/workflow/tasks', 'slate-workflow-manager', signal, {
      title: `e2e ${runId}`,
    })) as {
      task: Record<string, unknown> & { id: string }
    }
    // A copy of this CronJob, which another suite has started by its schedule, may be first: then there is nothing left to do, and it takes another old task.
    const cleaned = async (): Promise<{ oldId: string; before: string; run: JobRun }> => {
      const oldId = await putOldTask(made.task, signal)
      const before = await taskStatus(oldId, signal)
      const run = await runNow('slate-workflow-cleanup', signal)
      expectSucceeded(run, 'workflow-cleanup')
      recordOf(task.meta).facts.push({ name: 'the old task before', value: before }, factsOf(run))
      return { oldId, before, run }
    }
    let last = await cleaned()
    for (let more = 2; more > 0 && last.run.outcome['deleted'] === 0; more -= 1) last = await cleaned()
    expect(last.before).toBe('200')
    expect(Number(last.run.outcome['deleted'])).toBeGreaterThanOrEqual(1)
    const [gone, kept] = await Promise.all(
      [last.oldId, made.task.id].map((id) => client.http(taskUrl(id), { timeoutSeconds: 20, signal })),
    )
    expect(gone).toMatchObject({ kind: 'answered', status: 404 })
    expect(kept).toMatchObject({ kind: 'answered', status: 200 })
  })

  it('slate-instruction-sync: hands the instructions on and records which', async ({ task, signal }) => {
    const run = await runNow('slate-instruction-sync', signal)
    expectSucceeded(run, 'instruction-sync')
    recordOf(task.meta).facts.push(factsOf(run))
    const state = await cluster.kube.get(
      { apiVersion: 'v1', kind: 'ConfigMap', namespace: slate.namespace, name: 'slate-instruction-state' },
      signal,
    )
    const data = (state?.['data'] ?? {}) as Record<string, string>
    expect(data['digest']).toMatch(/^[0-9a-f]{64}$|^sha256:[0-9a-f]{64}$/)
    expect(Date.now() - Date.parse(data['syncedAt'] ?? '')).toBeLessThan(180_000)
  })
})
