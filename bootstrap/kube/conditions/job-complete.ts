import type { Condition } from '../client.ts'
import { as, conditionOf, reasonOf, type WorkloadShape } from '../shapes.ts'

/** Met when the Job is complete; fatal when it has failed for good. */
export const jobComplete: Condition = (object) => {
  if (object === undefined) return { met: false, seen: 'does not exist' }
  const { spec = {}, status = {} } = as<WorkloadShape>(object)
  const wanted = String(spec.completions ?? 1)
  const succeeded = String(status.succeeded ?? 0)
  if (conditionOf(object, 'Complete')?.status === 'True')
    return { met: true, seen: `complete, ${succeeded} of ${wanted} succeeded` }
  const failed = conditionOf(object, 'Failed')
  if (failed?.status === 'True') return { met: false, fatal: true, seen: `has failed: ${reasonOf(failed)}` }
  if (spec.suspend === true) return { met: false, seen: 'is suspended' }
  const failures = (status.failed ?? 0) > 0 ? `, ${String(status.failed)} pods have failed` : ''
  return {
    met: false,
    seen: `${succeeded} of ${wanted} succeeded, ${String(status.active ?? 0)} pods active${failures}`,
  }
}
