import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parse, stringify } from 'yaml'
import { apiStatus } from '../../bootstrap/kube/api-status.ts'
import { connectionFrom, type Connection } from '../../bootstrap/kube/connection.ts'
import { http, type ApiRequest } from '../../bootstrap/kube/http.ts'
import type { Cluster } from './cluster.ts'

/** What the API server said, whatever it was. */
export interface ApiAnswer {
  status: number
  body: string
  /** Of a refusal, in the server's words; empty otherwise. */
  message: string
}

/**
 * Requests that the client of the product has no words for: subresources such as `eviction` and `token`, reviews, and everything under the
 * identity of an account. No refusal is thrown; what only asks, GETs and reviews, is sent again while the server cannot answer.
 */
export interface ApiCaller extends Disposable {
  /** @throws LocalCloudError API_UNREACHABLE when there is no answer */
  call(request: ApiRequest): Promise<ApiAnswer>
}

type Place = Pick<Cluster, 'kubeconfigFile' | 'context'>

/** Calls as whoever the cluster's kubeconfig names, who may do everything. */
export async function adminCaller({ kubeconfigFile, context }: Place): Promise<ApiCaller> {
  return callerOf(await connectionFrom({ file: kubeconfigFile }, context))
}

/** Calls with a bearer token and with nothing else that the kubeconfig has. The token is on disk for a moment, for this user alone. */
export async function tokenCaller({ kubeconfigFile, context }: Place, token: string): Promise<ApiCaller> {
  const text = await readFile(kubeconfigFile, 'utf8')
  const folder = await mkdtemp(path.join(tmpdir(), 'local-cloud-token-'))
  try {
    const file = path.join(folder, 'kubeconfig')
    const content = withToken(text, { context, token, directory: path.dirname(path.resolve(kubeconfigFile)) })
    await writeFile(file, content, { mode: 0o600 })
    return callerOf(await connectionFrom({ file }, context))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

interface Kubeconfig {
  clusters?: { name: string; cluster: Record<string, unknown> }[]
  contexts?: { name: string; context: { cluster: string } }[]
}

/**
 * A kubeconfig of this one context whose user has the token and nothing else. Files that the cluster's entry names relative to
 * `directory` are named in full.
 * @throws Error when the kubeconfig does not have the context
 */
export function withToken(
  text: string,
  { context, token, directory }: { context: string; token: string; directory: string },
): string {
  const config = parse(text) as Kubeconfig
  const chosen = config.contexts?.find(({ name }) => name === context)?.context.cluster
  const cluster = config.clusters?.find(({ name }) => name === chosen)?.cluster
  if (!cluster) throw new Error(`The kubeconfig has no context ${context} with a cluster.`)
  const authority = cluster['certificate-authority']
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': context,
    clusters: [
      {
        name: 'cluster',
        cluster: {
          ...cluster,
          ...(typeof authority === 'string'
            ? { 'certificate-authority': path.resolve(directory, authority) }
            : {}),
        },
      },
    ],
    users: [{ name: 'account', user: { token } }],
    contexts: [{ name: context, context: { cluster: 'cluster', user: 'account' } }],
  })
}

function callerOf(connection: Connection): ApiCaller {
  const web = http(connection)
  return {
    async call(request) {
      const asksOnly = request.method === 'GET' || /reviews$/.test(request.path)
      const { status, body } = await (asksOnly ? web.send(request) : web.sendOnce(request))
      return { status, body, message: status < 400 ? '' : apiStatus(status, body).message }
    },
    [Symbol.dispose]() {
      connection.close()
    },
  }
}
