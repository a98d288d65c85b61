import type { KubeClient, KubeObject } from '../../bootstrap/kube/client.ts'
import {
  autoscalerRef,
  autoscalerState,
  conditionWords,
  deploymentRef,
  queryOf,
  replicaState,
  rescalesOf,
  type AutoscalerState,
  type ReplicaState,
  type Rescale,
} from './autoscaler.ts'
import { consistently } from './consistently.ts'
import { eventually } from './eventually.ts'
import { whileQuiet } from './load-turn.ts'
import type { Load } from './load.ts'
import { requireSamples } from './metrics-samples.ts'
import { observe, pointsOf, type Observation } from './observe.ts'
import type { TestRecord } from './record.ts'
import { scalingPlots, type ScalingSight } from './scaling-plots.ts'
import { recommended, type CountSeries } from './scaling-steps.ts'
import type { ScaledDeployment, ScalingSubject } from './scaling-subject.ts'
import { measuredMs, requireUsed, usedPercent } from './used-cpu.ts'
import { CheckBroke, ExpectationFailed, NotProven } from './verdict.ts'

/** How long each part of a run may take or has to last, milliseconds, and how much load there is. */
export interface ScalingPace {
  /** Until every pod is ready and measured. */
  samplesMs: number
  /** Until the autoscaler has its metrics. */
  activeMs: number
  /** For how long nothing may happen before the load. */
  quietMs: number
  /** From the load to the first step up. */
  firstStepMs: number
  /** From then until as many pods as the maximum are ready. */
  maximumMs: number
  /** For how long the maximum must hold once more load was measured; a decision is made every 15 s. */
  holdMs: number
  /** From the end of the load to the minimum. */
  minimumMs: number
  /** Load as a multiple of what the maximum of pods takes to be at the target, and by how much it is raised there. */
  load: number
  more: number
}

/** What a run saw. */
export interface ScalingRun {
  /** Replicas that the Deployment's specification had. */
  replicas: CountSeries
  twin: CountSeries
  /** The twin's measured CPU at the height of the load, in percent of its target. */
  twinPercent: number
  raisedMs: number
  loweredMs: number
  rescales: Rescale[]
  before: KubeObject
  after: KubeObject
}

type Eyes = ScalingSight & AsyncDisposable

/**
 * The story of an autoscaler: samples of every pod, quiet at the minimum, load until the maximum is there and ready, more load that changes
 * nothing, and back to the minimum when the load ends. Tests that mind load wait while there is some (`whileQuiet`). The series goes into the
 * record, also that of a run that failed.
 * @throws NotProven when there are no samples, when the load cannot be measured, or when the node has no room for the pods;
 * ExpectationFailed when the autoscaler does something else; CheckBroke when the load or the twin is not what it should be
 */
export async function runScaling(
  kube: KubeClient,
  subject: ScalingSubject,
  pace: ScalingPace,
  record: TestRecord,
  signal: AbortSignal,
): Promise<ScalingRun> {
  const { row, deployment, twin, load } = subject
  const { min } = row
  const [before] = await kube.list(queryOf(autoscalerRef(deployment.namespace, subject.autoscaler)), signal)
  if (!before) throw new ExpectationFailed(`There is no autoscaler ${subject.autoscaler}.`)
  await using eyes = await open(kube, subject, signal)
  const { autoscaler, replicas } = eyes
  const marks: { atMs: number; text: string }[] = []
  const mark = (text: string): number => {
    const atMs = Date.now()
    marks.push({ atMs, text })
    return atMs
  }
  record.facts.push({ name: 'observed on', value: subject.differs }, { name: 'load', value: load.kind })
  try {
    await Promise.all(
      [deployment, twin].map((one) =>
        requireSamples(kube, { ...one, pods: min }, { timeoutMs: pace.samplesMs, intervalMs: 1_000, signal }),
      ),
    )
    await autoscaler.until(`${row.name} has its metrics`, judgeActive(row.utilization), {
      timeoutMs: pace.activeMs,
      signal,
    })
    mark('has its metrics')
    await holds(
      `${row.target} is quiet at its minimum`,
      replicas,
      ({ wanted }) => wanted === min,
      pace.quietMs,
      signal,
    )

    const { began, ended, raisedMs, twinPercent } = await whileQuiet(
      () => underLoad(kube, subject, { pace, eyes, record, mark, signal }),
      signal,
    )
    const back = await replicas.until(
      `${row.target} goes back to its minimum`,
      ({ wanted, ready }) => ({
        ok: wanted === min && ready === min,
        seen: `${String(wanted)} replicas`,
        fatal: wanted < min,
      }),
      { timeoutMs: pace.minimumMs, signal },
    )
    mark('minimum')
    const loweredMs = firstAsking(eyes, row, ended, (asked, now) => asked < now) ?? back.atMs
    const after = await kube.get(autoscalerRef(deployment.namespace, subject.autoscaler), signal)
    if (!after) throw new ExpectationFailed(`The autoscaler ${row.name} is gone.`)
    const wanted = pointsOf(replicas.series, (state) => state.wanted)
    return {
      replicas: wanted,
      twin: pointsOf(eyes.twin.series, (state) => state.wanted),
      twinPercent,
      raisedMs,
      loweredMs,
      rescales: await reportedOf(
        kube,
        { namespace: deployment.namespace, name: row.name, sinceMs: wanted[0]?.[0] ?? began },
        wanted.slice(1).map(([, size]) => size),
        signal,
      ),
      before,
      after,
    }
  } finally {
    record.series = [...(record.series ?? []), ...scalingPlots(eyes, row, marks)]
  }
}

