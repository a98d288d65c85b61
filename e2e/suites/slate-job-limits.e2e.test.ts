import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { as, conditionOf, reasonOf } from '../../bootstrap/kube/shapes.ts'
import { refOf } from '../../bootstrap/steps/objects.ts'
import { readContract } from '../../manifests/slate/contract.ts'
import { manualJob } from '../harness/cron-twin.ts'
import { eventually } from '../harness/eventually.ts'
import { jobBegun, jobOver, untilOver } from '../harness/job-progress.ts'
import { takesItsTime } from '../harness/profile.ts'
import { recordOf } from '../harness/record.ts'
import { describeJobs, everyMinute, jobsOf, nextRuns, scheduledAt, untilMinute } from '../harness/schedule.ts'
import { stableFor } from '../harness/stable-for.ts'
import { setTwinStage, shippedName, type TwinStage } from '../harness/twin-stage.ts'
import { CheckBroke, ExpectationFailed } from '../harness/verdict.ts'

/*
 * What ends SLATE's scheduled runs and what is kept of them (deadlines of 000 CronJob Details, retries and history of ADR 0020), seen at
 * work on twins: the shipped slate-instruction-sync with a small pod in the place of SLATE's, each differing in the fields that its test
 * names. That all six have these limits is proven in slate-schedules.
 */
const contract = readContract()
const { cronJobDefaults: rules } = contract
const shippedRow = contract.cronJobs.find(({ name }) => name === shippedName)
const full = takesItsTime()
/** Long enough for a pod to start beside other suites and end well. */
const shortDeadlineSeconds = 90

let stage: TwinStage
const stack = new AsyncDisposableStack()

beforeAll(async () => {
  stage = stack.use(await setTwinStage('limits', AbortSignal.timeout(60_000)))
})
afterAll(() => stack.disposeAsync())

/** How a Job ended, and how long after its start. @throws CheckBroke when it is not over */
function endOf(job: KubeObject): { type: string; reason: string; seconds: number } {
  const status = as<{ status?: { startTime?: string; conditions?: JobEnd[] } }>(job).status
  const end = status?.conditions?.find(({ type }) => type === 'Complete' || type === 'Failed')
  if (!end) throw new CheckBroke('The Job is not over.')
  const seconds = (Date.parse(end.lastTransitionTime) - Date.parse(status?.startTime ?? '')) / 1000
  return { type: end.type, reason: end.reason ?? '', seconds }
}

interface JobEnd {
  type: string
  reason?: string
  lastTransitionTime: string
}

