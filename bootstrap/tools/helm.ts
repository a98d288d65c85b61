import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { runCommand } from '../process/run-command.ts'
import { layerTool, onPath, remedies, type ToolOptions } from './unpack-layer.ts'

/** The major version of the helm in the npm package: a program of another one has other flags and another way to apply. */
const major = 'v4.'

/**
 * Path of a Helm 4: on Linux on x64 the one of the npm package, see `layerTool`; elsewhere, and where the package is not installed,
 * the one on PATH when it is a Helm 4.
 * @throws LocalCloudError MISSING_TOOL with what to install, also for a helm of another major version; NO_PERMISSION as `layerTool`
 */
export async function helmPath(options: ToolOptions): Promise<string> {
  return (
    (await layerTool('helm', options)) ??
    (await requireMajor(await onPath('helm', process.env['PATH'] ?? ''), options.signal))
  )
}

/** `program` itself when it says that it is of our major version. @throws LocalCloudError MISSING_TOOL naming what it said */
export async function requireMajor(program: string, signal: AbortSignal): Promise<string> {
  const { stdout } = await runCommand(program, ['version', '--template', '{{.Version}}'], {
    signal,
    acceptExitCodes: 'any',
  })
  if (stdout.trim().startsWith(major)) return program
  throw new LocalCloudError('MISSING_TOOL', {
    message: `${program} is ${stdout.trim() || 'no helm'}, not a Helm 4.`,
    hint: remedies.helm,
  })
}
