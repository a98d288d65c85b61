import type { FoundCluster, NodeInfo } from './provider.ts'

/** Compares nodes of one cluster: the control plane first, then by name, numbers in it by their value. */
export const controlPlaneFirst = (one: NodeInfo, other: NodeInfo): number =>
  Number(other.role === 'control-plane') - Number(one.role === 'control-plane') ||
  one.name.localeCompare(other.name, 'en', { numeric: true })

/** Whether a cluster was made to its end, with so many nodes, and all of them run. */
export const isWhole = ({ complete, nodes }: FoundCluster, count: number): boolean =>
  complete === true && nodes.length === count && nodes.every((node) => node.running)
