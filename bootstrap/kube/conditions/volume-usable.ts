import type { Condition } from '../client.ts'
import { as } from '../shapes.ts'

/**
 * Met when the PersistentVolume is bound or can be. Fatal when it was released by a claim that is gone, or could not be
 * reclaimed: a volume with the policy Retain stays so until somebody deletes it.
 */
export const volumeUsable: Condition = (object) => {
  if (object === undefined) return { met: false, seen: 'does not exist' }
  const { spec, status } = as<{
    spec?: { claimRef?: { namespace?: string; name?: string } }
    status?: { phase?: string; message?: string }
  }>(object)
  const { namespace = '', name = '' } = spec?.claimRef ?? {}
  const claim = name === '' ? 'its claim' : `claim ${namespace}/${name}`
  switch (status?.phase) {
    case 'Bound':
      return { met: true, seen: `bound to ${claim}` }
    case 'Available':
      return { met: true, seen: 'available' }
    case 'Released':
      return { met: false, fatal: true, seen: `released: ${claim} is gone` }
    case 'Failed':
      return { met: false, fatal: true, seen: `failed: ${status.message ?? 'no reason given'}` }
    default:
      return { met: false, seen: status?.phase ?? 'Pending' }
  }
}
