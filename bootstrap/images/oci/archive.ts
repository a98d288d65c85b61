import { createReadStream, createWriteStream } from 'node:fs'
import { rename } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { pack, type Pack } from 'tar-stream'
import type { Image } from './image.ts'

const epoch = new Date(0)

const blobPath = (digest: string): string => `blobs/sha256/${digest.slice('sha256:'.length)}`

/**
 * Writes images into one archive that Docker, Podman and containerd load: an OCI image layout (image-layout.md) with the
 * `manifest.json` of `docker save` beside it. Layers that images share stand once. `omitLayers` leaves out layers that the
 * receiver has already (containerd only). The file appears under its name when it is complete.
 */
export async function writeArchive(
  images: readonly Image[],
  path: string,
  omitLayers: ReadonlySet<string> = new Set(),
): Promise<void> {
  const archive = pack()
  const partial = `${path}.partial`
  const written = pipeline(archive, createWriteStream(partial))
  try {
    await fill(archive, images, omitLayers)
    archive.finalize()
  } catch (error) {
    archive.destroy(error as Error)
    await written.catch(() => undefined)
    throw error
  }
  await written
  await rename(partial, path)
}

async function fill(archive: Pack, images: readonly Image[], omitLayers: ReadonlySet<string>): Promise<void> {
  const text = (name: string, content: Buffer | string): void => {
    archive.entry({ name, mode: 0o644, mtime: epoch }, content)
  }
  text('oci-layout', JSON.stringify({ imageLayoutVersion: '1.0.0' }))
  text(
    'index.json',
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: images.map((image) => ({
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        digest: image.manifestDigest,
        size: image.manifest.length,
        annotations: {
          'io.containerd.image.name': image.ref,
          'org.opencontainers.image.ref.name': image.ref,
        },
      })),
    }),
  )
  text(
    'manifest.json',
    JSON.stringify(
      images.map((image) => ({
        Config: blobPath(image.id),
        RepoTags: [image.ref],
        Layers: image.layers.map((layer) => blobPath(layer.digest)),
      })),
    ),
  )
  const done = new Set<string>()
  for (const image of images) {
    for (const [digest, content] of [
      [image.id, image.config],
      [image.manifestDigest, image.manifest],
    ] as const) {
      if (done.has(digest)) continue
      done.add(digest)
      text(blobPath(digest), content)
    }
    for (const layer of image.layers) {
      if (done.has(layer.digest) || omitLayers.has(layer.digest)) continue
      done.add(layer.digest)
      await pipeline(
        createReadStream(layer.path, { highWaterMark: 1 << 20 }),
        archive.entry({ name: blobPath(layer.digest), size: layer.size, mode: 0o644, mtime: epoch }),
      )
    }
  }
}
