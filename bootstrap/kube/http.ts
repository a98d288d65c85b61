import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { abortedError } from './aborted.ts'
import { apiStatus, isTransient, refused, type ApiStatus } from './api-status.ts'
import type { Connection } from './connection.ts'
import { backoffMs, pause } from './pause.ts'
import { warningTexts } from './warnings.ts'

export interface ApiRequest {
  method: 'GET' | 'PATCH' | 'DELETE' | 'POST' | 'PUT'
  /** Path on the server, starting with a slash; may hold a query. */
  path: string
  query?: Record<string, string | undefined>
  body?: unknown
  contentType?: string
  accept?: string
  signal: AbortSignal
  /** What is asked, for messages: `Deployment slate/core`. Default: the path. */
  what?: string
}

export interface ApiResponse {
  status: number
  body: string
  /** What the server warns of; absent when it does not. */
  warnings?: string[]
}

export interface Http {
  /**
   * One answer of the server, whatever its HTTP status. Repeated with growing pauses while the server cannot be reached or
   * says that it cannot answer now (429, 502–504, conflicts), until the signal ends it.
   * @throws LocalCloudError API_UNREACHABLE when there is no answer, INTERRUPTED or the signal's own reason
   */
  send(request: ApiRequest): Promise<ApiResponse>
  /** As `send`, and reads the body as JSON. @throws LocalCloudError also API_REFUSED for every status but 2xx */
  json<T>(request: ApiRequest): Promise<T>
  /** As `send`, without repeating anything. */
  sendOnce(request: ApiRequest): Promise<ApiResponse>
  /** Opens a response to be read as it comes. Its socket is closed after `idleMs` without a byte. Nothing is repeated. */
  open(request: ApiRequest, idleMs: number): Promise<{ status: number; body: IncomingMessage }>
}

/** Milliseconds in which a server that runs begins to answer anything but a watch; after that the request is repeated. */
const silenceMs = 30_000

/** Error codes of sockets that a server which is starting or restarting causes. */
const passingCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
  'UND_ERR_SOCKET',
])

/** Requests over Node's own http, on kept connections. */
export function http(connection: Connection): Http {
  const base = new URL(connection.server)
  const start = base.protocol === 'https:' ? httpsRequest : httpRequest

  const open = async (
    spec: ApiRequest,
    idleMs: number,
  ): Promise<{ status: number; body: IncomingMessage }> => {
    if (spec.signal.aborted) throw abortedError(spec.signal)
    const { agent, headers, auth } = await connection.auth()
    const body =
      spec.body === undefined
        ? undefined
        : Buffer.from(typeof spec.body === 'string' ? spec.body : JSON.stringify(spec.body))
    const query = Object.entries(spec.query ?? {}).flatMap(([key, value]) =>
      value === undefined ? [] : [`${encodeURIComponent(key)}=${encodeURIComponent(value)}`],
    )
    const separator = spec.path.includes('?') ? '&' : '?'
    return await new Promise((resolve, reject) => {
      const outgoing = start(
        {
          method: spec.method,
          protocol: base.protocol,
          hostname: base.hostname.replace(/^\[|\]$/g, ''),
          port: base.port,
          path: `${base.pathname.replace(/\/$/, '')}${spec.path}${query.length === 0 ? '' : separator + query.join('&')}`,
          agent,
          headers: {
            ...headers,
            accept: spec.accept ?? 'application/json',
            'user-agent': 'local-cloud',
            ...(body === undefined
              ? {}
              : {
                  'content-type': spec.contentType ?? 'application/json',
                  'content-length': String(body.length),
                }),
          },
          ...(auth === undefined ? {} : { auth }),
          signal: spec.signal,
        },
        (response) => {
          resolve({ status: response.statusCode ?? 0, body: response })
        },
      )
      outgoing.setTimeout(idleMs, () => {
        outgoing.destroy(
          Object.assign(new Error(`no answer within ${String(idleMs / 1000)} s`), { code: 'ETIMEDOUT' }),
        )
      })
      outgoing.on('error', (error) => {
        // The server closed a kept connection at the moment it was used again: nothing was asked yet.
        if (outgoing.reusedSocket && socketProblem(error).reset) resolve(open(spec, idleMs))
        else reject(error)
      })
      outgoing.end(body)
    })
  }

  const attempt = async (spec: ApiRequest): Promise<ApiResponse & { retryAfter?: string }> => {
    const { status, body } = await open(spec, silenceMs)
    const chunks: Buffer[] = []
    for await (const chunk of body) chunks.push(chunk as Buffer)
    const retryAfter = body.headers['retry-after']
    const warnings = warningTexts(body.headers['warning'])
    return {
      status,
      body: Buffer.concat(chunks).toString('utf8'),
      ...(warnings.length === 0 ? {} : { warnings }),
      ...(retryAfter === undefined ? {} : { retryAfter }),
    }
  }

  const unreachable = (error: unknown): LocalCloudError => {
    const problem = socketProblem(error)
    return new LocalCloudError('API_UNREACHABLE', {
      message: `The Kubernetes API at ${connection.server} does not answer: ${problem.message}`,
      cause: error,
    })
  }

  const sendOnce = async (spec: ApiRequest): Promise<ApiResponse> => {
    try {
      return await attempt(spec)
    } catch (error) {
      if (error instanceof LocalCloudError) throw error
      if (spec.signal.aborted) throw abortedError(spec.signal)
      throw unreachable(error)
    }
  }

  const send = async (spec: ApiRequest): Promise<ApiResponse> => {
    let problem: { message: string; cause: unknown } | undefined
    for (let count = 0; ; count += 1) {
      let delayMs = backoffMs(count)
      try {
        const answer = await attempt(spec)
        if (answer.status < 400) return answer
        const status = apiStatus(answer.status, answer.body, answer.retryAfter)
        if (!isTransient(status, spec.method)) return answer
        if (status.retryAfterSeconds !== undefined)
          delayMs = Math.max(delayMs, status.retryAfterSeconds * 1_000)
        const what = `${spec.method} ${spec.what ?? spec.path}`
        problem = { message: refused(what, status).message, cause: status }
      } catch (error) {
        if (error instanceof LocalCloudError) throw error
        if (spec.signal.aborted) throw abortedError(spec.signal, problem)
        if (!socketProblem(error).passing) throw unreachable(error)
        problem = { message: unreachable(error).message, cause: error }
      }
      await pause(delayMs, spec.signal, problem)
    }
  }

  return {
    send,
    sendOnce,
    open,
    async json<T>(spec: ApiRequest): Promise<T> {
      const answer = await send(spec)
      if (answer.status < 200 || answer.status > 299) {
        throw refused(`${spec.method} ${spec.what ?? spec.path}`, statusFrom(answer))
      }
      return JSON.parse(answer.body) as T
    },
  }
}

const statusFrom = (answer: ApiResponse): ApiStatus => apiStatus(answer.status, answer.body)

/** What a failed request's socket says. An `AggregateError` stands for the attempts on several addresses of one name. */
export function socketProblem(error: unknown): { message: string; passing: boolean; reset: boolean } {
  const first = error instanceof AggregateError ? (error.errors[0] as unknown) : error
  const code = (first as { code?: string } | undefined)?.code ?? ''
  const message = first instanceof Error ? first.message : String(first)
  return {
    message: message === '' ? code : message,
    passing: passingCodes.has(code),
    reset: code === 'ECONNRESET' || code === 'EPIPE',
  }
}
