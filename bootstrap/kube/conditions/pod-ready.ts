import type { Condition } from '../client.ts'
import { as, conditionOf, reasonOf, type PodShape } from '../shapes.ts'
import { containerTroubles } from './container-trouble.ts'

/** Reasons that do not pass by themselves: the image is not on the node and must not be pulled, or its name is no name. */
export const hopelessReasons: readonly string[] = ['ErrImageNeverPull', 'InvalidImageName']

/**
 * Met when the pod is Ready. Image and crash troubles are told in `seen`, for they may pass (a registry comes back, a
 * dependency starts); the given reasons end the wait, as does a pod that has ended. Add `CreateContainerConfigError` where
 * every ConfigMap and Secret was applied before.
 */
export const podReadyUnless =
  (fatalReasons: readonly string[]): Condition =>
  (object) => {
    if (object === undefined) return { met: false, seen: 'does not exist' }
    const { status = {} } = as<PodShape>(object)
    if (object.metadata.deletionTimestamp !== undefined) return { met: false, seen: 'is being deleted' }
    const ready = conditionOf(object, 'Ready')
    if (ready?.status === 'True') return { met: true, seen: 'ready' }
    const troubles = containerTroubles(object)
    const words = troubles.map((trouble) => trouble.words).join('; ')
    if (status.phase === 'Failed' || status.phase === 'Succeeded') {
      const why = [reasonOf(status), words].filter((part) => part !== '').join('; ')
      return { met: false, fatal: true, seen: `has ended (${status.phase})${why === '' ? '' : `: ${why}`}` }
    }
    if (words !== '') {
      const hopeless = troubles.some((trouble) => fatalReasons.includes(trouble.reason))
      return { met: false, ...(hopeless ? { fatal: true } : {}), seen: words }
    }
    const scheduled = conditionOf(object, 'PodScheduled')
    if (scheduled?.status === 'False') return { met: false, seen: `not scheduled: ${reasonOf(scheduled)}` }
    const phase = status.phase ?? 'Pending'
    const why = reasonOf(ready)
    return { met: false, seen: why === '' ? phase : `${phase}, not ready: ${why}` }
  }

/** `podReadyUnless` with the reasons that never pass. */
export const podReady: Condition = podReadyUnless(hopelessReasons)
