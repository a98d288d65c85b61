import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { conditionOf } from '../../bootstrap/kube/shapes.ts'

/** Whether a pod is ready and stays: a budget counts it as healthy, and a Service leads to it. */
export const isReady = (pod: KubeObject): boolean =>
  pod.metadata.deletionTimestamp === undefined && conditionOf(pod, 'Ready')?.status === 'True'
