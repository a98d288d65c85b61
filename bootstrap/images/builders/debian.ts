import { mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { runCommand } from '../../process/run-command.ts'
import type { DebianComponent } from '../versions.ts'
import type { BuildJob } from './component-builder.ts'

/** Release whose packages are unpacked for headers and single programs. */
const headerRelease = 'bookworm'

/**
 * Makes a root file system of a Debian release, or unpacks single packages, into `rootfs.tar`.
 * Needs root and mmdebstrap; uses the mirror that mmdebstrap knows for the release.
 * @throws LocalCloudError BUILD_FAILED with the last lines of mmdebstrap.
 */
export async function buildDebian(job: BuildJob<DebianComponent>): Promise<void> {
  const { recipe, signal } = job
  const partial = join(job.workDirectory, 'rootfs.tar')
  const excluded = recipe.exclude ?? []
  await runCommand(
    'mmdebstrap',
    recipe.extractOnly
      ? [
          '--mode=root',
          '--variant=extract',
          `--include=${recipe.extractOnly.join(',')}`,
          recipe.version,
          partial,
        ]
      : [
          '--mode=root',
          '--variant=minbase',
          '--dpkgopt=path-exclude=/usr/share/man/*',
          '--dpkgopt=path-exclude=/usr/share/doc/*',
          '--dpkgopt=path-exclude=/usr/share/locale/*',
          `--include=${(recipe.packages ?? []).join(',')}`,
          ...excluded.map((path) => `--customize-hook=rm -rf "$1"${path}`),
          '--customize-hook=rm -rf "$1"/usr/share/locale/* "$1"/usr/share/man/* "$1"/usr/share/doc/* "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/* "$1"/var/log/*',
          recipe.version,
          partial,
        ],
    {
      signal,
      cwd: job.workDirectory,
      env: { SOURCE_DATE_EPOCH: '0', TMPDIR: job.workDirectory },
      errorCode: 'BUILD_FAILED',
      onLine: (line) => {
        if (line.startsWith('I: ')) job.progress(line.slice(3))
      },
    },
  )
  await rename(partial, join(job.outputDirectory, 'rootfs.tar'))
}

/** Unpacks the packages (and what they depend on) into `directory`; nothing is installed on this machine. */
export async function extractDebianPackages(
  packages: readonly string[],
  directory: string,
  signal: AbortSignal,
): Promise<void> {
  await mkdir(directory, { recursive: true })
  const archive = `${directory}.tar`
  await runCommand(
    'mmdebstrap',
    ['--mode=root', '--variant=extract', `--include=${packages.join(',')}`, headerRelease, archive],
    { signal, errorCode: 'BUILD_FAILED', env: { SOURCE_DATE_EPOCH: '0' } },
  )
  await runCommand('tar', ['-xf', archive, '-C', directory, './usr/include'], {
    signal,
    errorCode: 'BUILD_FAILED',
  })
}
