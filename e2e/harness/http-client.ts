import http from 'node:http'
import type { Duplex } from 'node:stream'
import { duration } from './look.ts'

export interface HttpOptions {
  method?: string
  /** Host header, when it differs from the URL's own, as for a virtual host behind 127.0.0.1. */
  host?: string
  headers?: Record<string, string>
  body?: string
  /** A stream that is open already, such as a forwarded port; without it the URL's host is connected to. */
  connection?: Duplex
  /** For the whole exchange, milliseconds. */
  timeoutMs: number
  signal?: AbortSignal
}

/** What came of a request. Only `answered` and `refused` were said by the other side; the rest is silence or our own fault. */
export type HttpOutcome =
  | { kind: 'answered'; status: number; headers: http.IncomingHttpHeaders; body: string; ms: number }
  | {
      kind: 'refused' | 'reset' | 'timeout' | 'unreachable' | 'dns-failure' | 'could-not-run'
      detail: string
      ms: number
    }

/**
 * One HTTP request over a connection of its own, which is closed afterwards: a connection kept alive would pass a policy or a route
 * that has changed meanwhile. Redirects are not followed. Never throws, except for an aborted `signal`.
 */
export function request(url: string, options: HttpOptions): Promise<HttpOutcome> {
  const { method = 'GET', host, headers = {}, body, connection, timeoutMs, signal } = options
  signal?.throwIfAborted()
  const started = performance.now()
  const ms = () => Math.round(performance.now() - started)
  return new Promise((resolve, reject) => {
    let outgoing: http.ClientRequest
    const late = new Error(`no complete answer within ${duration(timeoutMs)}`)
    const timer = setTimeout(() => outgoing.destroy(late), timeoutMs)
    const failed = (error: Error) => {
      clearTimeout(timer)
      if (signal?.aborted) reject(signal.reason as Error)
      else resolve({ kind: error === late ? 'timeout' : kindOf(error), detail: error.message, ms: ms() })
    }
    try {
      outgoing = http.request(url, {
        method,
        // An agent, even a new one, would open a connection of its own.
        ...(connection === undefined ? { agent: false } : { createConnection: () => connection }),
        headers: {
          ...headers,
          ...(host === undefined ? {} : { host }),
          connection: 'close',
          ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
        },
        ...(signal === undefined ? {} : { signal }),
      })
    } catch (error) {
      failed(error as Error)
      return
    }
    outgoing.on('error', failed)
    outgoing.on('response', (incoming) => {
      const chunks: Buffer[] = []
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
      incoming.on('error', failed)
      incoming.on('end', () => {
        clearTimeout(timer)
        resolve({
          kind: 'answered',
          status: incoming.statusCode ?? 0,
          headers: incoming.headers,
          body: Buffer.concat(chunks).toString('utf8'),
          ms: ms(),
        })
      })
    })
    outgoing.end(body)
  })
}

/** Outcome kind of a Node network error, by its code. */
export function kindOf(error: { code?: string } & Error): Exclude<HttpOutcome['kind'], 'answered'> {
  switch (error.code) {
    case 'ECONNREFUSED':
      return 'refused'
    case 'ECONNRESET':
    case 'EPIPE':
      return 'reset'
    case 'ETIMEDOUT':
      return 'timeout'
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'unreachable'
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'dns-failure'
    default:
      return 'could-not-run'
  }
}

/** The outcome in one line, for a failure message: `200 {"service":"core"}` or `refused: connect ECONNREFUSED …`. */
export function describeHttp(outcome: HttpOutcome): string {
  if (outcome.kind !== 'answered') return `${outcome.kind}: ${outcome.detail}`
  const body = outcome.body.replaceAll(/\s+/g, ' ').trim()
  return `${String(outcome.status)} ${body.length > 160 ? `${body.slice(0, 160)}…` : body}`.trim()
}
