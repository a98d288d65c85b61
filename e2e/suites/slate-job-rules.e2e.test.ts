import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { refOf } from '../../bootstrap/steps/objects.ts'
import { readContract } from '../../manifests/slate/contract.ts'
import { textAt } from '../../manifests/checks/manifest.ts'
import { consistently } from '../harness/consistently.ts'
import { assertNegative } from '../harness/controls.ts'
import { eventually } from '../harness/eventually.ts'
import type { Look } from '../harness/look.ts'
import { recordOf } from '../harness/record.ts'
import { describeJobs, everyMinute, jobsOf, nextRuns, scheduledAt, untilMinute } from '../harness/schedule.ts'
import { setTwinStage, type TwinStage } from '../harness/twin-stage.ts'
import { CheckBroke } from '../harness/verdict.ts'

/*
 * When SLATE's CronJobs may begin a run (ADR 0020), seen at work on twins: the shipped
 * slate-instruction-sync with a small pod in the place of SLATE's, each differing in the fields that its test names. That all six have
 * these rules is proven in slate-schedules.
 */
const { cronJobDefaults: rules } = readContract()
const twoTicksMs = 125_000
/** How long after a tick a run may be there at the latest, milliseconds: the controller is slow on a busy machine. */
const afterTickMs = 30_000

let stage: TwinStage
const stack = new AsyncDisposableStack()

beforeAll(async () => {
  stage = stack.use(await setTwinStage('rules', AbortSignal.timeout(60_000)))
})
afterAll(() => stack.disposeAsync())

const setSuspended = (twin: KubeObject, suspend: boolean, signal: AbortSignal): Promise<KubeObject> =>
  stage.cluster.kube.patch(refOf(twin), { spec: { suspend } }, { signal })

const keptRuns = rules.successfulJobsHistoryLimit

/** Whether a twin that runs every minute has had its runs, of which history keeps the last ones. */
async function everyTickRan(twin: KubeObject, signal: AbortSignal): Promise<Look> {
  const jobs = await jobsOf(stage.cluster.kube, twin, signal)
  const thisMinute = Math.floor(Date.now() / 60_000)
  const ticks = thisMinute - Math.floor(Date.parse(twin.metadata.creationTimestamp ?? '') / 60_000)
  const newest = jobs.at(-1)
  return {
    ok:
      newest !== undefined &&
      scheduledAt(newest)?.getTime() === thisMinute * 60_000 &&
      jobs.length >= Math.min(ticks, keptRuns),
    seen: `${describeJobs(jobs)} after ${String(ticks)} full minutes`,
  }
}

