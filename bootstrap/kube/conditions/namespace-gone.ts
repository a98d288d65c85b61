import type { Condition } from '../client.ts'
import { conditionsOf } from '../shapes.ts'

/** Met when the namespace is gone; until then quotes the server on what is still in it. */
export const namespaceGone: Condition = (object) => {
  if (object === undefined) return { met: true, seen: 'gone' }
  if (object.metadata.deletionTimestamp === undefined)
    return { met: false, seen: 'exists and is not being deleted' }
  const remains = conditionsOf(object)
    .filter((condition) => condition.status === 'True')
    .map((condition) => condition.message ?? condition.reason ?? condition.type)
  return { met: false, seen: remains.length === 0 ? 'being deleted' : `being deleted: ${remains.join('; ')}` }
}
