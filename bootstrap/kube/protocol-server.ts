import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KubeObject } from './client.ts'

/** A request as a handler sees it. */
export interface SeenRequest {
  method: string
  path: string
  query: URLSearchParams
  headers: IncomingMessage['headers']
  body: string
}

/** Answers a request; `undefined` leaves it to the server's own answers (discovery), which else say 404. */
export type Handler = (
  request: SeenRequest,
  response: ServerResponse,
) => Answer | undefined | Promise<Answer | undefined>

/** A whole answer, or `streamed` when the handler writes the response by itself. */
export type Answer = { status?: number; body: unknown; headers?: Record<string, string> } | 'streamed'

/** A small HTTP server that says what a test wants a Kubernetes API to say. */
export interface ProtocolServer extends AsyncDisposable {
  readonly kubeconfigFile: string
  readonly url: string
  readonly requests: SeenRequest[]
  /** For upgrades to websockets. */
  readonly http: Server
  handler: Handler
  /** Cuts every connection and stops listening; `listen` comes back on the same port. */
  stop(): Promise<void>
  listen(): Promise<void>
}

/** What the server serves: enough for discovery. */
const served = {
  '/api': [
    {
      metadata: {},
      versions: [
        {
          version: 'v1',
          resources: [
            resource('configmaps', 'ConfigMap', 'Namespaced'),
            resource('pods', 'Pod', 'Namespaced'),
            resource('secrets', 'Secret', 'Namespaced'),
            resource('events', 'Event', 'Namespaced'),
            resource('namespaces', 'Namespace', 'Cluster'),
            resource('nodes', 'Node', 'Cluster'),
          ],
        },
      ],
    },
  ],
  '/apis': [
    {
      metadata: { name: 'apps' },
      versions: [{ version: 'v1', resources: [resource('deployments', 'Deployment', 'Namespaced')] }],
    },
    {
      metadata: { name: 'metrics.k8s.io' },
      versions: [
        {
          version: 'v1',
          resources: [{ ...resource('nodes', 'NodeMetrics', 'Cluster'), verbs: ['get', 'list'] }],
        },
      ],
    },
  ],
}

function resource(name: string, kind: string, scope: string) {
  const verbs = ['get', 'list', 'watch', 'patch', 'delete', 'create']
  return { resource: name, responseKind: { group: '', version: '', kind }, scope, verbs }
}

/** The `Status` object of a refusal. */
export const refusal = (code: number, reason: string, message: string, details: object = {}): Answer => ({
  status: code,
  body: { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message, details },
})

export const listAnswer = (items: readonly KubeObject[], resourceVersion = '1'): Answer => ({
  body: { kind: 'List', metadata: { resourceVersion }, items },
})

/** One line of a watch. */
export const watchLine = (type: string, object: unknown): string => `${JSON.stringify({ type, object })}\n`

/** Starts the server on a free port of loopback, with a kubeconfig for it. */
export async function startProtocolServer(handler: Handler = () => undefined): Promise<ProtocolServer> {
  const folder = await mkdtemp(join(tmpdir(), 'local-cloud-protocol-'))
  const requests: SeenRequest[] = []
  const server = createServer((incoming, response) => {
    void answer(incoming, response)
  })
  const answer = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    const url = new URL(incoming.url ?? '/', 'http://server')
    const request: SeenRequest = {
      method: incoming.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      headers: incoming.headers,
      body: Buffer.concat(chunks).toString('utf8'),
    }
    requests.push(request)
    const own = served[url.pathname as keyof typeof served] as unknown
    const given = await protocol.handler(request, response)
    const reply =
      given ??
      (own === undefined
        ? refusal(404, 'NotFound', `the server could not find ${url.pathname}`)
        : { body: { kind: 'APIGroupDiscoveryList', items: own } })
    if (reply === 'streamed') return
    response.writeHead(reply.status ?? 200, { 'content-type': 'application/json', ...reply.headers })
    response.end(typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body))
  }
  let port = 0
  const listen = (): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', () => {
        port = (server.address() as AddressInfo).port
        resolve()
      })
    })
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server.closeAllConnections()
      server.close(() => {
        resolve()
      })
    })
  await listen()
  const url = `http://127.0.0.1:${String(port)}`
  const kubeconfigFile = join(folder, 'kubeconfig')
  await writeFile(
    kubeconfigFile,
    JSON.stringify({
      'current-context': 'test',
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
      clusters: [{ name: 'test', cluster: { server: url } }],
      users: [{ name: 'test', user: { token: 'test-token' } }],
    }),
  )
  const protocol: ProtocolServer = {
    kubeconfigFile,
    url,
    requests,
    http: server,
    handler,
    listen,
    stop,
    async [Symbol.asyncDispose]() {
      await stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
  return protocol
}
