import type { Condition } from '../client.ts'
import { as, type WorkloadShape } from '../shapes.ts'

/** Met when every replica runs the current revision and is ready. With the strategy OnDelete the revision is not waited for. */
export const statefulSetReady: Condition = (object) => {
  if (object === undefined) return { met: false, seen: 'does not exist' }
  const { spec = {}, status = {} } = as<WorkloadShape>(object)
  if ((status.observedGeneration ?? 0) < (object.metadata.generation ?? 0)) {
    return { met: false, seen: 'not seen by its controller yet' }
  }
  const wanted = spec.replicas ?? 1
  const ready = status.readyReplicas ?? 0
  const seen = `${String(ready)} of ${String(wanted)} replicas ready`
  const rolling = spec.updateStrategy?.type !== 'OnDelete' && status.currentRevision !== status.updateRevision
  if (rolling && (status.updatedReplicas ?? 0) < wanted) {
    return {
      met: false,
      seen: `${String(status.updatedReplicas ?? 0)} of ${String(wanted)} replicas updated`,
    }
  }
  return { met: ready >= wanted && (status.replicas ?? 0) === wanted, seen }
}