describe.concurrent('rules of the CronJobs', () => {
  it(
    'Forbid: while a run goes on no second one begins, over two ticks',
    { timeout: 480_000 },
    async ({ task, signal }) => {
      const { kube } = stage.cluster
      const record = recordOf(task.meta)
      const long = { script: 'sleep 600', spec: { schedule: everyMinute } }
      const [forbids, allows] = await Promise.all([
        stage.startTwin(record, { name: 'forbids', ...long }, signal),
        stage.startTwin(
          record,
          { name: 'allows', ...long, spec: { ...long.spec, concurrencyPolicy: 'Allow' } },
          signal,
        ),
      ])
      const first = async (stop: AbortSignal): Promise<Look> => {
        const jobs = await jobsOf(kube, forbids, stop)
        return { ok: jobs.length === 1, seen: describeJobs(jobs) }
      }
      await eventually('the twin that forbids has its first Job', first, {
        timeoutMs: untilMinute(new Date(), afterTickMs),
        intervalMs: 500,
        signal,
      })
      const [running] = await jobsOf(kube, forbids, signal)
      await assertNegative(record, {
        control: {
          title: 'its twin with Allow begins a run with every tick',
          run: (stop) => everyTickRan(allows, stop),
        },
        negative: { title: `its run goes on alone with ${rules.concurrencyPolicy}`, run: first },
        // Made at two sides of a full minute, the twin has its first run with the next one.
        settle: { timeoutMs: 75_000, intervalMs: 500, signal },
        hold: { timeoutMs: twoTicksMs, intervalMs: 2000, signal },
      })
      const said = await eventsOf(forbids, signal)
      expect(said).toContain('JobAlreadyActive')
      record.facts.push({ name: 'why not, in the words of the controller', value: said })
      // The same object begins again as soon as nothing hinders it.
      if (!running) throw new CheckBroke('The first Job is gone.')
      await kube.delete(refOf(running), { signal, wait: true })
      const next = await eventually(
        'the next run begins when the first one is gone',
        async (stop) => {
          const jobs = await jobsOf(kube, forbids, stop)
          return {
            ok: jobs.some(({ metadata }) => metadata.uid !== running.metadata.uid),
            seen: describeJobs(jobs),
          }
        },
        { timeoutMs: untilMinute(new Date(), afterTickMs), intervalMs: 500, signal },
      )
      record.facts.push({ name: 'the same twin, after its run was over', value: next })
    },
  )

  it(
    'Suspend: a suspended CronJob does not run, over two ticks, and runs when it is resumed',
    { timeout: 480_000 },
    async ({ task, signal }) => {
      const { kube } = stage.cluster
      const record = recordOf(task.meta)
      const spec = { schedule: everyMinute }
      const [suspended, awake] = await Promise.all([
        stage.startTwin(
          record,
          { name: 'suspended', script: 'true', spec: { ...spec, suspend: true } },
          signal,
        ),
        stage.startTwin(record, { name: 'awake', script: 'true', spec }, signal),
      ])
      await assertNegative(record, {
        control: { title: 'its twin runs with every tick', run: (stop) => everyTickRan(awake, stop) },
        negative: {
          title: 'the suspended one has no Job',
          run: async (stop) => {
            const jobs = await jobsOf(kube, suspended, stop)
            return { ok: jobs.length === 0, seen: describeJobs(jobs) }
          },
        },
        settle: { timeoutMs: 75_000, intervalMs: 500, signal },
        hold: { timeoutMs: twoTicksMs, intervalMs: 2000, signal },
      })
      await setSuspended(suspended, false, signal)
      const resumed = await eventually(
        'the resumed one runs',
        async (stop) => {
          const jobs = await jobsOf(kube, suspended, stop)
          return { ok: jobs.length > 0, seen: describeJobs(jobs) }
        },
        { timeoutMs: untilMinute(new Date(), afterTickMs), intervalMs: 500, signal },
      )
      record.facts.push({ name: 'the same CronJob, resumed', value: resumed })
    },
  )

  it(
    'a missed run is made up for within the starting deadline, and not after it',
    { timeout: 240_000 },
    async ({ task, signal }) => {
      const { kube } = stage.cluster
      const record = recordOf(task.meta)
      const spec = { schedule: everyMinute, suspend: true }
      const strictSeconds = 15
      const [shippedDeadline, strict] = await Promise.all([
        stage.startTwin(record, { name: 'late-shipped', script: 'true', spec }, signal),
        stage.startTwin(
          record,
          {
            name: 'late-strict',
            script: 'true',
            spec: { ...spec, startingDeadlineSeconds: strictSeconds },
          },
          signal,
        ),
      ])
      const none =
        (twin: KubeObject) =>
        async (stop: AbortSignal): Promise<Look> => {
          const jobs = await jobsOf(kube, twin, stop)
          return { ok: jobs.length === 0, seen: describeJobs(jobs) }
        }
      await consistently('the run is missed, as both are suspended', none(strict), {
        timeoutMs: untilMinute(new Date(), (strictSeconds + 5) * 1000),
        intervalMs: 1000,
        signal,
      })
      const missed = new Date(Math.floor(Date.now() / 60_000) * 60_000).toISOString()
      await Promise.all([shippedDeadline, strict].map((twin) => setSuspended(twin, false, signal)))
      const madeUp =
        (twin: KubeObject) =>
        async (stop: AbortSignal): Promise<Look> => {
          const jobs = await jobsOf(kube, twin, stop)
          const [first] = jobs
          return { ok: first !== undefined && scheduledAt(first) !== undefined, seen: describeJobs(jobs) }
        }
      const negative = `with a deadline of ${String(strictSeconds)} s the missed run is left out`
      // At the same time, for only what is left of the minute shows that nothing is made up for.
      const [before, seen] = await Promise.all([
        eventually('the run is made up for', madeUp(shippedDeadline), {
          timeoutMs: afterTickMs,
          intervalMs: 250,
          signal,
        }),
        consistently(negative, none(strict), {
          timeoutMs: untilMinute(new Date(), -2000),
          intervalMs: 1000,
          signal,
        }),
      ])
      const [late] = await jobsOf(kube, shippedDeadline, signal)
      expect(late && scheduledAt(late)?.toISOString()).toBe(missed)
      const after = await eventually('the next run of the strict one begins in time', madeUp(strict), {
        timeoutMs: untilMinute(new Date(), afterTickMs),
        intervalMs: 250,
        signal,
      })
      record.controls.push({
        negative: { title: negative, seen },
        before: { title: `with ${String(rules.startingDeadlineSeconds)} s it is made up for`, seen: before },
        after: { title: 'the strict one runs at the next tick', seen: after },
      })
    },
  )

  it(
    'the time zone decides which hour an expression means',
    { timeout: 300_000 },
    async ({ task, signal }) => {
      const { kube } = stage.cluster
      const record = recordOf(task.meta)
      // Near enough to wait for, and far enough to be ready before it.
      const due = new Date(Math.ceil((Date.now() + 20_000) / 60_000) * 60_000)
      const minute = String(due.getUTCMinutes())
      const hourIn = (timeZone: string): string =>
        String(Number(due.toLocaleString('en-GB', { timeZone, hour: '2-digit', hourCycle: 'h23' })))
      const other = 'Asia/Tokyo'
      const [own, ours, theirs] = [
        `${minute} ${hourIn(rules.timeZone)} * * *`,
        `${minute} ${hourIn(other)} * * *`,
        `${minute} ${hourIn(rules.timeZone)} * * *`,
      ]
      expect(nextRuns(own, rules.timeZone, new Date(), 1)).toEqual([due])
      const [stated, converted, unconverted] = await Promise.all([
        stage.startTwin(record, { name: 'zone-stated', script: 'true', spec: { schedule: own } }, signal),
        stage.startTwin(
          record,
          { name: 'zone-converted', script: 'true', spec: { schedule: ours, timeZone: other } },
          signal,
        ),
        stage.startTwin(
          record,
          { name: 'zone-unconverted', script: 'true', spec: { schedule: theirs, timeZone: other } },
          signal,
        ),
      ])
      const ran =
        (...twins: KubeObject[]) =>
        async (stop: AbortSignal): Promise<Look> => {
          const jobs = await Promise.all(twins.map((twin) => jobsOf(kube, twin, stop)))
          return {
            ok: jobs.every(([job]) => job && scheduledAt(job)?.getTime() === due.getTime()),
            seen: jobs.map(describeJobs).join(' and '),
          }
        }
      const settle = { timeoutMs: due.getTime() - Date.now() + afterTickMs, intervalMs: 500, signal }
      await eventually(`"${own}" runs at ${due.toISOString()}`, ran(stated), settle)
      await assertNegative(record, {
        control: {
          title: `"${own}" in ${rules.timeZone} and "${ours}" in ${other} run at ${due.toISOString()}`,
          run: ran(stated, converted),
        },
        negative: {
          title: `"${theirs}" in ${other} does not`,
          run: async (stop) => {
            const jobs = await jobsOf(kube, unconverted, stop)
            return { ok: jobs.length === 0, seen: describeJobs(jobs) }
          },
        },
        settle: { ...settle, timeoutMs: afterTickMs },
        hold: { timeoutMs: 8000, intervalMs: 1000, signal },
      })
    },
  )
})

/** What the cluster reports about an object, as `reason: message`. */
async function eventsOf({ metadata }: KubeObject, signal: AbortSignal): Promise<string> {
  const events = await stage.cluster.kube.list(
    {
      apiVersion: 'v1',
      kind: 'Event',
      namespace: metadata.namespace ?? '',
      fieldSelector: `involvedObject.name=${metadata.name}`,
    },
    signal,
  )
  return events.map((event) => `${textAt(event, 'reason')}: ${textAt(event, 'message')}`).join('; ')
}
