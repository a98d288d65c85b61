import { clusterLabel, type ContainerInfo } from '../engine/engine.ts'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { allCards } from '../plan/plan.ts'

/**
 * Refuses cards that a node of another cluster has: each of the two would count all of them as its own. `nodes` are the containers of
 * local-cloud on this machine; a stopped one keeps its cards, since it has them again when it starts. Pure.
 * @throws LocalCloudError GPU_IN_USE with the other cluster
 */
export function requireUnusedCards(nodes: readonly ContainerInfo[], cluster: string): void {
  const other = nodes
    .filter(({ mounts }) => mounts.includes(allCards.containerPath))
    .map(({ labels }) => labels[clusterLabel])
    .find((name) => name !== undefined && name !== cluster)
  if (other === undefined) return
  throw new LocalCloudError('GPU_IN_USE', {
    message: `The cluster ${other} has this machine’s cards.`,
    hint: `Remove it: bootstrap/down --name ${other}; or pass --gpu=mock.`,
  })
}
