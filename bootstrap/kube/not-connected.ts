import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { isTransient, refused } from './api-status.ts'

/** The websocket was not opened, so nothing has been started. */
export class NotConnected extends Error {
  readonly problem: LocalCloudError
  /** Whether the same may succeed a moment later. */
  readonly passing: boolean

  constructor(problem: LocalCloudError, passing: boolean) {
    super(problem.message)
    this.problem = problem
    this.passing = passing
  }
}

/** What the error event of a websocket that could not be opened means; `what` says what it was for. */
export function notConnected(error: unknown, server: string, what: string): NotConnected {
  const { message = '', error: inner } = error as { message?: string; error?: { code?: string } }
  const code = Number(/Unexpected server response: (\d+)/.exec(message)?.[1])
  if (Number.isInteger(code)) {
    const meaning = code === 404 ? 'there is no such pod' : 'the websocket was not opened'
    const status = { code, reason: '', message: meaning, causes: [] }
    return new NotConnected(refused(what, status), isTransient(status, 'GET'))
  }
  const passing = ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT'].includes(inner?.code ?? '')
  const problem = new LocalCloudError('API_UNREACHABLE', {
    message: `The Kubernetes API at ${server} does not answer ${what}: ${message === '' ? (inner?.code ?? 'no reason given') : message}`,
    cause: inner ?? error,
  })
  return new NotConnected(problem, passing)
}
