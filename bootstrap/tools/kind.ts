import { chmod, mkdir, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { findProgram } from '../engine/find-program.ts'
import { cannotWrite } from '../errors/disk-full.ts'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { Paths } from '../plan/options.ts'
import { runCommand } from '../process/run-command.ts'
import { removeEmptyFolder } from '../providers/remove-empty-folder.ts'
import type { Emit } from '../report/events.ts'

export interface KindToolOptions {
  paths: Paths
  /** The version it must be, `v0.33.0`; default: what images/versions.yaml pins. */
  version?: string
  emit: Emit
  signal: AbortSignal
  /** Where Go is looked for besides PATH; replaced in tests. */
  goFolders?: readonly string[]
}

/** Where Go's own installer puts it, which is not always on PATH. */
const usualGoFolders = ['/usr/local/go/bin', '/usr/lib/go/bin', '/opt/homebrew/bin']
/** Milliseconds within which a program tells its version, also on a busy machine. */
const answerMs = 20_000

/**
 * Path of kind in exactly the pinned version: the one on PATH when it is that, else one built from its Go module into
 * `<cacheDir>/tools/kind-<version>/` (a quarter of a minute with a warm module cache). Nothing half-built is ever found there, and
 * two processes that build at once do no harm.
 * @throws LocalCloudError MISSING_TOOL when it must be built and there is no Go; BUILD_FAILED with the command and its last lines;
 * BAD_VERSIONS_FILE when the version is not pinned.
 */
export async function kindPath(options: KindToolOptions): Promise<string> {
  const { paths, emit, signal } = options
  const version = options.version ?? (await pinnedKindVersion(paths.repo))
  const found = findProgram('kind')
  if (found !== undefined && (await isVersion(found, version, signal))) return found
  const program = kindProgram(paths, version)
  if (findProgram('kind', path.dirname(program)) !== undefined && (await isVersion(program, version, signal)))
    return program
  const go = findProgram('go', undefined, options.goFolders ?? usualGoFolders)
  if (go === undefined) {
    throw new LocalCloudError('MISSING_TOOL', {
      message: `kind ${version} is not on PATH, and there is no Go to build it.`,
      hint: `Install kind ${version} or Go (the versions that go.dev/dl offers work) and run the command again.`,
    })
  }
  emit({ type: 'notice', level: 'info', message: `Building kind ${version} from its Go module, once.` })
  await build(go, version, program, options)
  return program
}

/** Where a kind that was built here, or came with a bundle, is kept. */
export const kindProgram = (paths: Pick<Paths, 'cacheDir'>, version: string): string =>
  path.join(paths.cacheDir, 'tools', `kind-${version}`, 'kind')

/** The version of kind that images/versions.yaml names. */
export async function pinnedKindVersion(repo: string): Promise<string> {
  const file = path.join(repo, 'images', 'versions.yaml')
  try {
    return z.object({ kind: z.string().regex(/^v\d+\.\d+\.\d+$/) }).parse(parse(await readFile(file, 'utf8')))
      .kind
  } catch (error) {
    throw new LocalCloudError('BAD_VERSIONS_FILE', {
      message: `${file}: the field kind must be a version such as v0.33.0.`,
      cause: error,
    })
  }
}

async function isVersion(program: string, version: string, signal: AbortSignal): Promise<boolean> {
  const output = await runCommand(program, ['version'], {
    signal,
    timeoutMs: answerMs,
    acceptExitCodes: 'any',
  })
  return output.stdout.trim().split(/\s+/)[1] === version
}

async function build(
  go: string,
  version: string,
  program: string,
  { paths, signal }: KindToolOptions,
): Promise<void> {
  const folder = path.dirname(program)
  try {
    await mkdir(folder, { recursive: true })
  } catch (error) {
    throw cannotWrite(program, error)
  }
  const work = await mkdtemp(path.join(folder, '.build-'))
  const shared = path.join(paths.cacheDir, 'go')
  const caches = (await isFolder(path.join(shared, 'build')))
    ? { GOCACHE: path.join(shared, 'build'), GOMODCACHE: path.join(shared, 'mod') }
    : { GOCACHE: path.join(work, 'cache'), GOMODCACHE: path.join(work, 'mod') }
  try {
    await runCommand(go, ['install', '-trimpath', '-ldflags=-s -w', `sigs.k8s.io/kind@${version}`], {
      signal,
      cwd: work,
      env: {
        ...caches,
        GOBIN: path.join(work, 'bin'),
        // A writable module cache can be removed; the tree around must not decide how this is built.
        GOFLAGS: '-buildvcs=false -modcacherw',
        GOWORK: 'off',
        CGO_ENABLED: '0',
      },
      errorCode: 'BUILD_FAILED',
    })
    const built = path.join(work, 'bin', 'kind')
    if (!(await isVersion(built, version, signal))) {
      throw new LocalCloudError('BUILD_FAILED', {
        message: `The kind that was built does not say that it is ${version}.`,
      })
    }
    await chmod(built, 0o755)
    await rename(built, program)
  } finally {
    await rm(work, { recursive: true, force: true })
    removeEmptyFolder(folder)
    removeEmptyFolder(path.dirname(folder))
  }
}

const isFolder = async (place: string): Promise<boolean> =>
  (await stat(place).catch(() => undefined))?.isDirectory() ?? false
