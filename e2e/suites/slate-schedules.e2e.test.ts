import pLimit from 'p-limit'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Condition, KubeObject, ObjectRef } from '../../bootstrap/kube/client.ts'
import { conditionOf, reasonOf } from '../../bootstrap/kube/shapes.ts'
import { violationsOf } from '../../manifests/checks/violations.ts'
import { readContract, type CronJobRow } from '../../manifests/slate/contract.ts'
import { jobFacts } from '../../manifests/slate/facts/jobs.ts'
import { textAt } from '../../manifests/checks/manifest.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { differingFields } from '../harness/cron-twin.ts'
import { eventually } from '../harness/eventually.ts'
import { describeViolation } from '../harness/live-facts.ts'
import { recordOf, type TestRecord } from '../harness/record.ts'
import { runLabel } from '../harness/run-id.ts'
import {
  everyMinute,
  jobsOf,
  nextRuns,
  notBySchedule,
  scheduledAt,
  untilMinute,
} from '../harness/schedule.ts'
import { requireSlate } from '../harness/slate.ts'
import { CheckBroke, ExpectationFailed } from '../harness/verdict.ts'

/*
 * When SLATE's six CronJobs run: as they stand on the cluster, as their expressions are computed by a library that Kubernetes does not
 * use, and as their copies are really started by the schedule. What a run does is proven in slate-jobs, where it is started by hand.
 */
const contract = readContract()
const { cronJobs, cronJobDefaults } = contract
const namespace = contract.namespace.name

let cluster: Cluster
beforeAll(async () => {
  cluster = await attach(choiceFromEnvironment(), AbortSignal.timeout(30_000))
  requireSlate(cluster)
})

const refOf = (name: string): ObjectRef => ({ apiVersion: 'batch/v1', kind: 'CronJob', namespace, name })

async function shippedCronJob(name: string, signal: AbortSignal): Promise<KubeObject> {
  const found = await cluster.kube.get(refOf(name), signal)
  if (!found) throw new ExpectationFailed(`There is no CronJob ${name} in the namespace ${namespace}.`)
  return found
}

describe('live CronJobs', () => {
  it('are the six of the specification', async ({ task, signal }) => {
    const all = await cluster.kube.list({ apiVersion: 'batch/v1', kind: 'CronJob', namespace }, signal)
    const own = all.filter(({ metadata }) => !(runLabel in (metadata.labels ?? {})))
    const names = own.map(({ metadata }) => metadata.name).sort()
    recordOf(task.meta).facts.push({ name: 'CronJobs', value: names.join(', ') })
    expect(names).toEqual(cronJobs.map(({ name }) => name).sort())
  })

  it.for(cronJobs)('$name is as the specification says', async ({ name }, { task, signal }) => {
    const { kube } = cluster
    const live = await shippedCronJob(name, signal)
    const addresses = await kube.get(
      { apiVersion: 'v1', kind: 'ConfigMap', namespace, name: contract.addresses.configMap },
      signal,
    )
    const objects = [live, ...(addresses ? [addresses] : [])]
    const facts = jobFacts(contract, 'local', objects).filter(({ object }) => object === `CronJob/${name}`)
    recordOf(task.meta).facts.push({
      name: 'fields compared with the specification',
      value: facts.map(({ fact }) => fact).join(', '),
    })
    expect(facts.length).toBeGreaterThan(10)
    expect(violationsOf(facts, objects).map(describeViolation)).toEqual([])
  })
})

/** Wednesday morning; far from any change of the clock. */
const wednesday = new Date('2027-01-13T10:17:30Z')
const at = (...times: string[]): string[] => times.map((time) => `${time}:00.000Z`)

