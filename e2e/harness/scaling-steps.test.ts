import { describe, expect, it } from 'vitest'
import {
  kubernetesBehavior,
  recommended,
  stepsOf,
  violationsOf,
  type CountSeries,
  type ScalingBehavior,
} from './scaling-steps.ts'

const start = 1_000_000_000_000
/** Points at seconds since the start. */
const series = (...points: [seconds: number, value: number][]): CountSeries =>
  points.map(([seconds, value]) => [start + seconds * 1000, value])

const dashboard: ScalingBehavior = {
  scaleUp: { stabilizationWindowSeconds: 60, policies: [{ type: 'Pods', value: 2, periodSeconds: 60 }] },
  scaleDown: { stabilizationWindowSeconds: 300, policies: [{ type: 'Pods', value: 1, periodSeconds: 120 }] },
}
const judge = (points: CountSeries, behavior = dashboard, raised = 60, lowered = 400) =>
  violationsOf(points, {
    min: 2,
    max: 6,
    behavior,
    raisedMs: start + raised * 1000,
    loweredMs: start + lowered * 1000,
  })

describe('stepsOf', () => {
  it('tells each change and nothing else', () => {
    expect(stepsOf(series([0, 2], [5, 2], [60, 4], [120, 3]))).toEqual([
      { atMs: start + 60_000, from: 2, to: 4 },
      { atMs: start + 120_000, from: 4, to: 3 },
    ])
    expect(stepsOf([])).toEqual([])
  })
})

describe('violationsOf', () => {
  it('finds nothing in what the dashboard’s behavior allows', () => {
    const good = series([0, 2], [120, 4], [180, 6], [700, 5], [820, 4], [940, 3], [1060, 2])
    expect(judge(good)).toEqual([])
  })

  it('finds nothing in what Kubernetes’ own behavior allows', () => {
    const promise = {
      min: 2,
      max: 10,
      behavior: kubernetesBehavior,
      raisedMs: start + 30_000,
      loweredMs: start + 120_000,
    }
    expect(violationsOf(series([0, 2], [30, 6], [45, 10], [420, 2]), promise)).toEqual([])
    // Of two policies the more generous one counts: doubling six is more than four pods.
    expect(violationsOf(series([0, 6], [30, 10]), promise)).toEqual([])
  })

  it.each<[what: string, points: CountSeries, says: RegExp]>([
    ['above the maximum', series([0, 2], [120, 4], [180, 6], [240, 7]), /7 replicas, outside of 2 to 6/],
    ['below the minimum', series([0, 2], [800, 1]), /1 replicas, outside of 2 to 6/],
    ['too many at once', series([0, 2], [120, 5]), /2 → 5 replicas after 120 s, .*ends at 4/],
    [
      'too many within a period',
      series([0, 2], [120, 4], [150, 5]),
      /4 → 5 replicas .* 2 pods per 60 s ends at 4/,
    ],
    ['two away at once', series([0, 6], [800, 4]), /6 → 4 replicas .* 1 pods per 120 s ends at 5/],
    ['two away within a period', series([0, 6], [800, 5], [860, 4]), /5 → 4 replicas .*ends at 5/],
    [
      'up before the window',
      series([0, 2], [80, 4]),
      /20 s after the load asked for it, within the window of 60 s/,
    ],
    ['up before there was any load', series([0, 2], [30, 4]), /2 → 4 replicas after 30 s/],
    [
      'down before the window',
      series([0, 6], [500, 5]),
      /100 s after the load asked for it, within the window of 300 s/,
    ],
    ['down while the load is on', series([0, 6], [100, 5]), /6 → 5 replicas after 100 s/],
  ])('finds %s', (_what, points, says) => {
    const found = judge(points)
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(says)
  })

  it('counts the window from a recommendation that may be one sync older than it was seen', () => {
    expect(judge(series([0, 6], [685, 5]))).toEqual([])
    expect(judge(series([0, 6], [680, 5]))).toHaveLength(1)
  })

  it('asks nothing of a window that is no longer than a sync, for a step is seen before what it follows from', () => {
    const seen = series([0, 2], [55, 4])
    const within = (stabilizationWindowSeconds: number): ScalingBehavior => ({
      ...dashboard,
      scaleUp: { ...dashboard.scaleUp, stabilizationWindowSeconds },
    })
    expect(judge(seen, within(0))).toEqual([])
    expect(judge(seen, within(15))).toEqual([])
    expect(judge(seen, within(16))).toHaveLength(1)
  })

  it('takes two steps that are seen a little too close together for what they are', () => {
    expect(judge(series([0, 2], [120, 4], [179, 6]))).toEqual([])
    expect(judge(series([0, 2], [120, 4], [170, 6]))).toHaveLength(1)
  })
})

it.each([
  [2, 75, 70, 2],
  [2, 78, 70, 3],
  [2, 700, 70, 20],
  [6, 64, 70, 6],
  [6, 58, 70, 5],
  [6, 5, 70, 1],
])('%i replicas at %i %% of %i %% are recommended as %i', (replicas, utilization, target, expected) => {
  expect(recommended(replicas, utilization, target)).toBe(expected)
})