/** How long the last changes of size may take to be reported; an event is written after what it tells of, milliseconds. */
const reportMs = 15_000

/** What an autoscaler reported when every size is among it, or, when one never is, what there was in the end. */
async function reportedOf(
  kube: KubeClient,
  autoscaler: Parameters<typeof rescalesOf>[1],
  sizes: readonly number[],
  signal: AbortSignal,
): Promise<Rescale[]> {
  let reported: Rescale[] = []
  await eventually(
    `${autoscaler.name} reports its changes of size`,
    async (stop) => {
      reported = await rescalesOf(kube, autoscaler, stop)
      const missing = sizes.filter((size) => reported.every((one) => one.size !== size))
      return { ok: missing.length === 0, seen: `nothing of ${missing.join(', ')}` }
    },
    { timeoutMs: reportMs, intervalMs: 500, signal },
  ).catch((error: unknown) => {
    // Whether somebody else changed the size is for the test to say.
    if (!(error instanceof ExpectationFailed)) throw error
  })
  return reported
}

interface Watched {
  pace: ScalingPace
  eyes: Eyes
  record: TestRecord
  /** Puts a moment into the plot, with its name, and returns it. */
  mark: (text: string) => number
  signal: AbortSignal
}

/** From the first load to its end: to the maximum, and not beyond with more of it. */
async function underLoad(
  kube: KubeClient,
  subject: ScalingSubject,
  { pace, eyes, record, mark, signal }: Watched,
): Promise<{ began: number; ended: number; raisedMs: number; twinPercent: number }> {
  const { row, twin, load } = subject
  const { autoscaler, replicas } = eyes
  const { min, max } = row
  const began = mark('load begins')
  const full = pace.load * max * (row.utilization['cpu'] ?? 0) * 0.01 * subject.requestMillicores
  await load.set(full, signal)
  await answered(load, signal)
  const first = await replicas
    .until(`${row.target} gets more pods`, ({ wanted }) => atMost(max, wanted, wanted > min), {
      timeoutMs: pace.firstStepMs,
      signal,
    })
    .catch((error: unknown) => explain(kube, subject, error, signal))
  const raisedMs = firstAsking(eyes, row, began, (asked, now) => asked > now) ?? first.atMs
  const reaches = (what: string, ok: (state: ReplicaState) => boolean) =>
    replicas
      .until(
        what,
        (state) => ({
          ...atMost(max, state.wanted, ok(state)),
          seen: `${String(state.wanted)} replicas wanted, ${String(state.ready)} ready, of ${String(max)}`,
        }),
        { timeoutMs: pace.maximumMs, signal },
      )
      .catch((error: unknown) => explain(kube, subject, error, signal))
  await reaches(`${row.target} reaches its maximum`, ({ wanted }) => wanted === max)

  const usual = await usedPercent(kube, twin, subject, signal)
  mark('maximum, more load')
  await load.set(full * pace.more, signal)
  await Promise.all([
    reaches(`${row.target} is ready at its maximum`, ({ wanted, ready }) => wanted === max && ready === max),
    autoscaler.until(`${row.name} says that it is limited`, judgeLimited, {
      timeoutMs: measuredMs,
      signal,
    }),
    // Half of what was added is enough to know that it is measured.
    requireUsed(kube, subject, usual * (1 + (pace.more - 1) / 2), signal),
  ])
  mark('more load is measured')
  await holds(
    `${row.target} stays at its maximum`,
    replicas,
    ({ wanted }) => wanted === max,
    pace.holdMs,
    signal,
  )
  const twinPercent = await usedPercent(kube, twin, subject, signal)
  record.facts.push({ name: 'requests', value: await load.tally(signal) })

  const ended = mark('load ends')
  await load.set(0, signal)
  return { began, raisedMs, twinPercent, ended }
}