/** What the words of the guide's table "CronJobs and Scheduled Tasks" (001) mean after that Wednesday, counted by hand. */
const words: { name: string; words: string; runs: string[] }[] = [
  {
    name: 'slate-nightly-health',
    words: 'daily at midnight',
    runs: at(
      '2027-01-14T00:00',
      '2027-01-15T00:00',
      '2027-01-16T00:00',
      '2027-01-17T00:00',
      '2027-01-18T00:00',
    ),
  },
  {
    name: 'slate-codebase-indexer',
    words: 'daily at 2 am',
    runs: at(
      '2027-01-14T02:00',
      '2027-01-15T02:00',
      '2027-01-16T02:00',
      '2027-01-17T02:00',
      '2027-01-18T02:00',
    ),
  },
  {
    name: 'slate-model-trainer',
    words: 'weekly on Sunday at 3 am',
    runs: at(
      '2027-01-17T03:00',
      '2027-01-24T03:00',
      '2027-01-31T03:00',
      '2027-02-07T03:00',
      '2027-02-14T03:00',
    ),
  },
  {
    name: 'slate-inference-benchmarks',
    words: 'weekly on Sunday at 6 am',
    runs: at(
      '2027-01-17T06:00',
      '2027-01-24T06:00',
      '2027-01-31T06:00',
      '2027-02-07T06:00',
      '2027-02-14T06:00',
    ),
  },
  {
    name: 'slate-workflow-cleanup',
    words: 'every 4 hours',
    runs: at(
      '2027-01-13T12:00',
      '2027-01-13T16:00',
      '2027-01-13T20:00',
      '2027-01-14T00:00',
      '2027-01-14T04:00',
    ),
  },
  {
    name: 'slate-instruction-sync',
    words: 'hourly',
    runs: at(
      '2027-01-13T11:00',
      '2027-01-13T12:00',
      '2027-01-13T13:00',
      '2027-01-13T14:00',
      '2027-01-13T15:00',
    ),
  },
]

describe('the shipped expression, computed', () => {
  it('every CronJob has words', () => {
    expect(words.map(({ name }) => name).sort()).toEqual(cronJobs.map(({ name }) => name).sort())
  })

  it.for(words)('$name runs $words', async ({ name, runs }, { task, signal }) => {
    const live = await shippedCronJob(name, signal)
    const [schedule, zone] = [textAt(live, 'spec', 'schedule'), textAt(live, 'spec', 'timeZone')]
    const computed = (after: Date) =>
      nextRuns(schedule, zone, after, runs.length).map((run) => run.toISOString())
    recordOf(task.meta).facts.push({
      name: 'next runs, computed with cron-parser and not waited for',
      value: `${schedule} in ${zone}: ${computed(new Date()).join(', ')}`,
    })
    expect(computed(wednesday)).toEqual(runs)
  })
})

/** What a run has to show before it counts as started; what it does in the end is the matter of slate-jobs. */
const effects: Record<string, 'begins' | 'ends' | 'succeeds'> = {
  // It judges everything in the namespace, and other suites break things there at the same time.
  'slate-nightly-health': 'ends',
  // The whole code base takes the tiny model minutes.
  'slate-codebase-indexer': 'begins',
}

/** The namespace has room for three pods more while other suites are at work there. */
const threeAtATime = pLimit(3)

describe.concurrent('a copy that runs every minute', () => {
  it.for(cronJobs)(
    '$name is started by its schedule',
    { timeout: 600_000 },
    async (row, { task, signal }) => {
      await threeAtATime(() => startedBySchedule(row, recordOf(task.meta), signal))
    },
  )
})

async function startedBySchedule(row: CronJobRow, record: TestRecord, signal: AbortSignal): Promise<void> {
  const { kube, runId } = cluster
  const shipped = await shippedCronJob(row.name, signal)
  const ref = refOf(`${row.name}-${runId.slice(-6)}`)
  await kube.apply(
    [
      {
        apiVersion: ref.apiVersion,
        kind: ref.kind,
        metadata: { name: ref.name, namespace, labels: { [runLabel]: runId } },
        spec: { ...(shipped['spec'] as object), schedule: everyMinute },
      },
    ],
    { signal, dryRun: 'skip' },
  )
  try {
    const copy = await kube.get(ref, signal)
    if (!copy) throw new CheckBroke(`The copy ${ref.name} is gone.`)
    expect(differingFields(shipped, copy)).toEqual(['schedule'])
    record.facts.push({
      name: 'differs from the shipped CronJob in',
      value: 'metadata and spec.schedule only',
    })

    await eventually(
      `${ref.name} has a Job`,
      async (stop) => {
        const { length } = await jobsOf(kube, copy, stop)
        return { ok: length > 0, seen: `${String(length)} Jobs` }
      },
      { timeoutMs: untilMinute(new Date(), 20_000), intervalMs: 500, signal },
    )
    const [job, ...others] = await jobsOf(kube, copy, signal)
    if (!job) throw new CheckBroke(`The Job of ${ref.name} is gone.`)
    expect(others).toEqual([])
    expect(notBySchedule(job, copy)).toEqual([])
    const meant = scheduledAt(job)?.toISOString() ?? ''
    await eventually(
      `${ref.name} knows of that run`,
      async (stop) => {
        const last = textAt(await kube.get(ref, stop), 'status', 'lastScheduleTime')
        return { ok: Date.parse(last) === Date.parse(meant), seen: last === '' ? 'no last run' : last }
      },
      { timeoutMs: 15_000, intervalMs: 250, signal },
    )
    // Not before: a controller whose write of that status meets this one does not write it again for a suspended CronJob.
    await kube.patch(ref, { spec: { suspend: true } }, { signal })
    record.facts.push({ name: 'started by its schedule', value: `${job.metadata.name}, meant for ${meant}` })

    const line = await seenInLog(job, row, signal)
    record.facts.push({ name: 'its log', value: line })
  } finally {
    await kube.delete(ref, { signal: AbortSignal.timeout(180_000), wait: true })
  }
}

