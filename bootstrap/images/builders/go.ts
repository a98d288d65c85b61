import { access, cp, copyFile, mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { LocalCloudError } from '../../errors/local-cloud-error.ts'
import { runCommand } from '../../process/run-command.ts'
import type { GoComponent } from '../versions.ts'
import type { BuildJob } from './component-builder.ts'
import { extractDebianPackages } from './debian.ts'
import { reproducibleTar } from './reproducible-tar.ts'

/**
 * Builds the programs of a Go module with the toolchain on PATH. Upstream's own go.mod and go.sum decide every dependency, so a
 * module is built in its own directory of the module cache; what cannot be resolved there is replaced through a copy of go.mod, and single
 * files of dependencies in a copy of the module with vendored dependencies.
 * @throws LocalCloudError BUILD_FAILED with the command and the compiler's last lines; MISSING_TOOL without Go.
 */
export async function buildGo(job: BuildJob<GoComponent>): Promise<void> {
  const { recipe, paths, signal } = job
  const environment: Record<string, string> = {
    ...goEnvironment(paths.cacheDir),
    CGO_ENABLED: recipe.cgo ? '1' : '0',
    ...(recipe.cgo ? await headerFlags(job, recipe.cgo) : {}),
  }
  const folder = recipe.directory === undefined ? undefined : join(paths.repo, 'images', recipe.directory)
  const original =
    recipe.module === undefined
      ? (folder ?? '')
      : await downloadModule(job, recipe.module, recipe.version, environment)
  const sourceDirectory = recipe.vendor
    ? await vendoredCopy(job, original, recipe.vendor, folder ?? '', environment)
    : original
  const modFlags = recipe.replace
    ? await replacedModFile(job, sourceDirectory, recipe.replace, folder, environment)
    : [recipe.vendor ? '-mod=vendor' : '-mod=readonly']
  const ldflags = ['-s -w', ...(recipe.ldflags ?? [])].join(' ').replaceAll('{version}', recipe.version)
  for (const [program, mainPackage] of Object.entries(recipe.programs)) {
    job.progress(`compiling ${program}`)
    await runCommand(
      'go',
      [
        'build',
        ...modFlags,
        '-trimpath',
        ...(recipe.tags ? ['-tags', recipe.tags.join(',')] : []),
        '-ldflags',
        ldflags,
        '-o',
        join(job.outputDirectory, program),
        mainPackage,
      ],
      {
        signal,
        cwd: sourceDirectory,
        env: environment,
        errorCode: 'BUILD_FAILED',
        onLine: (line) => {
          const module = /^go: downloading (\S+) (\S+)/.exec(line)
          if (module) job.progress(`compiling ${program}; it took ${String(module[1])} ${String(module[2])}`)
        },
      },
    )
  }
  for (const [output, path] of Object.entries(recipe.sources ?? {})) {
    await runCommand(
      'tar',
      [
        ...reproducibleTar,
        '--mode=u=rwX,go=rX',
        '-cf',
        join(job.outputDirectory, `${output}.tar`),
        '-C',
        join(sourceDirectory, path),
        '.',
      ],
      { signal, errorCode: 'BUILD_FAILED' },
    )
  }
}

/** Caches of our own for modules and compiled packages; they are removed when everything is built. */
export function goEnvironment(cacheDirectory: string): Record<string, string> {
  return {
    GOMODCACHE: join(cacheDirectory, 'go', 'mod'),
    GOCACHE: join(cacheDirectory, 'go', 'build'),
    GOFLAGS: '-buildvcs=false -modcacherw',
    GOTOOLCHAIN: 'local',
    GOWORK: 'off',
  }
}

async function downloadModule(
  job: BuildJob<GoComponent>,
  module: string,
  version: string,
  environment: Record<string, string>,
): Promise<string> {
  job.progress(`downloading ${module} ${version}`)
  const { stdout } = await runCommand('go', ['mod', 'download', '-json', `${module}@${version}`], {
    signal: job.signal,
    cwd: job.workDirectory,
    env: environment,
    errorCode: 'BUILD_FAILED',
  })
  return (JSON.parse(stdout) as { Dir: string }).Dir
}

async function replacedModFile(
  job: BuildJob<GoComponent>,
  sourceDirectory: string,
  replace: Record<string, string>,
  folder: string | undefined,
  environment: Record<string, string>,
): Promise<string[]> {
  const modFile = join(job.workDirectory, 'go.mod')
  await copyFile(join(sourceDirectory, 'go.mod'), modFile)
  await copyFile(join(sourceDirectory, 'go.sum'), join(job.workDirectory, 'go.sum'))
  const replacements = Object.entries(replace).map(([module, by]) =>
    by.startsWith('./') ? `-replace=${module}=${join(folder ?? '', by)}` : `-replace=${module}=${by}`,
  )
  await runCommand('go', ['mod', 'edit', ...replacements, modFile], {
    signal: job.signal,
    env: environment,
    errorCode: 'BUILD_FAILED',
  })
  return ['-mod=mod', `-modfile=${modFile}`]
}

/**
 * A copy of the module with its dependencies beside it, in which these files are ours; `go build -overlay` refuses files of the module cache.
 * @throws LocalCloudError BUILD_FAILED when a dependency has no such file (any more): then nothing would be replaced
 */
async function vendoredCopy(
  job: BuildJob<GoComponent>,
  original: string,
  files: Record<string, string>,
  folder: string,
  environment: Record<string, string>,
): Promise<string> {
  const copy = join(job.workDirectory, 'vendored')
  await cp(original, copy, { recursive: true })
  job.progress('vendoring dependencies')
  await runCommand('go', ['mod', 'vendor'], {
    signal: job.signal,
    cwd: copy,
    env: environment,
    errorCode: 'BUILD_FAILED',
  })
  for (const [file, by] of Object.entries(files)) {
    const target = join(copy, 'vendor', file)
    await access(target).catch((error: unknown) => {
      throw new LocalCloudError('BUILD_FAILED', {
        message: `No dependency has the file ${file}, which ${by} is to replace.`,
        cause: error,
      })
    })
    await copyFile(join(folder, by), target)
  }
  return copy
}

async function headerFlags(
  job: BuildJob<GoComponent>,
  cgo: NonNullable<GoComponent['cgo']>,
): Promise<Record<string, string>> {
  const include = join(job.workDirectory, 'include')
  const unpacked = join(job.workDirectory, 'headers')
  await mkdir(include, { recursive: true })
  if (cgo.debianHeaders.length > 0) {
    await extractDebianPackages(cgo.debianHeaders, unpacked, job.signal)
    for (const folder of ['stb', 'nlohmann']) {
      await cp(join(unpacked, 'usr/include', folder), join(include, folder), { recursive: true })
    }
  }
  for (const header of cgo.moduleHeaders) {
    const directory = await downloadModule(
      job,
      header.module,
      header.version,
      goEnvironment(job.paths.cacheDir),
    )
    await mkdir(dirname(join(include, header.as)), { recursive: true })
    await copyFile(join(directory, header.file), join(include, header.as))
  }
  const flags = `-O2 -I${include}`
  return { CGO_CFLAGS: flags, CGO_CXXFLAGS: flags }
}

/** Version of the Go toolchain on PATH, `go1.26.8`, or undefined when there is none. */
export async function goVersion(signal: AbortSignal): Promise<string | undefined> {
  const { stdout, exitCode } = await runCommand('go', ['env', 'GOVERSION'], {
    signal,
    acceptExitCodes: 'any',
  }).catch(() => ({
    stdout: '',
    exitCode: 1,
  }))
  return exitCode === 0 ? stdout.trim() : undefined
}
