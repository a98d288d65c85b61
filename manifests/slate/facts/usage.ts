import type { KubeObject } from '../../../bootstrap/kube/client.ts'
import { at, listAt, podSpecOf, textAt } from '../../checks/manifest.ts'
import { bytes, millicores } from '../quantity.ts'

/**
 * How much one pod of a workload counts against a key of a quota (`pods`, `requests.cpu`, `limits.memory`, …): the sum of its
 * containers, or its largest init container where that is more; CPU in millicores, memory in bytes. What is not requested is requested as
 * limited, and a GPU counts under `requests.` alone (https://kubernetes.io/docs/concepts/policy/resource-quotas/).
 */
export function usageOf(manifest: KubeObject, key: string): number {
  const pod = podSpecOf(manifest)
  if (pod === undefined) return 0
  if (key === 'pods') return 1
  const [side = '', ...rest] = key.split('.')
  const resource = rest.join('.')
  const isExtended = resource.includes('/')
  if (isExtended && side === 'limits') return 0
  const amount = (container: unknown): number => {
    const stated = textAt(at(container, 'resources', side), resource)
    const quantity =
      stated === '' && side === 'requests' ? textAt(container, 'resources', 'limits', resource) : stated
    if (quantity === '') return 0
    if (resource === 'cpu') return millicores(quantity)
    return resource === 'memory' ? bytes(quantity) : Number(quantity)
  }
  const together = listAt(pod, 'containers').reduce<number>((sum, container) => sum + amount(container), 0)
  return Math.max(together, ...listAt(pod, 'initContainers').map(amount))
}
