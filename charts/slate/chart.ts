import { join, resolve } from 'node:path'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { parseObjects } from '../../bootstrap/manifests/render.ts'
import type { Paths } from '../../bootstrap/plan/options.ts'
import { runCommand, type CommandOutput } from '../../bootstrap/process/run-command.ts'
import { helmPath } from '../../bootstrap/tools/helm.ts'

export const repo = join(import.meta.dirname, '..', '..')
const stateDir = join(repo, '.local-cloud')
const paths: Paths = { repo, stateDir, cacheDir: join(stateDir, 'cache') }

export interface ChartOptions {
  /** Another folder or a package; default: this folder. */
  chart?: string
  release?: string
  namespace?: string
  /** Values files; relative ones lie in the chart's own folder. */
  values?: readonly string[]
  /** `--set` arguments. */
  set?: readonly string[]
  /** Hooks only, or the objects of the release only (default). */
  hooks?: boolean
  signal?: AbortSignal
}

/**
 * What the chart renders, without a cluster: the objects of the release, or with `hooks` those that Helm makes besides.
 * @throws LocalCloudError RENDER_FAILED with the command and what Helm said, also for values that the schema refuses
 */
export async function renderChart(options: ChartOptions = {}): Promise<KubeObject[]> {
  const { chart = import.meta.dirname, hooks = false } = options
  const { stdout } = await helm(
    [
      'template',
      options.release ?? 'slate',
      chart,
      '--namespace',
      options.namespace ?? 'slate',
      ...(hooks ? [] : ['--no-hooks']),
      ...(options.values ?? []).flatMap((file) => ['--values', resolve(import.meta.dirname, file)]),
      ...(options.set ?? []).flatMap((assignment) => ['--set', assignment]),
    ],
    options.signal,
  )
  return parseObjects(stdout, 'helm template').filter(
    (object) => hooks === 'helm.sh/hook' in (object.metadata.annotations ?? {}),
  )
}

/** Runs our helm, with no cluster in reach. @throws LocalCloudError RENDER_FAILED with the command and what Helm said */
export async function helm(
  argv: readonly string[],
  signal: AbortSignal = AbortSignal.timeout(30_000),
): Promise<CommandOutput> {
  const program = await helmPath({ paths, signal })
  return runCommand(program, argv, { signal, errorCode: 'RENDER_FAILED', env: { KUBECONFIG: '/dev/null' } })
}
