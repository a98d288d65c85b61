import path from 'node:path'
import type { Engine } from '../engine/engine.ts'
import { saysDiskFull } from '../errors/disk-full.ts'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { redact } from '../process/redact.ts'
import type { StepRun } from '../steps/step.ts'
import { missingArchives, parseCrictlImages } from './loaded-images.ts'
import type { LoadableImage, NodeInfo } from './provider.ts'

/** Lines of a program's errors that explain its failure. */
const evidenceLines = 15

/**
 * Runs argv in a running node and returns what it printed; `stdinFile` is streamed in.
 * @throws LocalCloudError COMMAND_FAILED with its last lines when it does not end with 0, NO_DISK_SPACE when they say so
 */
export async function runInNode(
  engine: Engine,
  node: string,
  argv: readonly string[],
  options: { signal: AbortSignal; stdinFile?: string },
): Promise<string> {
  const result = await engine.exec(node, argv, options)
  if (result.exitCode === 0) return result.stdout
  throw new LocalCloudError(saysDiskFull(result.stderr) ? 'NO_DISK_SPACE' : 'COMMAND_FAILED', {
    message: `${argv[0] ?? ''} in node ${node} ended with exit code ${String(result.exitCode)}.`,
    evidence: [
      `$ ${engine.kind} exec ${node} ${argv.join(' ')}${options.stdinFile === undefined ? '' : ` < ${options.stdinFile}`}`,
      ...redact(result.stderr).trimEnd().split('\n').slice(-evidenceLines),
    ],
  })
}

/** Loads image archives into all nodes at once; what containerd of a node has already is not sent again. */
export async function loadIntoNodes(
  engine: Engine,
  nodes: readonly NodeInfo[],
  images: readonly LoadableImage[],
  run: StepRun,
): Promise<void> {
  const { signal } = run
  await Promise.all(
    nodes.map(async ({ name }) => {
      const listed = await runInNode(engine, name, ['crictl', 'images', '--output', 'json'], { signal })
      for (const archive of missingArchives(images, parseCrictlImages(listed))) {
        run.progress(`loading ${path.basename(archive)} into ${name}`)
        await runInNode(
          engine,
          name,
          ['ctr', '--namespace=k8s.io', 'images', 'import', '--local', '--snapshotter', 'overlayfs', '-'],
          { signal, stdinFile: archive },
        )
      }
    }),
  )
}
