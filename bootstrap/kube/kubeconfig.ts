import { createHash } from 'node:crypto'
import { chmod, mkdir, open, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, delimiter, dirname, join } from 'node:path'
import { cannotWrite } from '../errors/disk-full.ts'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { mergedKubeconfig, unmergedKubeconfig } from './kubeconfig-text.ts'

/** The file that kubectl writes to: the first of KUBECONFIG, else `~/.kube/config`. */
export function userKubeconfigFile(env: Record<string, string | undefined> = process.env): string {
  const first = (env['KUBECONFIG'] ?? '').split(delimiter).find((path) => path !== '')
  return first ?? join(env['HOME'] ?? homedir(), '.kube', 'config')
}

export interface KubeconfigMerge {
  /** The user's file: `userKubeconfigFile()`. */
  file: string
  /** Context of ours, such as `kind-local-cloud`. */
  context: string
  /** Folder of ours that keeps the user's file as it was, so that it can be put back byte by byte. */
  backupDirectory: string
}

/**
 * Puts our context into the user's kubeconfig, keeping a copy of what it was. The file is replaced as a whole under kubectl's
 * own lock, keeps its mode, and a new one is readable for its owner only. Merging the same twice changes nothing.
 * @throws LocalCloudError BAD_KUBECONFIG when the file cannot be understood or is locked; NO_PERMISSION
 */
export async function mergeKubeconfig(
  merge: KubeconfigMerge & { kubeconfig: string },
): Promise<'merged' | 'unchanged'> {
  return await edited(merge.file, async (before) => {
    const after = mergedKubeconfig(before ?? '', merge.kubeconfig, merge.context)
    if (after === before) return undefined
    await mkdir(merge.backupDirectory, { recursive: true, mode: 0o700 })
    const { copy, record } = backupFiles(merge.backupDirectory)
    const known = await readRecord(record)
    // A second merge starts from our own writing; the copy stays what it was before the first.
    if (known?.file !== merge.file || known.written !== digest(before)) {
      if (before === undefined) await rm(copy, { force: true })
      else await writeFile(copy, before, { mode: 0o600 })
    }
    await writeFile(record, JSON.stringify({ file: merge.file, written: digest(after) }), { mode: 0o600 })
    return after
  })
}

/**
 * Takes our context out of the user's kubeconfig again. A file that nobody has changed since it was merged becomes what it was,
 * byte by byte, or goes when there was none; in a changed one only our entries are removed.
 * @throws LocalCloudError BAD_KUBECONFIG, NO_PERMISSION
 */
export async function unmergeKubeconfig(
  merge: KubeconfigMerge,
): Promise<'restored' | 'removed' | 'unchanged'> {
  const { copy, record } = backupFiles(merge.backupDirectory)
  const known = await readRecord(record)
  let outcome: 'restored' | 'removed' | 'unchanged' = 'unchanged'
  await edited(merge.file, async (before) => {
    if (before === undefined) return undefined
    if (known?.file === merge.file && known.written === digest(before)) {
      outcome = 'restored'
      return (await readFile(copy, 'utf8').catch(() => undefined)) ?? null
    }
    const after = unmergedKubeconfig(before, merge.context)
    if (after === before) return undefined
    outcome = 'removed'
    return after
  })
  await rm(copy, { force: true })
  await rm(record, { force: true })
  return outcome
}

const backupFiles = (folder: string): { copy: string; record: string } => ({
  copy: join(folder, 'user-kubeconfig.before'),
  record: join(folder, 'user-kubeconfig.json'),
})

async function readRecord(file: string): Promise<{ file: string; written: string } | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  try {
    return JSON.parse(text) as { file: string; written: string }
  } catch {
    return undefined
  }
}

const digest = (text: string | undefined): string =>
  text === undefined ? 'absent' : createHash('sha256').update(text).digest('hex')

/** Gives `change` the file's text (undefined: no file) and writes what it returns: undefined for nothing, null to remove the file. */
async function edited(
  file: string,
  change: (before: string | undefined) => Promise<string | null | undefined>,
): Promise<'merged' | 'unchanged'> {
  // A link stays a link; what it leads to is replaced.
  const target = await realpath(file).catch(() => file)
  const lock = `${target}.lock`
  const failed = (error: unknown): LocalCloudError =>
    error instanceof LocalCloudError
      ? error
      : cannotWrite(target, error, `The kubeconfig ${file} could not be changed`)
  try {
    await mkdir(dirname(target), { recursive: true, mode: 0o700 })
    // kubectl and kind hold this lock while they write: https://github.com/kubernetes/client-go, tools/clientcmd
    await (await open(lock, 'wx', 0o600)).close()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw failed(error)
    throw new LocalCloudError('BAD_KUBECONFIG', {
      message: `The kubeconfig ${file} is being changed by another program: ${lock} exists.`,
      hint: `Try again; if no other program works on it, remove ${lock}.`,
      cause: error,
    })
  }
  const unfinished = join(dirname(target), `.${basename(target)}.${String(process.pid)}`)
  try {
    const before = await readFile(target, 'utf8').catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    })
    const after = await change(before)
    if (after === undefined) return 'unchanged'
    if (after === null) {
      await rm(target, { force: true })
      return 'merged'
    }
    const mode = await stat(target).then(
      (found) => found.mode & 0o777,
      () => 0o600,
    )
    await writeFile(unfinished, after, { mode })
    await chmod(unfinished, mode)
    await rename(unfinished, target)
    return 'merged'
  } catch (error) {
    throw failed(error)
  } finally {
    await rm(unfinished, { force: true })
    await rm(lock, { force: true })
  }
}
