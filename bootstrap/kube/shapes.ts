import type { KubeObject } from './client.ts'

/** The parts of Kubernetes objects that conditions and diagnosis read. Everything may be missing on a young object. */
export interface StatusCondition {
  type: string
  status: string
  reason?: string
  message?: string
  lastTransitionTime?: string
}

export interface ContainerState {
  waiting?: { reason?: string; message?: string }
  running?: { startedAt?: string }
  terminated?: { exitCode?: number; reason?: string; message?: string; signal?: number }
}

export interface ContainerStatus {
  name: string
  ready?: boolean
  started?: boolean
  restartCount?: number
  state?: ContainerState
  lastState?: ContainerState
}

export interface PodShape {
  spec?: {
    nodeName?: string
    containers?: { name: string }[]
    initContainers?: { name: string; restartPolicy?: string }[]
    volumes?: { persistentVolumeClaim?: { claimName?: string } }[]
  }
  status?: {
    phase?: string
    reason?: string
    message?: string
    conditions?: StatusCondition[]
    containerStatuses?: ContainerStatus[]
    initContainerStatuses?: ContainerStatus[]
  }
}

export interface WorkloadShape {
  spec?: {
    replicas?: number
    paused?: boolean
    suspend?: boolean
    completions?: number
    selector?: { matchLabels?: Record<string, string>; matchExpressions?: LabelExpression[] }
    updateStrategy?: { type?: string }
  }
  status?: {
    observedGeneration?: number
    replicas?: number
    updatedReplicas?: number
    readyReplicas?: number
    availableReplicas?: number
    currentRevision?: string
    updateRevision?: string
    desiredNumberScheduled?: number
    updatedNumberScheduled?: number
    numberAvailable?: number
    numberReady?: number
    active?: number
    succeeded?: number
    failed?: number
    conditions?: StatusCondition[]
  }
}

export interface LabelExpression {
  key: string
  operator: string
  values?: string[]
}

export interface EventShape {
  type?: string
  reason?: string
  message?: string
  count?: number
  series?: { count?: number; lastObservedTime?: string }
  eventTime?: string
  firstTimestamp?: string
  lastTimestamp?: string
  involvedObject?: { kind?: string; name?: string; namespace?: string; uid?: string }
}

/** The object seen as `Shape`; the server has checked it. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the name of a cast
export const as = <Shape>(object: KubeObject): Shape => object as unknown as Shape

export const conditionsOf = (object: KubeObject): StatusCondition[] =>
  as<{ status?: { conditions?: StatusCondition[] } }>(object).status?.conditions ?? []

export const conditionOf = (object: KubeObject, type: string): StatusCondition | undefined =>
  conditionsOf(object).find((condition) => condition.type === type)

/** `reason: message`, whichever of them there is. */
export const reasonOf = (state: { reason?: string; message?: string } | undefined): string =>
  [state?.reason, state?.message?.trim()].filter((part) => part !== undefined && part !== '').join(': ')

/** `Deployment slate/core` */
export const nameOf = (object: KubeObject): string =>
  `${object.kind} ${object.metadata.namespace === undefined ? '' : `${object.metadata.namespace}/`}${object.metadata.name}`
