import { z } from 'zod'
import type { KubeClient, KubeObject, ListQuery, ObjectRef } from '../../bootstrap/kube/client.ts'
import { ExpectationFailed } from './verdict.ts'
import { kubernetesBehavior, type ScalingBehavior, type ScalingRules } from './scaling-steps.ts'

const apiVersion = 'autoscaling/v2'
const kind = 'HorizontalPodAutoscaler'

export const autoscalerRef = (namespace: string, name: string): ObjectRef => ({
  apiVersion,
  kind,
  namespace,
  name,
})

export const deploymentRef = (namespace: string, name: string): ObjectRef => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  namespace,
  name,
})

/** The query that selects just one object. */
export const queryOf = ({ name, namespace, ...type }: ObjectRef): ListQuery => ({
  ...type,
  fieldSelector: `metadata.name=${name}`,
  ...(namespace === undefined ? {} : { namespace }),
})

interface ConditionOfAutoscaler {
  status: string
  reason: string
  message: string
}

/** What an autoscaler said at its last decision. */
export interface AutoscalerState {
  /** False when there is no such object. */
  exists: boolean
  desired: number
  /** Resource → average in percent of the requests; only what was measured. */
  utilization: Record<string, number>
  conditions: Record<string, ConditionOfAutoscaler>
}

interface Status {
  desiredReplicas?: number
  currentMetrics?: { resource?: { name: string; current: { averageUtilization?: number } } }[] | null
  conditions?: ({ type: string } & ConditionOfAutoscaler)[]
}

export function autoscalerState(object: KubeObject | undefined): AutoscalerState {
  const { desiredReplicas = 0, currentMetrics, conditions = [] } = (object?.['status'] ?? {}) as Status
  return {
    exists: object !== undefined,
    desired: desiredReplicas,
    utilization: Object.fromEntries(
      (currentMetrics ?? []).flatMap(({ resource }) =>
        resource?.current.averageUtilization === undefined
          ? []
          : [[resource.name, resource.current.averageUtilization]],
      ),
    ),
    conditions: Object.fromEntries(
      conditions.map(({ type, status, reason, message }) => [type, { status, reason, message }]),
    ),
  }
}

/** A condition in words: `ScalingLimited=True (TooManyReplicas)`. */
export function conditionWords({ conditions }: AutoscalerState, type: string): string {
  const one = conditions[type]
  return one === undefined ? `no condition ${type}` : `${type}=${one.status} (${one.reason}: ${one.message})`
}

/** Replicas of a Deployment: as its specification has it, as there are pods, and as of these are ready. */
export interface ReplicaState {
  wanted: number
  pods: number
  ready: number
}

export function replicaState(object: KubeObject | undefined): ReplicaState {
  const { replicas = 0 } = (object?.['spec'] ?? {}) as { replicas?: number }
  const status = (object?.['status'] ?? {}) as { replicas?: number; readyReplicas?: number }
  return { wanted: replicas, pods: status.replicas ?? 0, ready: status.readyReplicas ?? 0 }
}

const policy = z.strictObject({
  type: z.enum(['Pods', 'Percent']),
  value: z.int(),
  periodSeconds: z.int(),
})
const rules = z.strictObject({
  stabilizationWindowSeconds: z.int().optional(),
  policies: z.array(policy).optional(),
  selectPolicy: z.literal('Max').optional(),
})
const behaviorShape = z.strictObject({ scaleUp: rules.optional(), scaleDown: rules.optional() }).optional()

/** A behavior with what Kubernetes adds where it says nothing. @throws ExpectationFailed for one that says more, as another `selectPolicy` */
export function wholeBehavior(behavior: unknown): ScalingBehavior {
  const parsed = behaviorShape.safeParse(behavior)
  if (!parsed.success) throw new ExpectationFailed(`A behavior of another form: ${JSON.stringify(behavior)}`)
  const given = parsed.data
  const whole = (part: z.output<typeof rules> | undefined, otherwise: ScalingRules): ScalingRules => ({
    stabilizationWindowSeconds: part?.stabilizationWindowSeconds ?? otherwise.stabilizationWindowSeconds,
    policies: part?.policies ?? otherwise.policies,
  })
  return {
    scaleUp: whole(given?.scaleUp, kubernetesBehavior.scaleUp),
    scaleDown: whole(given?.scaleDown, kubernetesBehavior.scaleDown),
  }
}

/** An autoscaler's specification without the windows and periods of its behavior, to compare one with its shortened copy. */
export function withoutWindows(spec: Record<string, unknown>): Record<string, unknown> {
  const { scaleUp, scaleDown } = wholeBehavior(spec['behavior'])
  const amounts = ({ policies }: ScalingRules) =>
    policies.map(({ type, value }) => `${type} ${String(value)}`).sort()
  return { ...spec, behavior: { scaleUp: amounts(scaleUp), scaleDown: amounts(scaleDown) } }
}

/** A change of size that an autoscaler reported. */
export interface Rescale {
  size: number
  message: string
}

/** The changes of size that an autoscaler reported since a moment, as events of reason `SuccessfulRescale`, in no order. */
export async function rescalesOf(
  kube: Pick<KubeClient, 'list'>,
  { namespace, name, sinceMs }: { namespace: string; name: string; sinceMs: number },
  signal: AbortSignal,
): Promise<Rescale[]> {
  const events = await kube.list(
    {
      apiVersion: 'v1',
      kind: 'Event',
      namespace,
      fieldSelector: `involvedObject.kind=${kind},involvedObject.name=${name},reason=SuccessfulRescale`,
    },
    signal,
  )
  return events.flatMap(({ ['message']: message, ['lastTimestamp']: at, ['reason']: reason }) => {
    const size = /^New size: (\d+);/.exec(String(message))?.[1]
    // Events tell whole seconds.
    const recent = Date.parse(String(at)) >= Math.floor(sinceMs / 1000) * 1000
    return size !== undefined && recent && reason === 'SuccessfulRescale'
      ? [{ size: Number(size), message: String(message) }]
      : []
  })
}
