import { randomBytes } from 'node:crypto'
import http from 'node:http'
import type { Duplex } from 'node:stream'
import { kindOf, type HttpOutcome } from './http-client.ts'
import { acceptKey, decodeFrame, encodeFrame, opcodes, type Frame } from './websocket-frames.ts'

export interface WebSocketOptions {
  /** Host header, for a virtual host behind 127.0.0.1. */
  host?: string
  /** For the opening handshake, milliseconds. */
  timeoutMs: number
  signal?: AbortSignal
}

/** An open connection; leaving its scope closes it. */
export interface OpenWebSocket extends AsyncDisposable {
  /** Headers of the 101 answer. */
  headers: http.IncomingHttpHeaders
  send(data: string | Buffer): void
  /** The next text or binary frame; pings are answered on the way. Throws when none comes in time or the connection ends. */
  receive(timeoutMs: number): Promise<Frame>
}

/** Why a connection did not open; `answered` holds the status of a server that refused to upgrade. */
export type WebSocketOutcome =
  | { kind: 'open'; socket: OpenWebSocket }
  | { kind: 'answered'; status: number; detail: string }
  | { kind: Exclude<HttpOutcome['kind'], 'answered'>; detail: string }

/**
 * Opens a WebSocket on a new connection and checks the server's accept key against the one computed here.
 * Node's own client cannot set a Host header, hence this one. A wrong key is `could-not-run`: that was no WebSocket server.
 */
export function openWebSocket(url: string, options: WebSocketOptions): Promise<WebSocketOutcome> {
  const key = randomBytes(16).toString('base64')
  const late = new Error('no answer to the handshake in time')
  return new Promise((resolve, reject) => {
    const outgoing = http.request(url.replace(/^ws/, 'http'), {
      agent: false,
      headers: {
        ...(options.host === undefined ? {} : { host: options.host }),
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': key,
      },
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    })
    const timer = setTimeout(() => outgoing.destroy(late), options.timeoutMs)
    outgoing.on('error', (error: Error) => {
      clearTimeout(timer)
      if (options.signal?.aborted) reject(options.signal.reason as Error)
      else resolve({ kind: error === late ? 'timeout' : kindOf(error), detail: error.message })
    })
    outgoing.on('response', (incoming) => {
      clearTimeout(timer)
      incoming.destroy()
      resolve({ kind: 'answered', status: incoming.statusCode ?? 0, detail: 'the server did not upgrade' })
    })
    outgoing.on('upgrade', (incoming, stream, head) => {
      clearTimeout(timer)
      const accepted = incoming.headers['sec-websocket-accept']
      if (accepted === acceptKey(key)) {
        resolve({ kind: 'open', socket: over(stream, head, incoming.headers) })
        return
      }
      stream.destroy()
      resolve({ kind: 'could-not-run', detail: `wrong accept key ${String(accepted)}` })
    })
    outgoing.end()
  })
}

function over(stream: Duplex, head: Buffer, headers: http.IncomingHttpHeaders): OpenWebSocket {
  let buffer = Buffer.from(head)
  let ended: string | undefined
  let wake: () => void = () => undefined
  const finish = (why: string) => {
    ended ??= why
    wake()
  }
  stream.on('data', (chunk: Buffer) => {
    buffer = Buffer.concat([buffer, chunk])
    wake()
  })
  stream.on('error', (error) => {
    finish(error.message)
  })
  stream.on('close', () => {
    finish('the connection was closed')
  })

  const next = (): Frame | undefined => {
    for (;;) {
      const decoded = decodeFrame(buffer)
      if (!decoded) return undefined
      buffer = Buffer.from(decoded.rest)
      const { frame } = decoded
      if (frame.opcode === opcodes.ping) stream.write(encodeFrame(opcodes.pong, frame.payload))
      else if (frame.opcode === opcodes.close) finish('the server sent a close frame')
      else if (frame.opcode !== opcodes.pong) return frame
    }
  }

  return {
    headers,
    send(data) {
      stream.write(
        typeof data === 'string'
          ? encodeFrame(opcodes.text, Buffer.from(data))
          : encodeFrame(opcodes.binary, data),
      )
    },
    async receive(timeoutMs) {
      const until = performance.now() + timeoutMs
      for (;;) {
        const frame = next()
        if (frame) return frame
        if (ended !== undefined) throw new Error(`no frame: ${ended}`)
        const left = until - performance.now()
        if (left <= 0) throw new Error(`no frame within ${String(timeoutMs)} ms`)
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, left)
          wake = () => {
            clearTimeout(timer)
            resolve()
          }
        })
      }
    },
    [Symbol.asyncDispose]() {
      return new Promise((resolve) => {
        stream.end(encodeFrame(opcodes.close, Buffer.from([0x03, 0xe8])), () => {
          stream.destroy()
          resolve()
        })
        if (stream.destroyed) resolve()
      })
    },
  }
}
