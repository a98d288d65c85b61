import type { Condition, KubeObject } from '../kube/client.ts'
import { apiServiceAvailable } from '../kube/conditions/api-service-available.ts'
import { daemonSetReady } from '../kube/conditions/daemon-set-ready.ts'
import { deploymentAvailable } from '../kube/conditions/deployment-available.ts'
import { jobComplete } from '../kube/conditions/job-complete.ts'
import { pvcBound } from '../kube/conditions/pvc-bound.ts'
import { statefulSetReady } from '../kube/conditions/stateful-set-ready.ts'
import { volumeUsable } from '../kube/conditions/volume-usable.ts'

const conditions: Record<string, Condition> = {
  APIService: apiServiceAvailable,
  DaemonSet: daemonSetReady,
  Deployment: deploymentAvailable,
  Job: jobComplete,
  PersistentVolume: volumeUsable,
  PersistentVolumeClaim: pvcBound,
  StatefulSet: statefulSetReady,
}

/** What `up` waits for on objects of this kind; undefined for kinds that are complete when they exist. */
export function readyCondition(kind: string): Condition | undefined {
  return Object.hasOwn(conditions, kind) ? conditions[kind] : undefined
}

/** Whether the object is as its kind's readiness asks, and in what words it is or is not. */
export function readiness(kind: string, object: KubeObject | undefined): { ready: boolean; words: string } {
  const state = readyCondition(kind)?.(object)
  if (!state) return { ready: object !== undefined, words: object ? 'present' : 'does not exist' }
  return { ready: state.met, words: state.seen }
}
