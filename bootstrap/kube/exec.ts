import { Readable, Writable } from 'node:stream'
import type { V1Status } from '@kubernetes/client-node'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { abortedError } from './aborted.ts'
import { refused } from './api-status.ts'
import type { ExecResult } from './client.ts'
import type { Connection } from './connection.ts'
import { NotConnected, notConnected } from './not-connected.ts'
import { backoffMs, pause } from './pause.ts'

export interface ExecSpec {
  namespace: string
  name: string
  container: string
  argv: readonly string[]
  stdin?: string
  signal: AbortSignal
}

/** The part of a websocket that is used here. */
interface Socket {
  addEventListener(type: 'close', listener: (event: { code: number; reason: string }) => void): void
  terminate(): void
}

/**
 * Runs a program in a container over the API's websocket and returns its real exit code. The connection is tried again while
 * the API cannot be reached; the program is started once at most. `what` names it in errors.
 * @throws LocalCloudError API_REFUSED when it could not be started, API_UNREACHABLE when the connection broke before its end
 */
export async function exec(connection: Connection, what: string, spec: ExecSpec): Promise<ExecResult> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await execOnce(connection, spec, what)
    } catch (error) {
      if (!(error instanceof NotConnected) || !error.passing)
        throw error instanceof NotConnected ? error.problem : error
      await pause(backoffMs(attempt), spec.signal, { message: error.problem.message, cause: error.problem })
    }
  }
}

async function execOnce(connection: Connection, spec: ExecSpec, what: string): Promise<ExecResult> {
  const { signal } = spec
  if (signal.aborted) throw abortedError(signal)
  // These two files of client-node load in a few milliseconds, its index in up to a second.
  const [{ Exec }, { WebSocketHandler }] = await Promise.all([
    import('@kubernetes/client-node/dist/exec.js'),
    import('@kubernetes/client-node/dist/web-socket-handler.js'),
  ])
  const stdout = collector()
  const stderr = collector()
  // Without streams of its own the handler would end those of this process when the server closes a channel.
  const streams = { stdin: Readable.from([]), stdout: collector().stream, stderr: collector().stream }
  const handler = new WebSocketHandler(connection.forClientNode(), undefined, streams)
  const stdin = spec.stdin === undefined ? null : Readable.from([Buffer.from(spec.stdin)])

  return await new Promise<ExecResult>((resolve, reject) => {
    let socket: Socket | undefined
    let over = false
    const settle = (end: () => void): void => {
      if (over) return
      over = true
      signal.removeEventListener('abort', onAbort)
      socket?.terminate()
      end()
    }
    const onAbort = (): void => {
      settle(() => {
        reject(abortedError(signal))
      })
    }
    signal.addEventListener('abort', onAbort, { once: true })
    // The status is the last thing that the server sends; nobody waits for the connection's own farewell.
    const onStatus = (status: V1Status): void => {
      settle(() => {
        const exitCode = exitCodeOf(status)
        if (exitCode !== undefined) {
          resolve({ exitCode, stdout: stdout.text(), stderr: stderr.text() })
          return
        }
        const { code = 500, reason = '', message = 'no reason given' } = status
        reject(refused(what, { code, reason, message, causes: [] }))
      })
    }
    const onClose = (): void => {
      settle(() => {
        reject(
          new LocalCloudError('API_UNREACHABLE', {
            message: `The connection of ${what} broke before the program ended.`,
          }),
        )
      })
    }
    const { namespace, name, container, argv } = spec
    new Exec(connection.forClientNode(), handler)
      .exec(namespace, name, container, [...argv], stdout.stream, stderr.stream, stdin, false, onStatus)
      .then(
        (opened) => {
          socket = opened
          socket.addEventListener('close', onClose)
          if (over) socket.terminate()
        },
        (error: unknown) => {
          settle(() => {
            reject(notConnected(error, connection.server, what))
          })
        },
      )
  })
}

/** The program's exit code, or undefined when it was not run. */
function exitCodeOf(status: V1Status): number | undefined {
  if (status.status === 'Success') return 0
  const cause = status.details?.causes?.find((candidate) => candidate.reason === 'ExitCode')
  return cause?.message === undefined ? undefined : Number(cause.message)
}

function collector(): { stream: Writable; text: () => string } {
  const chunks: Buffer[] = []
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk)
      done()
    },
  })
  return { stream, text: () => Buffer.concat(chunks).toString('utf8') }
}
