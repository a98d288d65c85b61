import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { ClusterProvider, FoundCluster } from './provider.ts'

/**
 * All providers as one: what is there is found, started, read and removed by the provider that made it; a new cluster is made by the
 * `wanted` one.
 */
export function everyProvider(
  providers: readonly ClusterProvider[],
  wanted: ClusterProvider['kind'],
): ClusterProvider {
  const makes = providers.find((provider) => provider.kind === wanted)
  if (makes === undefined) throw new Error(`no provider is called ${wanted}`)

  async function lookup(
    name: string,
    signal: AbortSignal,
  ): Promise<{ provider: ClusterProvider; cluster: FoundCluster } | undefined> {
    const found = await Promise.all(
      providers.map(async (provider) => ({ provider, cluster: await provider.find(name, signal) })),
    )
    const there = found.flatMap(({ provider, cluster }) =>
      cluster === undefined ? [] : [{ provider, cluster }],
    )
    return there.find(({ cluster }) => cluster.owner === 'ours') ?? there[0]
  }

  async function made(name: string, signal: AbortSignal): Promise<ClusterProvider> {
    const found = await lookup(name, signal)
    if (found === undefined)
      throw new LocalCloudError('NO_CLUSTER', { message: `There is no cluster ${name}.` })
    return found.provider
  }

  return {
    kind: wanted,
    async find(name, signal) {
      return (await lookup(name, signal))?.cluster
    },
    async list(signal) {
      return (await Promise.all(providers.map((provider) => provider.list(signal)))).flat()
    },
    async create(spec, run) {
      const found = await lookup(spec.name, run.signal)
      if (found !== undefined && found.provider !== makes) {
        if (found.cluster.owner === 'foreign')
          throw new LocalCloudError('FOREIGN_CLUSTER', {
            message: `A ${found.provider.kind} cluster ${spec.name} on this machine was not made by local-cloud; it is left alone.`,
          })
        // Only one that was never finished is still there: the step that makes a cluster anew has deleted any other.
        await found.provider.delete(spec.name, run)
      }
      await makes.create(spec, run)
    },
    async kubeconfig(name, signal) {
      return (await made(name, signal)).kubeconfig(name, signal)
    },
    async loadImages(name, images, run) {
      await (await made(name, run.signal)).loadImages(name, images, run)
    },
    runInNode: (node, argv, options) => makes.runInNode(node, argv, options),
    async start(name, run) {
      await (await made(name, run.signal)).start(name, run)
    },
    async delete(name, run) {
      // The one that made it first: networks and images of a cluster go after its containers.
      const first = (await lookup(name, run.signal))?.provider
      for (const provider of first === undefined
        ? providers
        : [first, ...providers.filter((one) => one !== first)])
        await provider.delete(name, run)
    },
    async exportLogs(name, directory, signal) {
      await (await made(name, signal)).exportLogs(name, directory, signal)
    },
  }
}