describe.concurrent('limits of the runs', () => {
  it(
    'a run that takes longer than its deadline is ended, and one that does not ends by itself',
    { timeout: 420_000 },
    async ({ task, signal }) => {
      const { kube, runId } = stage.cluster
      const record = recordOf(task.meta)
      const deadline = full ? (shippedRow?.activeDeadlineSeconds ?? 0) : shortDeadlineSeconds
      const base = { spec: { suspend: true }, ...(full ? {} : { job: { activeDeadlineSeconds: deadline } }) }
      const [long, short] = await Promise.all([
        stage.startTwin(record, { name: 'long', script: 'sleep 3600', ...base }, signal),
        stage.startTwin(record, { name: 'short', script: 'sleep 1', ...base }, signal),
      ])
      const jobs = [long, short].map((twin) => manualJob(twin, `${twin.metadata.name}-run`, runId))
      await kube.apply(jobs, { signal, dryRun: 'skip' })
      const ended = await Promise.all(
        jobs.map((job) => untilOver(kube, job, { timeoutMs: deadline * 1000 + 60_000, signal })),
      )
      const [tooLong, inTime] = ended.map(endOf)
      const lasted = tooLong?.seconds ?? 0
      record.controls.push({
        negative: {
          title: `a run of an hour does not go on after ${String(deadline)} s`,
          seen: `${tooLong?.reason ?? ''} after ${String(lasted)} s`,
        },
        before: { title: 'a run of a second ends well beside it', seen: inTime?.reason ?? '' },
        after: { title: 'the same, nothing was changed', seen: inTime?.reason ?? '' },
      })
      if (inTime?.type !== 'Complete')
        throw new CheckBroke(
          `A run of a second ended with ${inTime?.reason ?? ''}, so the other end says nothing.`,
        )
      expect(tooLong?.reason).toBe('DeadlineExceeded')
      expect(lasted).toBeGreaterThanOrEqual(deadline)
      expect(lasted).toBeLessThan(deadline + 30)
    },
  )

  it('a run that fails is tried once more, and not again', { timeout: 120_000 }, async ({ task, signal }) => {
    const { kube, runId } = stage.cluster
    const record = recordOf(task.meta)
    const twin = await stage.startTwin(
      record,
      { name: 'fails', script: 'exit 1', spec: { suspend: true } },
      signal,
    )
    const job = manualJob(twin, 'fails-run', runId)
    await kube.apply([job], { signal, dryRun: 'skip' })
    const ended = await untilOver(kube, job, { timeoutMs: 90_000, signal })
    const pods = await kube.list(
      { apiVersion: 'v1', kind: 'Pod', namespace: stage.namespace, labelSelector: 'job-name=fails-run' },
      signal,
    )
    const seen = `${String(pods.length)} pods, ${reasonOf(conditionOf(ended, 'Failed'))}`
    record.facts.push({ name: 'tries', value: seen })
    expect(conditionOf(ended, 'Failed')?.reason).toBe('BackoffLimitExceeded')
    expect(pods, seen).toHaveLength(1 + rules.backoffLimit)
  })

  it.for([
    { kind: 'successful', script: 'true', field: 'successfulJobsHistoryLimit' },
    { kind: 'failed', script: 'exit 1', field: 'failedJobsHistoryLimit' },
  ] as const)(
    'of $kind runs the last three are kept',
    { timeout: 240_000 },
    async ({ kind, script, field }, { task, signal }) => {
      const { kube, runId } = stage.cluster
      const record = recordOf(task.meta)
      const twin = await stage.startTwin(
        record,
        { name: `keeps-${kind}`, script, spec: { suspend: true } },
        signal,
      )
      let made: string[] = []
      /** Starts so many more, one after the other by their start times, and says what is left when all are over. */
      const afterMore = async (count: number, kept: number): Promise<string> => {
        const names = Array.from({ length: count }, (_, i) => `${kind}-${String(made.length + i + 1)}`)
        for (const name of names) {
          const job = manualJob(twin, name, runId)
          await kube.apply([job], { signal, dryRun: 'skip' })
          await kube.waitFor(refOf(job), jobBegun, { timeoutMs: 20_000, signal })
        }
        made = [...made, ...names]
        const looks = await stableFor(
          3,
          `the last ${String(kept)} of ${String(made.length)} are kept`,
          async (stop) => {
            const jobs = await jobsOf(kube, twin, stop)
            const left = jobs.map(({ metadata }) => metadata.name)
            if (left.length < kept)
              throw new ExpectationFailed(`Only ${String(left.length)} are left: ${left.join(', ')}`)
            const allOver = jobs.every((job) => jobOver(job).met)
            return {
              ok: allOver && left.join() === made.slice(-kept).join(),
              seen: `${left.join(', ')}${allOver ? '' : ', not all over'}`,
            }
          },
          { timeoutMs: 75_000, intervalMs: 1000, signal },
        )
        return looks.at(-1) ?? ''
      }
      const limit = rules[field]
      const before = await afterMore(limit, limit)
      const seen = await afterMore(2, limit)
      await kube.patch(refOf(twin), { spec: { [field]: limit + 1 } }, { signal })
      const after = await afterMore(1, limit + 1)
      record.controls.push({
        negative: { title: `of ${String(limit + 2)} not more than ${String(limit)} are kept`, seen },
        before: { title: `of ${String(limit)} all are kept`, seen: before },
        after: { title: `with a limit of ${String(limit + 1)} one more is kept`, seen: after },
      })
    },
  )

  if (full)
    it(
      'of the runs that the schedule began the last three are kept',
      { timeout: 420_000 },
      async ({ task, signal }) => {
        const { kube } = stage.cluster
        const record = recordOf(task.meta)
        const twin = await stage.startTwin(
          record,
          { name: 'keeps-scheduled', script: 'true', spec: { schedule: everyMinute } },
          signal,
        )
        const due = nextRuns(everyMinute, rules.timeZone, new Date(twin.metadata.creationTimestamp ?? ''), 5)
        const kept = due.slice(-rules.successfulJobsHistoryLimit)
        const seen = await eventually(
          'the last three of five runs are kept',
          async (stop) => {
            const jobs = await jobsOf(kube, twin, stop)
            const times = jobs.map((job) => scheduledAt(job)?.getTime())
            return {
              ok:
                jobs.every((job) => jobOver(job).met) &&
                times.join() === kept.map((one) => one.getTime()).join(),
              seen: describeJobs(jobs),
            }
          },
          { timeoutMs: untilMinute(new Date(), 4 * 60_000 + 40_000), intervalMs: 1000, signal },
        )
        record.facts.push({ name: 'kept', value: seen })
      },
    )
})
