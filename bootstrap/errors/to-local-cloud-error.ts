import { isDiskFull } from './disk-full.ts'
import { LocalCloudError } from './local-cloud-error.ts'

/**
 * The error itself; what an AbortError was caused by, when that is one of ours; NO_DISK_SPACE for a full file system; else INTERNAL around it.
 */
export function toLocalCloudError(error: unknown): LocalCloudError {
  if (error instanceof LocalCloudError) return error
  if (error instanceof Error && error.name === 'AbortError' && error.cause instanceof LocalCloudError)
    return error.cause
  const message = error instanceof Error ? error.message : String(error)
  if (isDiskFull(error)) {
    const { path } = error as NodeJS.ErrnoException
    return new LocalCloudError('NO_DISK_SPACE', {
      message: `${path ?? 'A file'} could not be written: no space is left on its file system.`,
      cause: error,
    })
  }
  return new LocalCloudError('INTERNAL', { message: `Unexpected: ${message}`, cause: error })
}
