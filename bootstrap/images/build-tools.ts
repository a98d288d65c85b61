import { readFile, mkdir } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { requireDiskSpace } from '../host/disk.ts'
import { runCommand } from '../process/run-command.ts'
import type { Emit } from '../report/events.ts'
import { goVersion } from './builders/go.ts'
import { isNewEnoughGo, minimumGo } from './minimum-go.ts'

/** Programs that building from packages needs, with the Debian package that carries each. */
const tools: Record<string, { path: string; package: string }> = {
  mmdebstrap: { path: '/usr/bin/mmdebstrap', package: 'mmdebstrap' },
  'g++': { path: '/usr/bin/g++', package: 'g++' },
  tar: { path: '/usr/bin/tar', package: 'tar' },
  'the keys of the Debian archive': {
    path: '/usr/share/keyrings/debian-archive-keyring.gpg',
    package: 'debian-archive-keyring',
  },
}

/** Free space for building everything from nothing: 11 GB of modules, 8 GB of compiled packages, 9 GB of results, gibibytes. */
const buildSpace = 28
/** Free space for assembling images of components that are built already, gibibytes. */
const assemblySpace = 10

/**
 * Makes sure that building from packages can work here: Debian or Ubuntu on x86-64, root, Go, the tools (installed from the
 * distribution where allowed, and said so), and disk space. Changes nothing before all of it is known to be possible.
 * @throws LocalCloudError UNSUPPORTED_HOST, NO_PERMISSION, MISSING_TOOL, NO_DISK_SPACE.
 */
export async function ensureBuildTools(options: {
  cacheDir: string
  install: boolean
  compile: boolean
  signal: AbortSignal
  emit: Emit
}): Promise<void> {
  const { signal } = options
  const distribution = await readFile('/etc/os-release', 'utf8').catch(() => '')
  if (!/^ID(_LIKE)?=.*(debian|ubuntu)/m.test(distribution) || process.platform !== 'linux') {
    throw new LocalCloudError('UNSUPPORTED_HOST', {
      message: 'Images can be built from packages on Debian and Ubuntu only.',
      hint: 'Use --images registry where a registry can be reached, or a bundle made on Debian: --images bundle:FILE.',
    })
  }
  if (process.getuid?.() !== 0) {
    throw new LocalCloudError('NO_PERMISSION', {
      message: 'Building images from packages unpacks root file systems and needs root.',
      hint: 'Run the command as root (sudo), or use --images registry or bundle:FILE.',
    })
  }
  await requireBuildSpace(options)
  await mkdir(options.cacheDir, { recursive: true })
  if (options.compile) await requireGo(signal)
  const missing = Object.values(tools)
    .filter((tool) => !existsSync(tool.path))
    .map((tool) => tool.package)
  if (missing.length === 0) return
  const command = `apt-get install -y --no-install-recommends ${missing.join(' ')}`
  if (!options.install) {
    throw new LocalCloudError('MISSING_TOOL', {
      message: `Building images from packages needs ${missing.join(', ')}.`,
      hint: `Install them: ${command}`,
    })
  }
  options.emit({
    type: 'notice',
    level: 'info',
    message: `Installing from the distribution, to build images: ${missing.join(', ')}`,
  })
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  await runCommand('apt-get', ['update', '-q'], { signal, env })
  await runCommand('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...missing], { signal, env })
}

async function requireGo(signal: AbortSignal): Promise<void> {
  const version = await goVersion(signal)
  if (isNewEnoughGo(version)) return
  throw new LocalCloudError('MISSING_TOOL', {
    message: `Building images from packages needs Go ${minimumGo} or newer; ${version === undefined ? 'there is none on PATH' : `PATH has ${version}`}.`,
    hint: 'Install Go from go.dev or the distribution, or use --images registry or bundle:FILE.',
  })
}

/** @throws LocalCloudError NO_DISK_SPACE when images cannot be made below the cache directory; nothing is written there */
export const requireBuildSpace = ({
  cacheDir,
  compile,
}: {
  cacheDir: string
  compile: boolean
}): Promise<void> =>
  requireDiskSpace({
    place: cacheDir,
    bytes: (compile ? buildSpace : assemblySpace) * 2 ** 30,
    what: 'Making the images',
    otherwise: 'put the cache on another disk with --cache-dir',
  })
