import net from 'node:net'
import { kindOf, type HttpOutcome } from './http-client.ts'
import { duration } from './look.ts'

export interface UploadOptions {
  /** Host header, when it differs from the URL's own. */
  host?: string
  /** What the Content-Length header announces, bytes; as many zero bytes are sent. */
  bytes: number
  /** For the whole exchange, milliseconds. */
  timeoutMs: number
  signal?: AbortSignal
}

const chunk = Buffer.alloc(64 * 1024)

/** A server that knows nothing of `Expect: 100-continue` gets the body after this time, ms (RFC 9110, section 10.1.1). */
const patienceMs = 1_000

/**
 * POSTs a large body over a connection of its own and returns the answer as soon as its head is there. The server is asked first whether it
 * wants the body at all: one that refuses and hangs up while it is being sent cuts its own answer off. The body of the answer is not
 * read (empty).
 * Never throws, except for an aborted `signal`.
 */
export function upload(url: string, options: UploadOptions): Promise<HttpOutcome> {
  const { bytes, timeoutMs, signal } = options
  signal?.throwIfAborted()
  const { hostname, port, pathname, host } = new URL(url)
  const started = performance.now()
  const ms = () => Math.round(performance.now() - started)
  return new Promise((resolve, reject) => {
    const socket = net.connect(port === '' ? 80 : Number(port), hostname)
    let said = ''
    let left = bytes
    let patience: NodeJS.Timeout | undefined
    const end = (outcome: HttpOutcome): void => {
      clearTimeout(timer)
      clearTimeout(patience)
      signal?.removeEventListener('abort', abort)
      socket.destroy()
      resolve(outcome)
    }
    const abort = (): void => {
      clearTimeout(timer)
      clearTimeout(patience)
      socket.destroy()
      reject(signal?.reason as Error)
    }
    const timer = setTimeout(() => {
      end({
        kind: 'timeout',
        detail: `no answer within ${duration(timeoutMs)}, ${String(left)} bytes unsent`,
        ms: ms(),
      })
    }, timeoutMs)
    signal?.addEventListener('abort', abort, { once: true })
    const send = (): void => {
      while (left > 0 && !socket.destroyed) {
        const part = chunk.subarray(0, Math.min(left, chunk.length))
        left -= part.length
        if (!socket.write(part)) {
          socket.once('drain', send)
          return
        }
      }
    }
    socket.on('connect', () => {
      socket.write(
        `POST ${pathname} HTTP/1.1\r\nHost: ${options.host ?? host}\r\nContent-Type: application/octet-stream\r\n` +
          `Content-Length: ${String(bytes)}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n`,
      )
      patience = setTimeout(send, patienceMs)
    })
    socket.on('data', (data: Buffer) => {
      said += data.toString('latin1')
      const head = /^([\s\S]*?)\r\n\r\n/.exec(said)?.[1]
      if (head === undefined) return
      const status = /^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1]
      if (status === undefined)
        end({ kind: 'could-not-run', detail: `no HTTP: ${head.slice(0, 80)}`, ms: ms() })
      else if (status === '100') {
        said = said.slice(head.length + 4)
        clearTimeout(patience)
        send()
      } else end({ kind: 'answered', status: Number(status), headers: headersOf(head), body: '', ms: ms() })
    })
    let broken: Error | undefined
    // What the server said before it hung up may still be on its way.
    socket.on('error', (error) => {
      broken = error
    })
    socket.on('close', () => {
      if (broken) end({ kind: kindOf(broken), detail: broken.message, ms: ms() })
      else end({ kind: 'reset', detail: 'the connection was closed without an answer', ms: ms() })
    })
  })
}

const headersOf = (head: string): Record<string, string> =>
  Object.fromEntries(
    head
      .split('\r\n')
      .slice(1)
      .map((line): [string, string] => {
        const colon = line.indexOf(':')
        return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()]
      }),
  )
