/** How an autoscaler may change a count, as in HorizontalPodAutoscaler `spec.behavior`. */
export interface ScalingPolicy {
  type: 'Pods' | 'Percent'
  value: number
  periodSeconds: number
}

export interface ScalingRules {
  stabilizationWindowSeconds: number
  policies: readonly ScalingPolicy[]
}

export interface ScalingBehavior {
  scaleUp: ScalingRules
  scaleDown: ScalingRules
}

/**
 * What holds where an autoscaler names no behavior, and for each part that it leaves out.
 * https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#default-behavior
 */
export const kubernetesBehavior: ScalingBehavior = {
  scaleUp: {
    stabilizationWindowSeconds: 0,
    policies: [
      { type: 'Pods', value: 4, periodSeconds: 15 },
      { type: 'Percent', value: 100, periodSeconds: 15 },
    ],
  },
  scaleDown: {
    stabilizationWindowSeconds: 300,
    policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
  },
}

/** Milliseconds between two decisions of an autoscaler: `--horizontal-pod-autoscaler-sync-period`, which no cluster of ours changes. */
export const syncMs = 15_000

/** How far a measured ratio may be from 1 before an autoscaler acts: `--horizontal-pod-autoscaler-tolerance`. */
const tolerance = 0.1

/** What an autoscaler wants for a utilisation when every pod is ready and measured; limits, policies and windows come later. */
export function recommended(replicas: number, utilization: number, target: number): number {
  const ratio = utilization / target
  return Math.abs(1 - ratio) <= tolerance ? replicas : Math.ceil(replicas * ratio)
}

/** A count over time, the oldest point first; each value holds until the next. Milliseconds since the Unix epoch. */
export type CountSeries = readonly (readonly [atMs: number, value: number])[]

export interface Step {
  atMs: number
  from: number
  to: number
}

/** Every change of a count. */
export function stepsOf(series: CountSeries): Step[] {
  return series.flatMap(([atMs, to], index) => {
    const from = series[index - 1]?.[1]
    return from === undefined || from === to ? [] : [{ atMs, from, to }]
  })
}

export interface ScalingPromise {
  min: number
  max: number
  behavior: ScalingBehavior
  /** When the load was first seen to ask for more pods; no step up may come a window earlier. */
  raisedMs: number
  /** When the measured load was first seen to ask for fewer. */
  loweredMs: number
}

/** How late a change may be seen after it was made, milliseconds; what is measured between two sightings is off by as much. */
const sightMs = 2_000

/**
 * By how much two steps may seem closer to each other than they are, milliseconds: the first is seen late where the processor is short. An
 * autoscaler decides every 15 s, so that no step of another period is hidden by this.
 */
const closerMs = 5_000

/**
 * What a count of replicas did that its autoscaler's specification does not allow, one sentence each; empty when there is nothing.
 *
 * - Never below the minimum, never above the maximum.
 * - No step is larger than the policies allow within their periods; of several policies the most generous one counts (`selectPolicy: Max`).
 * - No step against a recommendation that is younger than the stabilization window. The last such recommendation was made up to one sync
 *   period before the first other one was seen, so the first step comes no earlier than the window less one period after that. A window
 *   that is no longer than a period promises nothing: the step may come with the first other recommendation, and be seen before it.
 */
export function violationsOf(series: CountSeries, promise: ScalingPromise): string[] {
  const { min, max, behavior, raisedMs, loweredMs } = promise
  const steps = stepsOf(series)
  const at = ({ atMs }: Step): string => `${String(Math.round((atMs - (series[0]?.[0] ?? 0)) / 1000))} s`
  const outside = series
    .filter(([, value]) => value < min || value > max)
    .map(([, value]) => `${String(value)} replicas, outside of ${String(min)} to ${String(max)}`)
  const tooLarge = steps.flatMap((step) => {
    const up = step.to > step.from
    const { policies } = up ? behavior.scaleUp : behavior.scaleDown
    const limits = policies.map((policy) => limitOf(policy, step, steps))
    const limit = up ? Math.max(...limits) : Math.min(...limits)
    return (up ? step.to <= limit : step.to >= limit)
      ? []
      : [
          `${words(step)} after ${at(step)}, where ${policies.map(policyWords).join(' or ')} ends at ${String(limit)}`,
        ]
  })
  const tooEarly = steps.flatMap((step) => {
    const up = step.to > step.from
    const { stabilizationWindowSeconds } = up ? behavior.scaleUp : behavior.scaleDown
    const since = up ? raisedMs : loweredMs
    const delayMs = stabilizationWindowSeconds * 1000 - syncMs
    return delayMs <= 0 || step.atMs >= since + delayMs - sightMs
      ? []
      : [
          `${words(step)} after ${at(step)}, ${secondsBetween(since, step.atMs)} s after the load asked for it, ` +
            `within the window of ${String(stabilizationWindowSeconds)} s`,
        ]
  })
  return [...outside, ...tooLarge, ...tooEarly]
}

/** Where a policy lets a step end, by what was already done in its period. */
function limitOf({ type, value, periodSeconds }: ScalingPolicy, step: Step, steps: readonly Step[]): number {
  const up = step.to > step.from
  const since = step.atMs - periodSeconds * 1000 + closerMs
  const before = steps.filter(({ atMs }) => atMs > since && atMs < step.atMs)
  const start = step.from - before.reduce((sum, { from, to }) => sum + to - from, 0)
  if (type === 'Pods') return up ? start + value : start - value
  return up ? Math.ceil(start * (1 + value / 100)) : Math.trunc(start * (1 - value / 100))
}

const words = ({ from, to }: Step): string => `${String(from)} → ${String(to)} replicas`
const secondsBetween = (from: number, to: number): string => String(Math.round((to - from) / 1000))
const policyWords = ({ type, value, periodSeconds }: ScalingPolicy): string =>
  `${String(value)} ${type === 'Pods' ? 'pods' : '%'} per ${String(periodSeconds)} s`
