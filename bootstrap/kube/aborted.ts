import { LocalCloudError } from '../errors/local-cloud-error.ts'

/** Whether a signal ended because time was over, not because somebody wanted it to end. */
export function isDeadline(signal: AbortSignal): boolean {
  const reason: unknown = signal.reason
  if (reason instanceof LocalCloudError) return reason.family === 'wait-timeout'
  return reason instanceof Error && reason.name === 'TimeoutError'
}

/**
 * The error to throw when `signal` has aborted: its own reason when that is one of ours; API_UNREACHABLE with the last
 * `problem` when a deadline passed while the API did not answer; else INTERRUPTED.
 */
export function abortedError(
  signal: AbortSignal,
  problem?: { message: string; cause: unknown },
): LocalCloudError {
  const reason: unknown = signal.reason
  if (problem !== undefined && isDeadline(signal)) {
    return new LocalCloudError('API_UNREACHABLE', {
      message: `${problem.message}, until the deadline passed`,
      cause: problem.cause,
    })
  }
  if (reason instanceof LocalCloudError) return reason
  if (isDeadline(signal)) {
    return new LocalCloudError('STEP_TIMEOUT', {
      message: 'The deadline passed during a request to the Kubernetes API.',
      cause: reason,
    })
  }
  return new LocalCloudError('INTERRUPTED', { message: 'Interrupted.', cause: reason })
}
