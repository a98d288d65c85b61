import type { Engine } from '../engine/engine.ts'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { ImagesChoice, MakerName, Paths } from '../plan/options.ts'
import { throwIfAborted } from '../process/run-command.ts'
import type { Emit } from '../report/events.ts'
import type { ImageSource } from './image-source.ts'
import { createBundleSource } from './sources/bundle.ts'
import { createPackagesSource } from './sources/packages.ts'
import { createRegistrySource, upstreamNodeImage } from './sources/registry.ts'
import { readVersions } from './versions.ts'

/** How long `auto` waits for a registry before it builds from packages. */
const registryTimeoutMs = 6_000

/** The smallest image that is needed anyway; pulling it asks the registry through whatever mirrors and proxies the engine uses. */
const canary = 'docker.io/library/busybox:1.35.0'

export interface ChooseSourceOptions {
  options: { images: ImagesChoice; paths: Paths; install: boolean; provider?: MakerName }
  engine: Engine
  emit: Emit
  signal: AbortSignal
}

/**
 * The source of images: the one that was named, or for `auto`, in this order, the one whose node image the engine has already, the
 * registry when the engine pulls a two-megabyte image from it within six seconds, packages. `why` tells the reason.
 */
export async function chooseImageSource({
  options,
  engine,
  emit,
  signal,
}: ChooseSourceOptions): Promise<ImageSource> {
  const { images, paths, install, provider = 'kind' } = options
  const packages = (why: string): ImageSource => createPackagesSource({ paths, engine, install, why, emit })
  const registry = (why: string): ImageSource => createRegistrySource({ paths, engine, provider, why })
  if (images.kind === 'bundle') return createBundleSource({ paths, engine, file: images.file })
  if (images.kind === 'packages') return packages('--images packages was given')
  if (images.kind === 'registry') return registry('--images registry was given')

  const node = upstreamNodeImage(await readVersions(paths.repo), provider)
  if (await engine.imageExists(node, signal)) return registry(`${node} is in the engine already`)
  const built = packages('the images were built here before')
  if ((await built.observe({ signal, progress: () => undefined })).state === 'done') return built
  const refusal = await registryRefusal(engine, signal)
  return refusal === undefined
    ? registry(`a registry gave ${canary}`)
    : packages(`no registry can be used: ${refusal}`)
}

/** Why no image can be pulled, without a full stop, or undefined when one was. */
async function registryRefusal(engine: Engine, signal: AbortSignal): Promise<string | undefined> {
  try {
    await engine.pull(canary, { timeoutMs: registryTimeoutMs, signal })
    return undefined
  } catch (error) {
    throwIfAborted(signal)
    if (error instanceof LocalCloudError) return error.message.replace(/\.$/, '')
    throw error
  }
}
