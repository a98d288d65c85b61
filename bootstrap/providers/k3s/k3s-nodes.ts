import { clusterLabel, managedLabel, type ContainerInfo } from '../../engine/engine.ts'
import { controlPlaneFirst } from '../found-nodes.ts'
import type { FoundCluster, NodeInfo } from '../provider.ts'

/** Labels of a node's container: what made it, what it is, and the host port that leads to its API server. */
export const providerLabel = 'io.local-cloud.provider'
export const roleLabel = 'io.local-cloud.role'
export const apiPortLabel = 'io.local-cloud.api-port'

/** Labels of the containers of this provider's clusters. */
export const k3sLabel = `${providerLabel}=k3s`

/** What a container is in its cluster. */
export const nodeInfo = (container: ContainerInfo): NodeInfo => ({
  name: container.name,
  role: container.labels[roleLabel] === 'control-plane' ? 'control-plane' : 'worker',
  running: container.state === 'running',
})

/** Groups node containers of this provider by cluster. Their labels are ours alone, so that none of them is foreign. */
export function clustersOf(
  containers: readonly ContainerInfo[],
  isComplete: (name: string) => boolean,
): FoundCluster[] {
  const ours = containers.filter(
    ({ labels }) => labels[managedLabel] !== undefined && labels[providerLabel] === 'k3s',
  )
  const names = [...new Set(ours.map(({ labels }) => labels[clusterLabel] ?? ''))].filter(
    (name) => name !== '',
  )
  return names.sort().map((name) => ({
    name,
    owner: 'ours',
    complete: isComplete(name),
    nodes: ours
      .filter(({ labels }) => labels[clusterLabel] === name)
      .map((container) => nodeInfo(container))
      .sort(controlPlaneFirst),
  }))
}
