import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { LocalCloudError } from '../../bootstrap/errors/local-cloud-error.ts'
import type { Engine } from '../../bootstrap/engine/engine.ts'
import { requireDiskSpace } from '../../bootstrap/host/disk.ts'
import { readArchive } from '../../bootstrap/images/oci/read-archive.ts'
import type { KubeClient } from '../../bootstrap/kube/client.ts'
import type { TypedClients } from '../../bootstrap/kube/typed-clients.ts'
import type { ClusterProvider } from '../../bootstrap/providers/provider.ts'

/** A disposable cluster. Leaving its scope (`await using`) removes its containers, its network and its files, unless it is shared. */
export interface EphemeralCluster extends AsyncDisposable {
  readonly name: string
  /** Kubeconfig text that works from this machine. */
  readonly kubeconfig: string
  /** The same in a file, readable for this user only. */
  readonly kubeconfigFile: string
  readonly kube: KubeClient
  /** Typed clients of @kubernetes/client-node: `cluster.api(CoreV1Api)`. */
  readonly api: TypedClients
  /** Where the ingress answers when there is one, http://127.0.0.1:PORT. */
  readonly ingressUrl: string
  /**
   * Puts an image of the engine, or one in a docker or OCI archive, into every node.
   * @throws LocalCloudError IMAGE_MISSING when the engine does not have it
   */
  loadImage(image: string | { archive: string; ref: string }, signal?: AbortSignal): Promise<void>
  /** Writes the logs of the nodes into a folder. */
  writeLogs(directory: string, signal?: AbortSignal): Promise<void>
  /** The same as leaving the scope. */
  stop(): Promise<void>
}

/** Milliseconds that taking everything away, or reading every log, may take. */
export const stopMs = 60_000

/** A cluster that is there, and what leads to it. */
export interface ThereIs extends Pick<
  EphemeralCluster,
  'name' | 'kubeconfig' | 'kubeconfigFile' | 'kube' | 'api' | 'ingressUrl'
> {
  engine: Engine
  provider: ClusterProvider
  /** For files that are needed for a moment. */
  folder: string
  /** Milliseconds that loading an image may take. */
  timeoutMs: number
}

/** What a user is given of a cluster; `stop` is called once at most. */
export function ephemeralCluster(there: ThereIs, stop: () => Promise<void>): EphemeralCluster {
  const { name, kubeconfig, kubeconfigFile, kube, api, ingressUrl, provider, timeoutMs } = there
  let stopped: Promise<void> | undefined
  const once = (): Promise<void> => (stopped ??= stop())
  return {
    name,
    kubeconfig,
    kubeconfigFile,
    kube,
    api,
    ingressUrl,
    loadImage: (image, until = AbortSignal.timeout(timeoutMs)) => loadImage(there, image, until),
    writeLogs: (directory, until = AbortSignal.timeout(stopMs)) =>
      provider.exportLogs(name, directory, until),
    stop: once,
    [Symbol.asyncDispose]: once,
  }
}

async function loadImage(
  { engine, provider, name, folder }: ThereIs,
  image: string | { archive: string; ref: string },
  signal: AbortSignal,
): Promise<void> {
  if (typeof image === 'string') await requireImage(engine, image, folder, signal)
  const ref = typeof image === 'string' ? image : image.ref
  const archive =
    typeof image === 'string' ? path.join(folder, `${randomBytes(4).toString('hex')}.tar`) : image.archive
  if (typeof image === 'string') await engine.saveArchive([image], archive, signal)
  try {
    const [found] = await readArchive(archive)
    await provider.loadImages(name, [{ ref, archive, id: found?.id ?? '' }], {
      signal,
      progress: () => undefined,
    })
  } finally {
    if (typeof image === 'string') await rm(archive, { force: true })
  }
}

/** @throws LocalCloudError IMAGE_MISSING; NO_DISK_SPACE when it cannot be put down on its way into the nodes */
async function requireImage(
  engine: Engine,
  image: string,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const found = await engine.inspectImage(image, signal)
  if (found === undefined) {
    throw new LocalCloudError('IMAGE_MISSING', {
      message: `The image ${image} is not in ${engine.kind}.`,
      hint: `Build it there, or: ${engine.kind} pull ${image}`,
    })
  }
  await requireDiskSpace({
    place: folder,
    bytes: found.bytes ?? 0,
    what: `The archive of ${image}`,
    otherwise: 'put temporary files on another disk with TMPDIR',
  })
}
