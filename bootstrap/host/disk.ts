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

/**
 * Makes sure that `bytes` fit on the file system of `place`.
 * @throws LocalCloudError NO_DISK_SPACE that names what needs how much, where, and what there is.
 */
export async function requireDiskSpace(
  place: string,
  bytes: number,
  what: string,
  free: (place: string) => Promise<number> = freeBytes,
): Promise<void> {
  const available = await free(place)
  if (available >= bytes) return
  throw new LocalCloudError('NO_DISK_SPACE', {
    message: `${what} needs ${gibibytes(bytes)} below ${place}, where ${gibibytes(available)} are free.`,
  })
}
