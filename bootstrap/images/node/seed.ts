import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { execa } from 'execa'
import { LocalCloudError } from '../../errors/local-cloud-error.ts'
import { runCommand } from '../../process/run-command.ts'

export interface SeedJob {
  /** Archive with every image to preload. */
  archive: string
  containerd: string
  ctr: string
  workDirectory: string
  /** Tar file to write: containerd's content and snapshots below `opt/seed`. */
  output: string
  /** Image that must survive image garbage collection: the pod sandbox. */
  pinned: string
  signal: AbortSignal
  progress: (message: string) => void
}

/** How long containerd may take to listen. */
const startTimeoutMs = 30_000

/**
 * Unpacks images with a containerd of its own into a scratch root, drops the layer blobs that unpacking made superfluous, and packs
 * the result. Nodes link it into their store instead of importing, so that no image is copied when a node starts.
 * Needs root (overlay mounts); the scratch root must not lie on an overlay.
 */
export async function makeSeed(job: SeedJob): Promise<void> {
  const root = join(job.workDirectory, 'seed', 'opt', 'seed')
  const state = join(job.workDirectory, 'state')
  const address = join(job.workDirectory, 'containerd.sock')
  const config = join(job.workDirectory, 'containerd.toml')
  await mkdir(root, { recursive: true })
  await writeFile(
    config,
    `version = 3\nroot = "${root}"\nstate = "${state}"\ntemp = "${join(job.workDirectory, 'temp')}"\n` +
      'disabled_plugins = ["io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri", "io.containerd.nri.v1.nri", ' +
      '"io.containerd.snapshotter.v1.native", "io.containerd.snapshotter.v1.blockfile", "io.containerd.snapshotter.v1.btrfs", ' +
      '"io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.erofs", "io.containerd.snapshotter.v1.zfs", "io.containerd.differ.v1.erofs"]\n' +
      `[grpc]\n  address = "${address}"\n[ttrpc]\n  address = "${address}.ttrpc"\n`,
  )
  const ctr = (...argv: string[]) =>
    runCommand(job.ctr, ['--address', address, '--namespace', 'k8s.io', ...argv], {
      signal: job.signal,
      errorCode: 'BUILD_FAILED',
    })

  const daemon = execa(job.containerd, ['--config', config, '--log-level', 'warn'], {
    reject: false,
    all: true,
    cancelSignal: job.signal,
    forceKillAfterDelay: 5_000,
  })
  try {
    await listening(job, ctr, daemon)
    job.progress('unpacking the preloaded images')
    await ctr(
      'images',
      'import',
      '--local',
      '--snapshotter',
      'overlayfs',
      '--discard-unpacked-layers',
      job.archive,
    )
    await ctr('images', 'label', job.pinned, 'io.cri-containerd.pinned=pinned')
    await ctr('content', 'prune', 'references')
  } finally {
    daemon.kill('SIGTERM')
    await daemon
  }
  job.progress('packing the preloaded images')
  await rm(join(root, 'io.containerd.content.v1.content', 'ingest'), { recursive: true, force: true })
  await runCommand(
    'tar',
    [
      '--numeric-owner',
      '--sort=name',
      '--xattrs',
      '-cf',
      job.output,
      '-C',
      join(job.workDirectory, 'seed'),
      'opt',
    ],
    { signal: job.signal, errorCode: 'BUILD_FAILED' },
  )
}

async function listening(
  job: SeedJob,
  ctr: (...argv: string[]) => Promise<unknown>,
  daemon: Promise<{ all?: string }>,
): Promise<void> {
  const deadline = Date.now() + startTimeoutMs
  let output: string | undefined
  void daemon.then(({ all }) => {
    output = all ?? ''
  })
  for (;;) {
    const answer = await ctr('version').catch((error: unknown) => error)
    if (!(answer instanceof Error)) return
    job.signal.throwIfAborted()
    if (output !== undefined || Date.now() > deadline) {
      throw new LocalCloudError('BUILD_FAILED', {
        message: 'containerd, which unpacks the images for the nodes, did not start.',
        evidence: (output ?? answer.message).split('\n').slice(-15),
        cause: answer,
      })
    }
    await setTimeout(100, undefined, { signal: job.signal })
  }
}
