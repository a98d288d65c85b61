import { LocalCloudError } from './local-cloud-error.ts'

/**
 * The error itself; what an AbortError was caused by, when that is one of ours; else INTERNAL around it.
 */
export function toLocalCloudError(error: unknown): LocalCloudError {
  if (error instanceof LocalCloudError) return error
  if (error instanceof Error && error.name === 'AbortError' && error.cause instanceof LocalCloudError)
    return error.cause
  const message = error instanceof Error ? error.message : String(error)
  return new LocalCloudError('INTERNAL', { message: `Unexpected: ${message}`, cause: error })
}
