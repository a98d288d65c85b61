import { createHash } from 'node:crypto'
import type { Layer } from './layer.ts'

/** What a container of the image runs with. */
export interface ImageSettings {
  entrypoint?: readonly string[]
  command?: readonly string[]
  environment?: Readonly<Record<string, string>>
  user?: string
  workingDirectory?: string
  labels?: Readonly<Record<string, string>>
  stopSignal?: string
  volumes?: readonly string[]
}

/** An image ready to be written: its layers on disk, its config and manifest in memory. */
export interface Image {
  ref: string
  layers: readonly Layer[]
  config: Buffer
  /** `sha256:…` of the config: what engines and containerd call the image id. */
  id: string
  manifest: Buffer
  manifestDigest: string
}

const digestOf = (content: Buffer): string => `sha256:${createHash('sha256').update(content).digest('hex')}`

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * Makes an image by the OCI image specification 1.1 (config.md, manifest.md) out of uncompressed layers. Equal input gives an equal id.
 */
export function makeImage(ref: string, layers: readonly Layer[], settings: ImageSettings): Image {
  const environment = { PATH: defaultPath, ...settings.environment }
  const config = Buffer.from(
    JSON.stringify({
      created: '1970-01-01T00:00:00Z',
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      config: {
        Env: Object.entries(environment).map(([key, value]) => `${key}=${value}`),
        ...(settings.entrypoint ? { Entrypoint: settings.entrypoint } : {}),
        ...(settings.command ? { Cmd: settings.command } : {}),
        ...(settings.user === undefined ? {} : { User: settings.user }),
        ...(settings.workingDirectory === undefined ? {} : { WorkingDir: settings.workingDirectory }),
        ...(settings.stopSignal === undefined ? {} : { StopSignal: settings.stopSignal }),
        ...(settings.labels ? { Labels: settings.labels } : {}),
        ...(settings.volumes
          ? { Volumes: Object.fromEntries(settings.volumes.map((path) => [path, {}])) }
          : {}),
      },
      rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.digest) },
      history: layers.map(() => ({ created: '1970-01-01T00:00:00Z', created_by: 'local-cloud' })),
    }),
  )
  const id = digestOf(config)
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: id, size: config.length },
      layers: layers.map(({ digest, size }) => ({
        mediaType: 'application/vnd.oci.image.layer.v1.tar',
        digest,
        size,
      })),
    }),
  )
  return { ref, layers, config, id, manifest, manifestDigest: digestOf(manifest) }
}
