import { readFileSync } from 'node:fs'
import { Agent as HttpAgent, type Agent } from 'node:http'
import { Agent as HttpsAgent, type AgentOptions } from 'node:https'
import { dirname, resolve } from 'node:path'
import type { KubeConfig } from '@kubernetes/client-node'
import { parse } from 'yaml'
import { LocalCloudError } from '../errors/local-cloud-error.ts'

/** What a request needs besides its path. */
export interface RequestAuth {
  agent: Agent
  headers: Record<string, string>
  /** `user:password` for kubeconfigs that still have them. */
  auth?: string
}

/** How to reach one API server: what a kubeconfig's context says. */
export interface Connection {
  context: string
  /** Base address without a trailing slash. */
  server: string
  /** Current credentials; plugins may renew them between calls. */
  auth(): Promise<RequestAuth>
  /** What client-node's websocket classes ask of their configuration. */
  forClientNode(): KubeConfig
  close(): void
}

interface NamedEntry {
  name?: string
  cluster?: Record<string, unknown>
  user?: Record<string, unknown>
  context?: { cluster?: string; user?: string }
}

interface KubeconfigFile {
  clusters?: NamedEntry[]
  users?: NamedEntry[]
  contexts?: NamedEntry[]
  'current-context'?: string
}

/** Fields whose meaning is plain; a kubeconfig with others (exec plugins, proxies, passwords) is left to client-node. */
const plainClusterFields = new Set([
  'server',
  'certificate-authority',
  'certificate-authority-data',
  'insecure-skip-tls-verify',
  'tls-server-name',
])
const plainUserFields = new Set([
  'client-certificate',
  'client-certificate-data',
  'client-key',
  'client-key-data',
  'token',
])

/** A kubeconfig as a file, or as text that names files by absolute paths. */
export type KubeconfigSource = { file: string } | { text: string }

/**
 * Reads a context of a kubeconfig. Certificates and tokens, which is what clusters of this tool have, are read here, since
 * loading client-node costs up to a second on a busy machine; every other way to authenticate is left to client-node.
 * @throws LocalCloudError BAD_KUBECONFIG with file and field.
 */
export async function connectionFrom(source: KubeconfigSource, context?: string): Promise<Connection> {
  const called = 'file' in source ? `The kubeconfig ${source.file}` : 'The kubeconfig'
  const bad = (problem: string, cause?: unknown): LocalCloudError =>
    new LocalCloudError('BAD_KUBECONFIG', { message: `${called} ${problem}.`, cause })
  let config: KubeconfigFile | null
  try {
    config = parse(
      'file' in source ? readFileSync(source.file, 'utf8') : source.text,
    ) as KubeconfigFile | null
  } catch (error) {
    throw bad('cannot be read', error)
  }
  if (typeof config !== 'object' || config === null) throw bad('is not a kubeconfig')
  const contextName = context ?? config['current-context'] ?? ''
  if (contextName === '') throw bad('has no current-context')
  const chosen = config.contexts?.find((entry) => entry.name === contextName)?.context
  if (!chosen) throw bad(`has no context "${contextName}"`)
  const cluster = config.clusters?.find((entry) => entry.name === chosen.cluster)?.cluster
  if (!cluster)
    throw bad(`has no cluster "${String(chosen.cluster)}", which the context "${contextName}" names`)
  const user = config.users?.find((entry) => entry.name === chosen.user)?.user ?? {}
  const server = text(cluster['server'])?.replace(/\/+$/, '')
  if (server === undefined || !URL.canParse(server))
    throw bad(`has no valid server address in the cluster "${String(chosen.cluster)}"`)

  const plain =
    Object.keys(cluster).every((field) => plainClusterFields.has(field)) &&
    Object.keys(user).every((field) => plainUserFields.has(field))
  if (!plain) return throughClientNode(source, contextName, server, bad)
  const directory = 'file' in source ? dirname(resolve(source.file)) : '/'
  try {
    return plainConnection(contextName, server, cluster, user, directory)
  } catch (error) {
    throw bad('names a certificate or key file that cannot be read', error)
  }
}

function plainConnection(
  context: string,
  server: string,
  cluster: Record<string, unknown>,
  user: Record<string, unknown>,
  directory: string,
): Connection {
  const pem = (source: Record<string, unknown>, field: string): Buffer | undefined => {
    const data = text(source[`${field}-data`])
    if (data !== undefined) return Buffer.from(data, 'base64')
    const file = text(source[field])
    return file === undefined ? undefined : readFileSync(resolve(directory, file))
  }
  const ca = pem(cluster, 'certificate-authority')
  const cert = pem(user, 'client-certificate')
  const key = pem(user, 'client-key')
  const serverName = text(cluster['tls-server-name'])
  const tls: AgentOptions = {
    keepAlive: true,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(serverName === undefined ? {} : { servername: serverName }),
    ...(cluster['insecure-skip-tls-verify'] === true ? { rejectUnauthorized: false } : {}),
  }
  const agent = server.startsWith('https:') ? new HttpsAgent(tls) : new HttpAgent({ keepAlive: true })
  const token = text(user['token'])
  const auth: RequestAuth = {
    agent,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  }
  const clientNodeConfig = {
    getCurrentCluster: () => ({ name: context, server, skipTLSVerify: true }),
    applyToHTTPSOptions: (options: Record<string, unknown>) => {
      Object.assign(options, { agent, headers: { ...auth.headers } })
      return Promise.resolve()
    },
  }
  return {
    context,
    server,
    auth: () => Promise.resolve(auth),
    forClientNode: () => clientNodeConfig as unknown as KubeConfig,
    close: () => {
      agent.destroy()
    },
  }
}

async function throughClientNode(
  source: KubeconfigSource,
  context: string,
  server: string,
  bad: (problem: string, cause?: unknown) => LocalCloudError,
): Promise<Connection> {
  const { KubeConfig } = await import('@kubernetes/client-node')
  const config = new KubeConfig()
  try {
    if ('file' in source) config.loadFromFile(source.file)
    else config.loadFromString(source.text)
    config.setCurrentContext(context)
  } catch (error) {
    throw bad('was not understood', error)
  }
  let agent: Agent | undefined
  return {
    context,
    server,
    async auth() {
      const options: { agent?: unknown; headers?: Record<string, string>; auth?: string } = {}
      try {
        await config.applyToHTTPSOptions(options as Parameters<typeof config.applyToHTTPSOptions>[0])
      } catch (error) {
        throw bad('has credentials that could not be obtained', error)
      }
      agent = options.agent as Agent
      return {
        agent,
        headers: options.headers ?? {},
        ...(options.auth === undefined ? {} : { auth: options.auth }),
      }
    },
    forClientNode: () => config,
    close: () => {
      agent?.destroy()
    },
  }
}

const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined
