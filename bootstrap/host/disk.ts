import { statfs } from 'node:fs/promises'
import path from 'node:path'
import { LocalCloudError } from '../errors/local-cloud-error.ts'

/** Bytes that an ordinary user may still write on the file system of `place`, which need not exist yet. */
export async function freeBytes(place: string): Promise<number> {
  for (let folder = path.resolve(place); ; folder = path.dirname(folder)) {
    try {
      const { bavail, bsize } = await statfs(folder)
      return bavail * bsize
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EACCES') {
        throw new LocalCloudError('NO_PERMISSION', { message: `${folder} cannot be read.`, cause: error })
      }
      if (folder === path.dirname(folder))
        throw new LocalCloudError('INTERNAL', { message: `${folder} has no file system.`, cause: error })
    }
  }
}

/** `12.3 GiB`, as messages show sizes. */
export const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`

/** The same, in MiB where it is less than one. */
const size = (bytes: number): string =>
  bytes < 2 ** 30 ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : gibibytes(bytes)

export interface DiskNeed {
  /** Folder that need not exist yet. */
  place: string
  bytes: number
  /** What needs it, the subject of a sentence. */
  what: string
  /** What else than freeing space helps, an imperative without a full stop. */
  otherwise: string
  /** Replaced in tests. */
  free?: (place: string) => Promise<number>
}

/**
 * Makes sure that `bytes` fit on the file system of `place`.
 * @throws LocalCloudError NO_DISK_SPACE that names what needs how much, where, what there is, and what can be removed.
 */
export async function requireDiskSpace({
  place,
  bytes,
  what,
  otherwise,
  free = freeBytes,
}: DiskNeed): Promise<void> {
  const available = await free(place)
  if (available >= bytes) return
  throw new LocalCloudError('NO_DISK_SPACE', {
    message: `${what} needs ${size(bytes)} below ${place}, where ${size(available)} are free.`,
    hint: `Free ${size(bytes - available)} there (${removable}), or ${otherwise}.`,
  })
}

/** What of ours may be removed to gain space. */
export const removable =
  'bootstrap/down --all --purge removes every cluster of ours and all that was built for them'
