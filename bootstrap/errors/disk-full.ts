import path from 'node:path'
import { LocalCloudError } from './local-cloud-error.ts'

/** Whether the words of a program say that a file system is full (errno(3): ENOSPC, EDQUOT). */
export const saysDiskFull = (text: string): boolean =>
  /no space left on device|disk quota exceeded/i.test(text)

/** Whether an error of Node.js, or what caused it, says the same. */
export const isDiskFull = (error: unknown): boolean =>
  error instanceof Error &&
  (['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '') || isDiskFull(error.cause))

/** What a file that could not be written comes to: NO_DISK_SPACE where its file system is full, else NO_PERMISSION. */
export const cannotWrite = (
  file: string,
  cause: unknown,
  message = `${file} could not be written`,
): LocalCloudError =>
  isDiskFull(cause)
    ? new LocalCloudError('NO_DISK_SPACE', {
        message: `${message}: no space is left on the file system of ${path.dirname(file)}.`,
        cause,
      })
    : new LocalCloudError('NO_PERMISSION', { message: `${message}.`, cause })