async function open(kube: KubeClient, subject: ScalingSubject, signal: AbortSignal): Promise<Eyes> {
  await using stack = new AsyncDisposableStack()
  const { deployment, twin, autoscaler } = subject
  const of = async ({ namespace, name }: ScaledDeployment) =>
    stack.use(
      await observe(kube, queryOf(deploymentRef(namespace, name)), ([one]) => replicaState(one), { signal }),
    )
  const eyes = {
    autoscaler: stack.use(
      await observe(
        kube,
        queryOf(autoscalerRef(deployment.namespace, autoscaler)),
        ([one]) => autoscalerState(one),
        { signal },
      ),
    ),
    replicas: await of(deployment),
    twin: await of(twin),
  }
  const kept = stack.move()
  return { ...eyes, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}

/** @throws CheckBroke when the load does not reach each of its targets */
async function answered(load: Load, signal: AbortSignal): Promise<void> {
  await eventually(
    'the load is answered',
    async (stop) => {
      try {
        return { ok: true, seen: await load.tally(stop) }
      } catch (error) {
        if (!(error instanceof CheckBroke)) throw error
        return { ok: false, seen: error.message }
      }
    },
    { timeoutMs: load.lagMs + 15_000, intervalMs: 1_000, signal },
  ).catch((error: unknown) => {
    throw error instanceof ExpectationFailed ? new CheckBroke(error.message, { cause: error }) : error
  })
}

const judgeActive = (utilization: Readonly<Record<string, number>>) => (state: AutoscalerState) => {
  const missing = Object.keys(utilization).filter((name) => state.utilization[name] === undefined)
  return {
    ok: state.conditions['ScalingActive']?.status === 'True' && missing.length === 0,
    seen: `${conditionWords(state, 'ScalingActive')}${missing.length === 0 ? '' : `, nothing of ${missing.join(', ')}`}`,
    fatal: !state.exists,
  }
}

function judgeLimited(state: AutoscalerState) {
  const { status, reason } = state.conditions['ScalingLimited'] ?? {}
  return {
    ok: status === 'True' && reason === 'TooManyReplicas',
    seen: conditionWords(state, 'ScalingLimited'),
  }
}

const atMost = (max: number, wanted: number, ok: boolean) => ({
  ok: ok && wanted <= max,
  seen: `${String(wanted)} replicas`,
  fatal: wanted > max,
})

/** Nothing that the watch sees in a period may be otherwise. */
async function holds(
  what: string,
  observation: Observation<ReplicaState>,
  right: (state: ReplicaState) => boolean,
  ms: number,
  signal: AbortSignal,
): Promise<void> {
  const from = observation.series.length - 1
  await consistently(
    what,
    () => {
      const now = observation.latest()
      const wrong = observation.series.slice(from).find(({ value }) => !right(value))
      return { ok: wrong === undefined, seen: `${String((wrong?.value ?? now).wanted)} replicas` }
    },
    { timeoutMs: ms, intervalMs: 500, signal },
  )
}

/** When the autoscaler was first seen, from a moment on, to have measured what asks for another number of pods; limits come after that. */
function firstAsking(
  { autoscaler, replicas }: Eyes,
  { utilization }: ScalingSubject['row'],
  sinceMs: number,
  other: (asked: number, now: number) => boolean,
): number | undefined {
  return autoscaler.series.find(({ atMs, value }) => {
    if (atMs < sinceMs) return false
    const now = replicas.series.findLast((one) => one.atMs <= atMs)?.value.wanted ?? 0
    const asked = Object.entries(utilization).map(([name, target]) =>
      recommended(now, value.utilization[name] ?? 0, target),
    )
    return other(Math.max(...asked), now)
  })?.atMs
}

/**
 * Why an autoscaler did not get where it should: because nobody could measure the load, or because the node has no room, which is no fault
 * of it. @throws NotProven in these cases, else the error that came
 */
async function explain(
  kube: KubeClient,
  subject: ScalingSubject,
  error: unknown,
  signal: AbortSignal,
): Promise<never> {
  if (!(error instanceof ExpectationFailed)) throw error
  const { deployment, row } = subject
  const { namespace, labelSelector } = deployment
  const pods = await kube.list({ apiVersion: 'v1', kind: 'Pod', namespace, labelSelector }, signal)
  const noRoom = pods.flatMap(({ ['status']: status }) =>
    ((status as { conditions?: { reason?: string; message?: string }[] }).conditions ?? []).filter(
      ({ reason }) => reason === 'Unschedulable',
    ),
  )
  if (noRoom[0])
    throw new NotProven(`The node has no room: ${noRoom[0].message ?? ''} (${error.message})`, {
      cause: error,
    })
  const target = row.utilization['cpu'] ?? 0
  const percent = await usedPercent(kube, deployment, subject, signal)
  if (percent <= target * 1.1)
    throw new NotProven(
      `The load is not to be seen: ${String(percent)} % of the request, target ${String(target)} % (${error.message})`,
      { cause: error },
    )
  throw new ExpectationFailed(`${error.message}; the pods use ${String(percent)} % of their request`, {
    cause: error,
  })
}
