import type { Condition } from '../client.ts'
import { as, conditionOf, reasonOf, type WorkloadShape } from '../shapes.ts'

/**
 * Met when the controller has seen the current generation, every replica runs the current template, is available, and none of
 * an earlier template is left: what `kubectl rollout status` waits for. Fatal when the progress deadline is exceeded.
 */
export const deploymentAvailable: Condition = (object) => {
  if (object === undefined) return { met: false, seen: 'does not exist' }
  const { spec = {}, status = {} } = as<WorkloadShape>(object)
  if ((status.observedGeneration ?? 0) < (object.metadata.generation ?? 0)) {
    return { met: false, seen: 'not seen by its controller yet' }
  }
  const progressing = conditionOf(object, 'Progressing')
  if (progressing?.reason === 'ProgressDeadlineExceeded') {
    return { met: false, fatal: true, seen: `does not progress: ${reasonOf(progressing)}` }
  }
  const wanted = spec.replicas ?? 1
  const updated = status.updatedReplicas ?? 0
  const available = status.availableReplicas ?? 0
  const old = (status.replicas ?? 0) - updated
  const failure = conditionOf(object, 'ReplicaFailure')
  const why = failure?.status === 'True' ? `, ${reasonOf(failure)}` : ''
  if (updated < wanted)
    return { met: false, seen: `${String(updated)} of ${String(wanted)} replicas updated${why}` }
  if (old > 0) return { met: false, seen: `${String(old)} replicas of the previous version are still there` }
  if (available < wanted)
    return { met: false, seen: `${String(available)} of ${String(wanted)} replicas available${why}` }
  return { met: true, seen: `${String(available)} of ${String(wanted)} replicas available` }
}
