import { clusterLabel, type Engine } from '../engine/engine.ts'

/** Removes the networks of a cluster and the images that were made for it, by their labels; call it when its containers are gone. */
export async function removeNetworksAndImages(
  engine: Engine,
  cluster: string,
  signal: AbortSignal,
): Promise<void> {
  const [networks, images] = await Promise.all([
    engine.listNetworks(`${clusterLabel}=${cluster}`, signal),
    engine.listImages(`${clusterLabel}=${cluster}`, signal),
  ])
  for (const network of networks) await engine.removeNetwork(network, signal)
  for (const { id, refs } of images) {
    for (const ref of refs.length === 0 ? [id] : refs) await engine.removeImage(ref, signal)
  }
}
