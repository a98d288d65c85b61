import type { Condition } from '../client.ts'
import { conditionOf, conditionsOf, reasonOf } from '../shapes.ts'

/** Met when the kubelet says Ready. Pressure and a missing network are told with the reason. */
export const nodeReady: Condition = (object) => {
  if (object === undefined) return { met: false, seen: 'has not registered' }
  const ready = conditionOf(object, 'Ready')
  if (ready?.status === 'True') return { met: true, seen: 'ready' }
  const others = conditionsOf(object)
    .filter((condition) => condition.type !== 'Ready' && condition.status === 'True')
    .map((condition) => `${condition.type} (${reasonOf(condition)})`)
  const why = reasonOf(ready)
  return { met: false, seen: [`not ready${why === '' ? '' : `: ${why}`}`, ...others].join('; ') }
}
