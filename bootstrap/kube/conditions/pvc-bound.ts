import type { Condition } from '../client.ts'
import { as } from '../shapes.ts'

/** Met when the claim is bound; fatal when its volume is lost. A claim whose class waits for a consumer binds with its first pod. */
export const pvcBound: Condition = (object) => {
  if (object === undefined) return { met: false, seen: 'does not exist' }
  const { spec, status } = as<{
    spec?: { volumeName?: string; storageClassName?: string }
    status?: { phase?: string }
  }>(object)
  if (status?.phase === 'Bound') return { met: true, seen: `bound to ${spec?.volumeName ?? 'a volume'}` }
  if (status?.phase === 'Lost')
    return { met: false, fatal: true, seen: `has lost its volume ${spec?.volumeName ?? ''}`.trim() }
  return { met: false, seen: `${status?.phase ?? 'Pending'}, class ${spec?.storageClassName ?? 'not set'}` }
}
