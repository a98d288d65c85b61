import type { Condition } from '../client.ts'
import { conditionOf, reasonOf } from '../shapes.ts'

/** Met when the API server reaches the server behind the APIService. */
export const apiServiceAvailable: Condition = (object) => {
  if (object === undefined) return { met: false, seen: 'does not exist' }
  const available = conditionOf(object, 'Available')
  if (available?.status === 'True') return { met: true, seen: 'available' }
  const why = reasonOf(available)
  return { met: false, seen: `not available${why === '' ? '' : `: ${why}`}` }
}
