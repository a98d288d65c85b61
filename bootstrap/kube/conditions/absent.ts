import type { Condition } from '../client.ts'

/** Met when the object is gone; until then says what keeps it. */
export const absent: Condition = (object) => {
  if (object === undefined) return { met: true, seen: 'gone' }
  const { deletionTimestamp, finalizers = [] } = object.metadata
  if (deletionTimestamp === undefined) return { met: false, seen: 'exists and is not being deleted' }
  const keeps = finalizers.length === 0 ? '' : `, kept by ${finalizers.join(', ')}`
  return { met: false, seen: `being deleted since ${deletionTimestamp}${keeps}` }
}
