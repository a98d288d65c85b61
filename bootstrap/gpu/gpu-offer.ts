import type { KubeClient, KubeObject } from '../kube/client.ts'
import { gpuLabels, gpuResource, type GpuTier } from '../plan/gpu-plan.ts'

/** What a node that was given GPUs is to offer, and what it does offer. */
export interface GpuOffer {
  node: string
  tier: GpuTier
  /** How many it is to offer, by its label. */
  advertised: number
  capacity: number
  allocatable: number
}

/** The offers of the cluster's nodes with GPUs, as they are now; none where `up` ran without `--gpu`. */
export async function gpuOffers(kube: Pick<KubeClient, 'list'>, signal: AbortSignal): Promise<GpuOffer[]> {
  const labelSelector = `${gpuLabels.present}=true`
  return offersOf(await kube.list({ apiVersion: 'v1', kind: 'Node', labelSelector }, signal))
}

/** The offers of those of these nodes that were given GPUs. Pure. */
export const offersOf = (nodes: readonly KubeObject[]): GpuOffer[] => nodes.flatMap(offerOf)

/** An offer in words. */
export const offerWords = ({ node, tier, advertised, allocatable }: GpuOffer): string =>
  `${node} offers ${String(allocatable)} of ${String(advertised)} GPUs, tier ${tier}`

function offerOf(node: KubeObject): GpuOffer[] {
  const { name, labels = {} } = node.metadata
  const tier = labels[gpuLabels.tier]
  if (labels[gpuLabels.present] !== 'true' || (tier !== 'mock' && tier !== 'real')) return []
  const { capacity = {}, allocatable = {} } = (node['status'] ?? {}) as Partial<
    Record<'capacity' | 'allocatable', Record<string, string>>
  >
  return [
    {
      node: name,
      tier,
      advertised: Number(labels[gpuLabels.advertised]),
      capacity: Number(capacity[gpuResource] ?? 0),
      allocatable: Number(allocatable[gpuResource] ?? 0),
    },
  ]
}
