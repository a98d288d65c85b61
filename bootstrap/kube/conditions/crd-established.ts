import type { Condition } from '../client.ts'
import { conditionOf, reasonOf } from '../shapes.ts'

/** Met when the server serves the definition's kinds; fatal when another definition has taken their names. */
export const crdEstablished: Condition = (object) => {
  if (object === undefined) return { met: false, seen: 'does not exist' }
  if (conditionOf(object, 'Established')?.status === 'True') return { met: true, seen: 'established' }
  const names = conditionOf(object, 'NamesAccepted')
  if (names?.status === 'False')
    return { met: false, fatal: true, seen: `names not accepted: ${reasonOf(names)}` }
  const why = reasonOf(conditionOf(object, 'Established'))
  return { met: false, seen: `not established${why === '' ? '' : `: ${why}`}` }
}
