import type { Shortage } from '../fit/shortage.ts'
import { used } from '../fit/images.ts'
import { canonicalReference } from '../images/canonical-reference.ts'
import type { RegistryAnswer } from '../images/ask-registry.ts'
import type { KubeObject } from '../kube/client.ts'
import { isSchedulable } from './room.ts'

/** What the nodes say they hold. */
export interface NodeImages {
  /** Nodes that take pods. */
  nodes: number
  /** How many of them have an image, by its full reference. */
  holders: ReadonlyMap<string, number>
  /** Whether a node may have more than it says. */
  cut: boolean
}

/** A kubelet names the largest fifty of its images (KubeletConfiguration, nodeStatusMaxImages). */
const mostNamed = 50

/** Reads `status.images` of the nodes that take pods. Pure. */
export function imagesOfNodes(nodes: readonly KubeObject[]): NodeImages {
  const holders = new Map<string, number>()
  const taking = nodes.filter(isSchedulable)
  let cut = false
  for (const node of taking) {
    const { images = [] } = (node['status'] ?? {}) as { images?: { names?: string[] }[] }
    cut ||= images.length >= mostNamed
    const names = new Set(images.flatMap((image) => image.names ?? []).map(canonicalReference))
    for (const name of names) holders.set(name, (holders.get(name) ?? 0) + 1)
  }
  return { nodes: taking.length, holders, cut }
}

/** Whether every node that takes pods says that it has the image. */
export const isEverywhere = ({ nodes, holders }: NodeImages, ref: string): boolean =>
  nodes > 0 && holders.get(ref) === nodes

/** Images that pods of these objects would have the kubelet pull: those that not every node has, and those that are always asked for. */
export function toBePulled(objects: readonly KubeObject[], nodes: NodeImages): string[] {
  const refs = used(objects)
    .filter(({ policy, ref }) => policy === 'Always' || !isEverywhere(nodes, ref))
    .map(({ ref }) => ref)
  return [...new Set(refs)].sort()
}

/**
 * Containers whose image nobody can be seen to have: neither every node nor, for those that may be pulled, a registry that answers for it.
 * `registry` is what was found out about images of `toBePulled`, or `told` when the user says that the cluster pulls. Pure.
 */
export function clusterImageShortages(
  objects: readonly KubeObject[],
  nodes: NodeImages,
  registry: 'told' | ReadonlyMap<string, RegistryAnswer>,
): Shortage[] {
  const rows = used(objects).flatMap(({ who, ref, policy }): Shortage[] => {
    const there = isEverywhere(nodes, ref)
    if (there && policy !== 'Always') return []
    const asks = `${ref}, imagePullPolicy ${policy}`
    if (policy === 'Never') return [{ who, asks, has: inNodes(nodes, ref) }]
    if (registry === 'told') return []
    const answer = registry.get(ref)
    if (answer?.available === true) return []
    const why = answer === undefined ? 'no registry was asked' : answer.reason
    return [{ who, asks, has: there ? why : `${inNodes(nodes, ref)}; ${why}` }]
  })
  return [...new Map(rows.map((row) => [`${row.who} ${row.asks}`, row])).values()]
}

const inNodes = ({ nodes, holders, cut }: NodeImages, ref: string): string =>
  `${String(holders.get(ref) ?? 0)} of ${String(nodes)} nodes have it${cut ? ', as far as they tell' : ''}`
