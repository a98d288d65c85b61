import type { KubeObject } from '../kube/client.ts'
import { as, conditionOf, reasonOf } from '../kube/shapes.ts'

/** A HorizontalPodAutoscaler: what it sees and what it wants. */
export interface AutoscalerHealth {
  namespace: string
  name: string
  /** `Deployment slate-dashboard` */
  target: string
  current: number
  desired: number
  min: number
  max: number
  /** `current` is `unknown` as long as there is no sample. */
  metrics: { name: string; current: string; target: string }[]
  /** Why it does not scale; absent when it can. */
  trouble?: string
}

interface Value {
  averageUtilization?: number
  averageValue?: string
  value?: string
}
type Metric = { type?: string } & Record<string, MetricSource | undefined>
interface MetricSource {
  name?: string
  metric?: { name?: string }
  container?: string
  target?: Value
  current?: Value
}

/** Each autoscaler as its status tells it. Pure. */
export function autoscalerHealth(autoscalers: readonly KubeObject[]): AutoscalerHealth[] {
  return autoscalers.map((object) => {
    const { spec = {}, status = {} } = as<{
      spec?: {
        scaleTargetRef?: { kind?: string; name?: string }
        minReplicas?: number
        maxReplicas?: number
        metrics?: Metric[]
      }
      status?: { currentReplicas?: number; desiredReplicas?: number; currentMetrics?: Metric[] }
    }>(object)
    const current = new Map((status.currentMetrics ?? []).map((metric) => [metricName(metric), metric]))
    const stopped = ['AbleToScale', 'ScalingActive']
      .map((type) => conditionOf(object, type))
      .find((condition) => condition?.status === 'False')
    return {
      namespace: object.metadata.namespace ?? '',
      name: object.metadata.name,
      target: `${spec.scaleTargetRef?.kind ?? ''} ${spec.scaleTargetRef?.name ?? ''}`.trim(),
      current: status.currentReplicas ?? 0,
      desired: status.desiredReplicas ?? 0,
      min: spec.minReplicas ?? 1,
      max: spec.maxReplicas ?? 0,
      metrics: (spec.metrics ?? []).map((metric) => {
        const name = metricName(metric)
        const seen = current.get(name)
        return {
          name,
          current: valueWords(seen && sourceOf(seen)?.current) ?? 'unknown',
          target: valueWords(sourceOf(metric)?.target) ?? 'unknown',
        }
      }),
      ...(stopped ? { trouble: reasonOf(stopped) } : {}),
    }
  })
}

/** A metric's own part lies under its type: `{ type: Resource, resource: { … } }`. */
const sourceOf = (metric: Metric): MetricSource | undefined => {
  const type = metric.type ?? ''
  return metric[type.slice(0, 1).toLowerCase() + type.slice(1)]
}

const metricName = (metric: Metric): string => {
  const { name, metric: named, container } = sourceOf(metric) ?? {}
  return [name ?? named?.name ?? metric.type ?? '', container]
    .filter((part) => part !== undefined)
    .join(' of ')
}

const valueWords = (value: Value | undefined): string | undefined =>
  value?.averageUtilization === undefined
    ? (value?.averageValue ?? value?.value)
    : `${String(value.averageUtilization)}%`
