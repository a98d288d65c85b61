import { clusterLabel, managedLabel, type ContainerInfo } from '../../engine/engine.ts'
import { controlPlaneFirst } from '../found-nodes.ts'
import type { FoundCluster, NodeInfo } from '../provider.ts'

/** Labels that kind itself puts on node containers. */
export const kindClusterLabel = 'io.x-k8s.kind.cluster'
export const kindRoleLabel = 'io.x-k8s.kind.role'

/** Whether a container carries our labels for this cluster, which it inherits from the image derived for it. */
export const isOurs = (container: ContainerInfo, name: string): boolean =>
  container.labels[managedLabel] !== undefined && container.labels[clusterLabel] === name

/** What a container is in its cluster. */
export const nodeInfo = (container: ContainerInfo): NodeInfo => ({
  name: container.name,
  role: container.labels[kindRoleLabel] === 'control-plane' ? 'control-plane' : 'worker',
  running: container.state === 'running',
})

/** Groups kind's node containers by cluster; one container without our labels makes the cluster foreign. */
export function clustersOf(
  containers: readonly ContainerInfo[],
  isComplete: (name: string) => boolean,
): FoundCluster[] {
  const names = [...new Set(containers.map(({ labels }) => labels[kindClusterLabel] ?? ''))]
  return names
    .filter((name) => name !== '')
    .sort()
    .map((name) => {
      const members = containers.filter(({ labels }) => labels[kindClusterLabel] === name)
      const ours = members.every((member) => isOurs(member, name))
      const nodes = members.map((member) => nodeInfo(member)).sort(controlPlaneFirst)
      return {
        name,
        owner: ours ? 'ours' : 'foreign',
        nodes,
        ...(ours ? { complete: isComplete(name) } : {}),
      }
    })
}
