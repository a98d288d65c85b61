import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { clusterLabel, managedLabel, type Engine, type ImageInfo } from '../engine/engine.ts'
import { LocalCloudError } from '../errors/local-cloud-error.ts'

/** The image that a cluster's nodes run; its labels are how the containers are known as ours. */
export const clusterNodeImage = (cluster: string): string => `localhost/local-cloud/node:${cluster}`

/** A second name of that image, given when the creation of the cluster ran to its end. */
export const completedMark = (cluster: string): string => `localhost/local-cloud/created:${cluster}`

/**
 * Label that tells where a node image comes from. The entrypoint of those built from packages fits containerd to the host by
 * itself; kind's own image has to be told.
 */
export const adaptsContainerd = (labels: Readonly<Record<string, string>>): boolean =>
  labels['io.local-cloud.source'] === 'packages'

/** @throws LocalCloudError IMAGE_MISSING when the engine does not have it */
export async function requireNodeImage(
  engine: Engine,
  nodeImage: string,
  signal: AbortSignal,
): Promise<ImageInfo> {
  const found = await engine.inspectImage(nodeImage, signal)
  if (found !== undefined) return found
  throw new LocalCloudError('IMAGE_MISSING', {
    message: `The node image ${nodeImage} is not in ${engine.kind}.`,
    hint: 'Run the command again, which builds or pulls what is missing; if it is missing again, something removes images (podman image prune, docker image prune).',
  })
}

/**
 * Derives the cluster's own image from a node image: the same content, with labels that its containers inherit (kind gives no way
 * to label containers), the given further lines of a Containerfile and the given files (name → text) in one folder. Takes a second.
 */
export async function deriveNodeImage(
  engine: Engine,
  options: {
    cluster: string
    nodeImage: string
    folder: string
    lines?: readonly string[]
    files?: { folder: string; texts: Readonly<Record<string, string>> }
    signal: AbortSignal
  },
): Promise<string> {
  const { cluster, nodeImage, folder, lines = [], files, signal } = options
  const context = path.join(folder, 'node-image')
  mkdirSync(context, { recursive: true })
  try {
    const containerfile = path.join(context, 'Containerfile')
    const copies = Object.entries(files?.texts ?? {}).map(([name, text]) => {
      writeFileSync(path.join(context, name), text)
      return `COPY ${JSON.stringify([name, `${files?.folder ?? ''}/`])}`
    })
    writeFileSync(containerfile, [`FROM ${nodeImage}`, ...copies, ...lines, ''].join('\n'))
    const tag = clusterNodeImage(cluster)
    await engine.build(
      { containerfile, context, tag, labels: { [managedLabel]: 'true', [clusterLabel]: cluster } },
      signal,
    )
    return tag
  } finally {
    rmSync(context, { recursive: true, force: true })
  }
}
