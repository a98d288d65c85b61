import type { AutoscalerState, ReplicaState } from './autoscaler.ts'
import { pointsOf, type Observation } from './observe.ts'
import type { SeriesRecord } from './record.ts'
import type { AutoscalerRow } from './scaling-subject.ts'

/** What is watched during a run. */
export interface ScalingSight {
  autoscaler: Observation<AutoscalerState>
  replicas: Observation<ReplicaState>
  /** Of the twin without an autoscaler. */
  twin: Observation<ReplicaState>
}

/** Two plots of a run: replicas with their limits, utilisation with its targets; both with the same marks. */
export function scalingPlots(
  { autoscaler, replicas, twin }: ScalingSight,
  { target, min, max, utilization }: AutoscalerRow,
  marks: SeriesRecord['marks'],
): SeriesRecord[] {
  const count = (number: (state: ReplicaState) => number, of = replicas) => pointsOf(of.series, number)
  return [
    {
      title: `${target}: replicas`,
      unit: 'pods',
      lines: [
        { name: 'wanted', step: true, points: count(({ wanted }) => wanted) },
        { name: 'ready', step: true, points: count(({ ready }) => ready) },
        {
          name: 'desired by the autoscaler',
          step: true,
          points: pointsOf(autoscaler.series, ({ desired }) => desired),
        },
        { name: 'twin without an autoscaler', step: true, points: count(({ wanted }) => wanted, twin) },
      ],
      limits: [
        { name: 'minimum', value: min },
        { name: 'maximum', value: max },
      ],
      marks,
    },
    {
      title: `${target}: utilisation`,
      unit: '% of the request',
      lines: Object.keys(utilization).map((name) => ({
        name,
        points: pointsOf(autoscaler.series, (state) => state.utilization[name]),
      })),
      limits: Object.entries(utilization).map(([name, value]) => ({ name: `target of ${name}`, value })),
      marks,
    },
  ]
}
