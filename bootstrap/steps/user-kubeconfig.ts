import { existsSync } from 'node:fs'
import { open, readFile, realpath, rename, rm, stat, writeFile, mkdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { cannotWrite } from '../errors/disk-full.ts'
import { LocalCloudError } from '../errors/local-cloud-error.ts'

/** The file that kubectl would write to: the first of $KUBECONFIG, else ~/.kube/config. */
export function userKubeconfigPath(env: Record<string, string | undefined> = process.env): string {
  const first = (env['KUBECONFIG'] ?? '').split(delimiter).find((path) => path !== '')
  return first ?? join(env['HOME'] ?? homedir(), '.kube', 'config')
}

/** Its text, or undefined when there is no such file. */
export async function readUserKubeconfig(path: string): Promise<string | undefined> {
  return existsSync(path) ? readFile(path, 'utf8') : undefined
}

/**
 * Replaces the file by what `edit` makes of it (undefined deletes it), keeping its mode, behind the lock file that kubectl
 * uses (PATH.lock). A file that would not change is not written. Returns whether it was.
 * @throws LocalCloudError LOCKED when another program holds the lock, NO_PERMISSION.
 */
export async function editUserKubeconfig(
  path: string,
  edit: (text: string | undefined) => string | undefined,
): Promise<boolean> {
  const before = await readUserKubeconfig(path)
  if (edit(before) === before) return false
  const target = existsSync(path) ? await realpath(path) : path
  const lock = `${target}.lock`
  try {
    await mkdir(dirname(target), { recursive: true, mode: 0o700 })
    await (await open(lock, 'wx')).close()
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'EEXIST'
      ? new LocalCloudError('LOCKED', {
          message: `Another program is writing ${path} (${lock} exists).`,
          hint: 'Wait for it, or delete that lock file when no such program runs.',
        })
      : cannotWrite(path, error)
  }
  try {
    const text = edit(await readUserKubeconfig(target))
    if (text === undefined) {
      await rm(target, { force: true })
      return true
    }
    const mode = existsSync(target) ? (await stat(target)).mode & 0o777 : 0o600
    await writeFile(`${target}.local-cloud`, text, { mode })
    await rename(`${target}.local-cloud`, target)
    return true
  } catch (error) {
    await rm(`${target}.local-cloud`, { force: true })
    throw error instanceof LocalCloudError ? error : cannotWrite(path, error)
  } finally {
    await rm(lock, { force: true })
  }
}
