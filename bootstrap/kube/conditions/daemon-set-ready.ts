import type { Condition } from '../client.ts'
import { as, type WorkloadShape } from '../shapes.ts'

/**
 * Met when every node that shall run the pod has the current one available. No such node is not met: right after a cluster
 * starts its nodes are still to come.
 */
export const daemonSetReady: Condition = (object) => {
  if (object === undefined) return { met: false, seen: 'does not exist' }
  const { status = {} } = as<WorkloadShape>(object)
  if ((status.observedGeneration ?? 0) < (object.metadata.generation ?? 0)) {
    return { met: false, seen: 'not seen by its controller yet' }
  }
  const wanted = status.desiredNumberScheduled ?? 0
  if (wanted === 0) return { met: false, seen: 'no node is to run it' }
  const updated = status.updatedNumberScheduled ?? 0
  const available = status.numberAvailable ?? 0
  if (updated < wanted)
    return { met: false, seen: `${String(updated)} of ${String(wanted)} nodes have the current pod` }
  return { met: available >= wanted, seen: `available on ${String(available)} of ${String(wanted)} nodes` }
}
