import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { requireDiskSpace } from '../../bootstrap/host/disk.ts'
import { isAbandoned, madeLabel, ownLabels } from '../../bootstrap/providers/k3s/ephemeral-owner.ts'

const prefix = 'local-cloud-ephemeral-'
const ownerFile = 'owner.json'

/** What a start writes there at most: kubectl, a kubeconfig, and the files of which images are derived. Bytes. */
const neededBytes = 96 * 2 ** 20

/** @throws LocalCloudError NO_DISK_SPACE when a start would not have the room for its files */
export const requireFolderSpace = (root = tmpdir()): Promise<void> =>
  requireDiskSpace({
    place: root,
    bytes: neededBytes,
    what: 'An ephemeral cluster',
    otherwise: 'put temporary files on another disk with TMPDIR',
  })

/**
 * A folder of this process among the temporary files: a new one, or the one of that name, emptied. It says whose it is, so that the next start
 * can remove it when this process is killed.
 */
export async function ownFolder(name?: string, root = tmpdir()): Promise<string> {
  if (name === undefined) return claimed(await mkdtemp(path.join(root, prefix)))
  const folder = path.join(root, `${prefix}${name}`)
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { mode: 0o700 })
  return claimed(folder)
}

/** The folder of that name, for as long as process `owner` lives; what is in it stays. */
export async function sharedFolder(name: string, owner: number, root = tmpdir()): Promise<string> {
  const folder = path.join(root, `${prefix}${name}`)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  return claimed(folder, owner)
}

async function claimed(folder: string, owner = process.pid): Promise<string> {
  try {
    await writeFile(path.join(folder, ownerFile), JSON.stringify(ownLabels(owner)))
    return folder
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

/** Removes the folders of processes that are gone, and those that nobody claimed when they are old. Returns them. */
export async function sweepFolders(root = tmpdir(), now = new Date()): Promise<string[]> {
  const folders = (await readdir(root))
    .filter((name) => name.startsWith(prefix))
    .map((name) => path.join(root, name))
  const abandoned = await Promise.all(folders.map((folder) => isLeft(folder, now)))
  const left = folders.filter((_, index) => abandoned[index])
  // Those of another user stay.
  await Promise.all(left.map((folder) => rm(folder, { recursive: true, force: true }).catch(() => undefined)))
  return left
}

async function isLeft(folder: string, now: Date): Promise<boolean> {
  try {
    const labels = JSON.parse(await readFile(path.join(folder, ownerFile), 'utf8')) as Record<string, string>
    return isAbandoned(labels, now)
  } catch {
    const found = await stat(folder).catch(() => undefined)
    return found !== undefined && isAbandoned({ [madeLabel]: found.mtime.toISOString() }, now)
  }
}
