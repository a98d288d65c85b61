import { beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { jobComplete } from '../../bootstrap/kube/conditions/job-complete.ts'
import { as, conditionOf, reasonOf, type PodShape } from '../../bootstrap/kube/shapes.ts'
import { refOf } from '../../bootstrap/steps/objects.ts'
import { factsOf } from '../../manifests/slate/check-contract.ts'
import { violationsOf } from '../../manifests/checks/violations.ts'
import { readContract } from '../../manifests/slate/contract.ts'
import { at } from '../../manifests/checks/manifest.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { execInComponent } from '../harness/component-exec.ts'
import { consistently } from '../harness/consistently.ts'
import { differingFields } from '../harness/cron-twin.ts'
import { eventually } from '../harness/eventually.ts'
import { jobOver, untilOver } from '../harness/job-progress.ts'
import { describeViolation } from '../harness/live-facts.ts'
import type { Look } from '../harness/look.ts'
import { modelDifferences, readModelfile, type Modelfile } from '../harness/modelfile.ts'
import { podsOf, preloadTwin, setPreloadStage } from '../harness/preload-stage.ts'
import { startProbePod } from '../harness/probe-pod.ts'
import { recordOf, type TestRecord } from '../harness/record.ts'
import { objectNamed, slateObjects } from '../harness/slate-objects.ts'
import { readSlateContract, requireSlate } from '../harness/slate.ts'
import { CheckBroke, ExpectationFailed } from '../harness/verdict.ts'

/*
 * The Job that makes SLATE's models (000 Model Preload Job): the object, what it left on the system, and at work as twins in namespaces of
 * their own, with an Ollama of their own, for the real one is there before any test and keeps its Job for an hour only (A36).
 */
const contract = readContract()
const { preload } = contract
const namespace = contract.namespace.name
const jobId = `Job/${preload.name}`
const filesId = `ConfigMap/${Object.keys(preload.configMaps)[0] ?? ''}`

/** The Modelfiles of the specification (000 Custom Model Definitions). */
const models = Object.entries(
  contract.configMaps.find(({ name }) => `ConfigMap/${name}` === filesId)?.values ?? {},
).map(([file, text]) => ({ name: file.replace('Modelfile.', ''), modelfile: readModelfile(text) }))

/**
 * The Job controller's first pause, seconds, which doubles with each failure. It counts from the end of the pod's containers, or from when the
 * pod became not ready where none of them ever ran, as here: from its creation (Kubernetes, "Pod backoff failure policy").
 */
const backoffSeconds = 10

let cluster: Cluster
let objects: KubeObject[]
const stageFor = (purpose: string, record: TestRecord, signal: AbortSignal) =>
  setPreloadStage({ kube: cluster.kube, runId: cluster.runId, purpose, contract, objects, record, signal })
const twinOf = (
  record: TestRecord,
  as: { name: string; namespace: string },
  change?: (job: KubeObject) => void,
): KubeObject =>
  preloadTwin({ shipped: objectNamed(objects, jobId), runId: cluster.runId, record, ...as, change })
beforeAll(async () => {
  const signal = AbortSignal.timeout(60_000)
  cluster = await attach(choiceFromEnvironment(), signal)
  requireSlate(cluster)
  objects = await slateObjects(cluster, signal)
})

/** Labels that the Job controller adds to the pods of a Job. */
const ofController = /^(batch\.kubernetes\.io\/)?(controller-uid|job-name)$/

function withoutControllerLabels(job: KubeObject): KubeObject {
  const copy = structuredClone(job)
  const metadata = at(copy, 'spec', 'template', 'metadata') as { labels: Record<string, string> }
  metadata.labels = Object.fromEntries(
    Object.entries(metadata.labels).filter(([label]) => !ofController.test(label)),
  )
  return copy
}

function violationsAbout(ids: string[], seen: readonly KubeObject[]): string[] {
  const facts = factsOf(contract, 'local', seen).filter(({ object }) => ids.includes(object))
  if (facts.length === 0) throw new CheckBroke(`The contract says nothing about ${ids.join(', ')}.`)
  return violationsOf(facts, seen).map(describeViolation)
}

const configMap = (name: string, signal: AbortSignal): Promise<KubeObject | undefined> =>
  cluster.kube.get({ apiVersion: 'v1', kind: 'ConfigMap', namespace, name }, signal)

describe('the preload Job', () => {
  it('is as the specification says', async ({ task, signal }) => {
    const { kube, runId } = cluster
    const shipped = objectNamed(objects, jobId)
    const live = await kube.get({ ...refOf(shipped), namespace }, signal)
    const { result, refusal } = await kube.rehearse(shipped, {
      signal,
      as: { name: `e2e-preload-${runId}` },
    })
    recordOf(task.meta).facts.push({
      name: 'compared',
      value: `the shipped Job as the API server takes it${live ? ', and the one on the cluster' : '; the one on the cluster is gone, as it has to be after its hour'}`,
    })
    expect(refusal).toBeUndefined()
    const addresses = await configMap(contract.addresses.configMap, signal)
    for (const job of [result, live].filter((one) => one !== undefined)) {
      const seen = [withoutControllerLabels(job), ...(addresses ? [addresses] : [])]
      expect(violationsAbout([jobId], seen)).toEqual([])
    }
  })

  it('gets the Modelfiles of the specification', async ({ signal }) => {
    const live = await configMap(filesId.replace('ConfigMap/', ''), signal)
    expect(violationsAbout([filesId], live ? [live] : [])).toEqual([])
  })
})

/** Ollama's answer to `/api/show` says what the Modelfile says. */
function expectModel(
  record: TestRecord,
  name: string,
  modelfile: Modelfile,
  answer: { status: number; body: string },
): void {
  expect(answer.status, `${name}: ${answer.body.slice(0, 200)}`).toBe(200)
  const { differences, seen } = modelDifferences(modelfile, JSON.parse(answer.body) as object)
  record.facts.push({ name, value: seen })
  expect(differences, name).toEqual([])
}

describe('a model on the live system', () => {
  it.for(models)('$name is what its Modelfile says', async ({ name, modelfile }, { task, signal }) => {
    const { host, port } = readSlateContract().serviceOf('ollama')
    const script =
      'const [url, model] = process.argv.slice(1);' +
      "const answer = await fetch(url, { method: 'POST', body: JSON.stringify({ model }) });" +
      'console.log(answer.status, await answer.text())'
    const argv = [
      'node',
      '--input-type=module',
      '-e',
      script,
      `http://${host}:${String(port)}/api/show`,
      name,
    ]
    const { exitCode, stdout, stderr } = await execInComponent(
      cluster.kube,
      { namespace, component: 'copilot-bridge' },
      argv,
      signal,
    )
    if (exitCode !== 0) throw new CheckBroke(`Ollama could not be asked: ${stderr}`)
    expectModel(recordOf(task.meta), name, modelfile, {
      status: Number(stdout.split(' ')[0]),
      body: stdout.replace(/^\d+ /, ''),
    })
  })
})

/** Whether the one pod of a Job is in its init container. @throws ExpectationFailed when its main container has begun */
async function waits(job: KubeObject, signal: AbortSignal): Promise<Look> {
  const [pod] = await podsOf(cluster.kube, job, signal)
  const { initContainerStatuses = [], containerStatuses = [] } = (pod && as<PodShape>(pod).status) ?? {}
  if (containerStatuses.some(({ state }) => state?.running !== undefined || state?.terminated !== undefined))
    throw new ExpectationFailed(`${preload.container.name} began, though there is no Ollama.`)
  const state = (of: typeof containerStatuses): string =>
    of.map((one) => `${one.name} ${Object.keys(one.state ?? {}).join()}`).join()
  return {
    ok:
      initContainerStatuses[0]?.state?.running !== undefined &&
      containerStatuses[0]?.state?.waiting !== undefined,
    seen: pod ? `${state(initContainerStatuses)}, ${state(containerStatuses)}` : 'no pod',
  }
}

describe.concurrent('a twin of the preload Job', () => {
  it(
    'waits until Ollama answers, makes the three models, and goes away when its time is over',
    { timeout: 300_000 },
    async ({ task, signal }) => {
      const { kube, runId } = cluster
      const record = recordOf(task.meta)
      await using stage = await stageFor('preload', record, signal)
      const { space } = stage
      const job = twinOf(record, { name: preload.name, namespace: space.name })
      expect(differingFields(objectNamed(objects, jobId), job)).toEqual([])
      await kube.apply([job], { signal, dryRun: 'skip' })
      const look = (stop: AbortSignal): Promise<Look> => waits(job, stop)
      await eventually('the first container waits', look, { timeoutMs: 45_000, intervalMs: 500, signal })
      const [pod] = await podsOf(cluster.kube, job, signal)
      if (!pod) throw new CheckBroke('The pod of the twin is gone.')
      const { log, seen } = await waitsStill(pod, look, signal)
      await stage.startOllama(signal)
      const done = await untilOver(kube, job, { timeoutMs: 150_000, signal })
      record.controls.push({
        negative: { title: 'without Ollama the models are not begun', seen },
        cause: 'an Ollama starts behind the Service',
        before: { title: `${preload.initContainer.name} polls`, seen: log },
        after: { title: 'with Ollama the same pod goes on and ends well', seen: jobComplete(done).seen },
      })
      const pods = await podsOf(cluster.kube, job, signal)
      expect(pods.map(({ metadata }) => metadata.uid)).toEqual([pod.metadata.uid])

      await using client = await startProbePod({
        kube,
        namespace: space.name,
        runId,
        name: 'client',
        signal,
      })
      const { host, port } = readSlateContract().serviceOf('ollama')
      const url = `http://${host.replace(`.${namespace}.`, `.${space.name}.`)}:${String(port)}/api`
      const ask = async (path: string, body?: string) => {
        const answer = await client.http(`${url}${path}`, {
          timeoutSeconds: 20,
          signal,
          ...(body === undefined ? {} : { body, headers: { 'Content-Type': 'application/json' } }),
        })
        if (answer.kind !== 'answered') throw new CheckBroke(`${path}: ${answer.kind}: ${answer.detail}`)
        return answer
      }
      const { models: listed } = JSON.parse((await ask('/tags')).body) as { models: { name: string }[] }
      const names = listed.map(({ name }) => name.replace(/:latest$/, ''))
      expect(names).toEqual(expect.arrayContaining(models.map(({ name }) => name)))
      for (const { name, modelfile } of models) {
        expectModel(record, name, modelfile, await ask('/show', JSON.stringify({ model: name })))
      }
      await goesAway(record, done, signal)
    },
  )

  it(
    'that fails is tried three times more, later each time, and then given up',
    { timeout: 300_000 },
    async ({ task, signal }) => {
      const { kube } = cluster
      const record = recordOf(task.meta)
      await using stage = await stageFor('backoff', record, signal)
      const job = twinOf(record, { name: preload.name, namespace: stage.space.name }, (twin) => {
        const env = at(twin, 'spec', 'template', 'spec', 'initContainers', 0, 'env') as unknown[]
        env.push({ name: 'SLATE_WAIT_SECONDS', value: '1' })
      })
      await kube.apply([job], { signal, dryRun: 'skip' })
      const ended = await untilOver(kube, job, { timeoutMs: 240_000, signal })
      const pods = await podsOf(cluster.kube, job, signal)
      const made = pods.map(({ metadata }) => Date.parse(metadata.creationTimestamp ?? '') / 1000)
      const gaps = made.slice(1).map((second, index) => second - (made[index] ?? NaN))
      const end = conditionOf(ended, 'Failed')
      record.facts.push({
        name: 'tries',
        value: `${String(pods.length)} pods, ${gaps.map((gap) => `${String(gap)} s`).join(', ')} apart; ${reasonOf(end)}`,
      })
      expect(end?.reason).toBe('BackoffLimitExceeded')
      expect(pods).toHaveLength(1 + preload.backoffLimit)
      // The controller may be late, and is never early; times are whole seconds.
      for (const [index, gap] of gaps.entries())
        expect(gap, `try ${String(index + 2)}, ${JSON.stringify(gaps)}`).toBeGreaterThan(
          backoffSeconds * 2 ** index - 2,
        )
    },
  )
})

/** The wait goes on for some seconds, and its log says for what. */
async function waitsStill(
  pod: KubeObject,
  look: (stop: AbortSignal) => Promise<Look>,
  signal: AbortSignal,
): Promise<{ log: string; seen: string }> {
  const { name, namespace: of = '' } = pod.metadata
  const log = await eventually(
    'it says for what it waits',
    async (stop) => {
      const text = await cluster.kube.logs(
        { namespace: of, name, container: preload.initContainer.name },
        stop,
      )
      return { ok: text.includes('"event":"waiting"'), seen: text.trim().split('\n').at(-1) ?? '' }
    },
    { timeoutMs: 20_000, intervalMs: 500, signal },
  )
  const seen = await consistently('it waits', look, { timeoutMs: 8000, intervalMs: 1000, signal })
  return { log, seen }
}

/** A second run that may stay for 5 s only is deleted; the first, which may stay as long as the shipped one, is not. */
async function goesAway(record: TestRecord, first: KubeObject, signal: AbortSignal): Promise<void> {
  const { kube } = cluster
  const seconds = 5
  const short = twinOf(record, { name: 'soon-gone', namespace: first.metadata.namespace ?? '' }, (twin) => {
    ;(twin['spec'] as Record<string, unknown>)['ttlSecondsAfterFinished'] = seconds
  })
  await kube.apply([short], { signal, dryRun: 'skip' })
  let end = 'it was gone before it was seen to be over'
  const gone = await eventually(
    `the twin is deleted ${String(seconds)} s after its end`,
    async (stop) => {
      const found = await kube.get(refOf(short), stop)
      if (found && jobOver(found).met) end = jobComplete(found).seen
      return { ok: found === undefined, seen: found ? jobOver(found).seen : 'gone' }
    },
    { timeoutMs: 75_000, intervalMs: 500, signal },
  )
  const stays = await kube.get(refOf(first), signal)
  record.controls.push({
    negative: { title: `a Job that may stay for ${String(seconds)} s after its end does not`, seen: gone },
    before: { title: 'it was there and ended', seen: end },
    after: {
      title: `the one that may stay for ${String(preload.ttlSecondsAfterFinished)} s, over before it, is still there`,
      seen: stays ? jobComplete(stays).seen : 'gone',
    },
  })
  expect(stays?.metadata.uid).toBe(first.metadata.uid)
}
