import path from 'node:path'
import { connect } from '../../bootstrap/kube/connect.ts'
import type { Paths } from '../../bootstrap/plan/options.ts'
import { clusterFiles } from '../../bootstrap/steps/cluster-files.ts'
import { milestones, readLines, type Milestones } from './milestones.ts'
import { nodeReadyAt } from './node-ready.ts'
import { run } from './run.ts'

export interface OurBench {
  paths: Paths
  name: string
  httpPort: number
  httpsPort: number
  images: string
  /** Default kind. */
  provider?: 'k3s'
  signal: AbortSignal
}

/** Path of an entry script. */
export const script = (paths: Paths, command: string): string =>
  path.join(paths.repo, 'bootstrap', `${command}.mjs`)

const common = ({ name, paths }: OurBench): string[] => [
  ...['--name', name, '--state-dir', paths.stateDir, '--cache-dir', paths.cacheDir],
]

/** Flags of `up` that every measurement has. */
export const upFlags = (bench: OurBench): string[] => [
  ...common(bench),
  ...[
    '--http-port',
    String(bench.httpPort),
    '--https-port',
    String(bench.httpsPort),
    '--images',
    bench.images,
  ],
  ...(bench.provider === undefined ? [] : ['--provider', bench.provider]),
]

/** `up` from nothing to its end. The node is watched over a connection of our own from the moment on at which the API is healthy. */
export async function measureUp(bench: OurBench): Promise<Milestones & { nodeReady?: number; up: number }> {
  const { paths, name, signal } = bench
  const over = new AbortController()
  const watching = AbortSignal.any([signal, over.signal])
  let node: Promise<number | undefined> | undefined
  const watch = async (): Promise<number | undefined> => {
    const kube = await connect({ kubeconfigFile: clusterFiles(paths, name).kubeconfig, signal: watching })
    try {
      return await nodeReadyAt(kube, `${name}-control-plane`, watching)
    } finally {
      kube.close()
    }
  }
  try {
    const { startedAt, ms, stdout } = await run(
      process.execPath,
      [script(paths, 'up'), '--json', ...upFlags(bench)],
      {
        signal,
        onLine(line) {
          if (node === undefined && milestones(readLines(line), 0).apiHealthy !== undefined) {
            node = watch().catch(() => undefined)
          }
        },
      },
    )
    const readyAt = await node
    return {
      ...milestones(readLines(stdout), startedAt),
      ...(readyAt === undefined ? {} : { nodeReady: readyAt - startedAt }),
      up: ms,
    }
  } finally {
    over.abort()
  }
}

/** `up` on a cluster that is as it should be. @throws Error when it did change something */
export async function measureNoop(bench: OurBench): Promise<number> {
  const { ms, stdout } = await run(
    process.execPath,
    [script(bench.paths, 'up'), '--json', ...upFlags(bench)],
    bench,
  )
  const result = readLines(stdout).length > 0 ? stdout.trim().split('\n').at(-1) : undefined
  if (!result?.includes('"changed":false'))
    throw new Error(`the second up changed something: ${String(result)}`)
  return ms
}

export async function measureDown(bench: OurBench): Promise<number> {
  return (await run(process.execPath, [script(bench.paths, 'down'), '--plain', ...common(bench)], bench)).ms
}

export async function measureHelp({ paths, signal }: Pick<OurBench, 'paths' | 'signal'>): Promise<number> {
  return (await run(process.execPath, [script(paths, 'up'), '--help'], { signal })).ms
}
