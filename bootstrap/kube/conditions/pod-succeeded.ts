import type { Condition } from '../client.ts'
import { as, conditionOf, reasonOf, type PodShape } from '../shapes.ts'
import { containerTroubles } from './container-trouble.ts'
import { hopelessReasons } from './pod-ready.ts'

/** Met when all containers of the pod have ended with exit code 0; fatal when the pod has failed or can never start. */
export const podSucceeded: Condition = (object) => {
  if (object === undefined) return { met: false, seen: 'does not exist' }
  const { status = {} } = as<PodShape>(object)
  if (status.phase === 'Succeeded') return { met: true, seen: 'has succeeded' }
  const troubles = containerTroubles(object)
  const words = troubles.map((trouble) => trouble.words).join('; ')
  if (status.phase === 'Failed') {
    const why = [reasonOf(status), words].filter((part) => part !== '').join('; ')
    return { met: false, fatal: true, seen: `has failed${why === '' ? '' : `: ${why}`}` }
  }
  if (words !== '') {
    const hopeless = troubles.some((trouble) => hopelessReasons.includes(trouble.reason))
    return { met: false, ...(hopeless ? { fatal: true } : {}), seen: words }
  }
  const scheduled = conditionOf(object, 'PodScheduled')
  if (scheduled?.status === 'False') return { met: false, seen: `not scheduled: ${reasonOf(scheduled)}` }
  return { met: false, seen: status.phase ?? 'Pending' }
}