/**
 * Waits for the line of the log that shows the job at work, and returns it. A run that failed is not the end while the Job tries again: what it
 * needs may have been away for a moment.
 */
async function seenInLog(job: KubeObject, row: CronJobRow, signal: AbortSignal): Promise<string> {
  const { kube } = cluster
  const effect = effects[row.name] ?? 'succeeds'
  const wanted = effect === 'begins' ? 'job-started' : 'job-finished'
  const pods = { apiVersion: 'v1', kind: 'Pod', namespace, labelSelector: `job-name=${job.metadata.name}` }
  const line = await eventually(
    `${row.name} says ${wanted}`,
    async (stop) => {
      const current = await kube.get({ ...refOf(job.metadata.name), kind: 'Job' }, stop)
      const state = unfinished(current)
      const pod = (await kube.list(pods, stop)).sort(latestFirst)[0]
      if (!pod || textAt(pod, 'status', 'phase') === 'Pending') return { ok: false, seen: state.seen }
      const log = await kube.logs({ namespace, name: pod.metadata.name }, stop)
      const found = log.split('\n').find((one) => one.includes(`"event":"${wanted}"`))
      const over = !state.met && state.fatal === true
      const triesAgain = effect === 'succeeds' && found?.includes('"outcome":"failed"') === true && !over
      if (found !== undefined && !triesAgain) return { ok: true, seen: found }
      if (over) throw new ExpectationFailed(`${row.name}: ${state.seen}: ${log}`)
      return { ok: false, seen: `${state.seen}: ${log.trim().split('\n').at(-1) ?? ''}` }
    },
    { timeoutMs: 120_000, intervalMs: 1000, signal },
  )
  const said = JSON.parse(line) as Record<string, unknown>
  expect(said).toMatchObject({ job: row.job })
  if (effect === 'succeeds') expect(said, line).toMatchObject({ outcome: 'succeeded' })
  return line
}

const latestFirst = (one: KubeObject, other: KubeObject): number =>
  (other.metadata.creationTimestamp ?? '').localeCompare(one.metadata.creationTimestamp ?? '')

const unfinished: Condition = (job) => {
  const failed = job && conditionOf(job, 'Failed')
  return failed?.status === 'True'
    ? { met: false, fatal: true, seen: `has failed: ${reasonOf(failed)}` }
    : { met: false, seen: job ? 'not finished' : 'no Job' }
}

describe('the time zone', () => {
  const inZone = (timeZone: string): KubeObject => ({
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'zone', namespace },
    spec: {
      schedule: everyMinute,
      timeZone,
      jobTemplate: {
        spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'a' }] } } },
      },
    },
  })

  it('of the specification is one that the cluster knows', async ({ task, signal }) => {
    const [known, unknown] = await Promise.all(
      [cronJobDefaults.timeZone, 'Etc/Nowhere'].map((zone) =>
        cluster.kube.rehearse(inZone(zone), { signal, as: { name: `e2e-zone-${cluster.runId}` } }),
      ),
    )
    recordOf(task.meta).controls.push({
      negative: { title: 'Etc/Nowhere is refused', seen: unknown?.refusal?.message ?? 'it is accepted' },
      before: {
        title: `${cronJobDefaults.timeZone} is accepted`,
        seen: known?.refusal?.message ?? 'accepted',
      },
      after: { title: 'the same objects, dry runs side by side', seen: 'not asked again' },
    })
    expect(known?.refusal).toBeUndefined()
    expect(unknown?.refusal?.message).toContain('timeZone')
  })
})
