import { quantity } from '../../bootstrap/manifests/quantity.ts'
import type { Contract } from '../../manifests/slate/contract.ts'
import type { Resources } from './parked-pod.ts'

type Limits = Pick<Contract['limitRange'], 'min' | 'max'>

/** Keys of a quota that count what a pod's containers ask for. */
export type AmountKey = `${'requests' | 'limits'}.${string}`

/** What a container has when nothing of it is to count: the least that the limit range lets in. */
export const least = ({ min }: Limits): Resources => ({ requests: { ...min }, limits: { ...min } })

/**
 * Containers whose sum is exactly `amount` of that key, each within the limit range, as few as do. Of everything else they ask for the least.
 * @throws RangeError for an amount that is none
 */
export function containersFor(key: AmountKey, amount: string, limits: Limits): Resources[] {
  const [side, ...rest] = key.split('.')
  const resource = rest.join('.')
  const total = quantity(amount)
  if (!(total > 0)) throw new RangeError(`${key} ${amount} is no amount to fill`)
  const { requests = {}, limits: most = {} } = least(limits)
  if (resource !== 'cpu' && resource !== 'memory') {
    return [{ requests, limits: { ...most, [resource]: amount } }]
  }
  const count = Math.ceil(total / quantity(limits.max[resource]))
  const share = resource === 'cpu' ? `${String((total / count) * 1000)}m` : String(total / count)
  return Array.from({ length: count }, () => ({
    requests: { ...requests, ...(side === 'requests' ? { [resource]: share } : {}) },
    limits: { ...most, [resource]: share },
  }))
}
