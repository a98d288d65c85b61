import type { Paths } from '../plan/options.ts'
import { runCommand, type CommandOutput } from '../process/run-command.ts'
import { packageRoot } from '../state/package-root.ts'
import { resolvePaths } from '../state/paths.ts'
import { toolPath, type ToolOptions } from './unpack-layer.ts'

/** Path of a kubectl that works with our Kubernetes version: see `toolPath`. */
export const kubectlPath = (options: ToolOptions): Promise<string> => toolPath('kubectl', options)

/**
 * Runs kubectl against the cluster of a kubeconfig file. `paths` default to those of this checkout and environment.
 * @throws LocalCloudError MISSING_TOOL, COMMAND_FAILED with the pasteable command and the last lines
 */
export async function kubectl(
  argv: readonly string[],
  options: { kubeconfigFile: string; signal: AbortSignal; paths?: Paths },
): Promise<CommandOutput> {
  const { kubeconfigFile, signal } = options
  const paths = options.paths ?? resolvePaths(packageRoot, {}, process.env, process.cwd())
  const program = await kubectlPath({ paths, signal })
  return await runCommand(program, argv, { signal, env: { KUBECONFIG: kubeconfigFile } })
}
