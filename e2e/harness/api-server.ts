import { spawn, type ChildProcess } from 'node:child_process'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { findBuiltProgram } from './built-program.ts'

/** A real etcd and kube-apiserver on loopback, without nodes. Leaving its scope (`await using`) ends and removes all of it. */
export interface ApiServer extends AsyncDisposable {
  /** `https://127.0.0.1:PORT` */
  readonly url: string
  /** A kubeconfig with context `api-server`, whose user may do everything. */
  readonly kubeconfigFile: string
  readonly token: string
  /** Kills the API server and leaves etcd, as a crash would; `start` brings it back on the same port. */
  crash(): Promise<void>
  start(signal: AbortSignal): Promise<void>
}

export interface ApiServerOptions {
  /** The multicall binary: etcd, kube-apiserver and kube-controller-manager by the name they are called by. */
  binary: string
  /** Controllers to run beside it, by their names in the controller-manager; default none. */
  controllers?: readonly string[]
  signal: AbortSignal
}

/** How long the server may take until it says that it is ready, milliseconds; on two busy cores it takes five to ten seconds. */
const readyTimeoutMs = 60_000

/**
 * The multicall binary that LOCAL_CLOUD_KUBERNETES_BINARY names, or the newest one that the component cache below
 * `cacheDir` holds; undefined when there is none.
 */
export const findKubernetesBinary = (cacheDir: string): string | undefined =>
  findBuiltProgram(cacheDir, {
    component: 'kubernetes',
    program: 'kubernetes',
    variable: 'LOCAL_CLOUD_KUBERNETES_BINARY',
  })

/**
 * Starts etcd, the API server with RBAC and a token, and the wanted controllers, all in a temporary folder.
 * @throws Error with the end of the log of the program that did not come up
 */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { binary, controllers = [], signal } = options
  const folder = await mkdtemp(join(tmpdir(), 'local-cloud-api-'))
  const running = new Map<string, Program>()
  const [clientPort, peerPort, apiPort] = await freePorts(3)
  const etcd = `http://127.0.0.1:${String(clientPort)}`
  const peer = `http://127.0.0.1:${String(peerPort)}`
  const url = `https://127.0.0.1:${String(apiPort)}`
  const token = randomBytes(16).toString('hex')
  const file = (name: string): string => join(folder, name)

  const dispose = async (): Promise<void> => {
    await Promise.all([...running.values()].map((program) => program.end()))
    await rm(folder, { recursive: true, force: true })
  }
  const run = (name: string, argv: readonly string[]): Program => {
    const program = startProgram(binary, name, argv)
    running.set(name, program)
    return program
  }

  const start = async (stop: AbortSignal): Promise<void> => {
    const program = run('kube-apiserver', [
      `--etcd-servers=${etcd}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${String(apiPort)}`,
      `--cert-dir=${file('certs')}`,
      '--service-cluster-ip-range=10.96.0.0/16',
      '--authorization-mode=RBAC',
      `--token-auth-file=${file('tokens.csv')}`,
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${file('service-accounts.pub')}`,
      `--service-account-signing-key-file=${file('service-accounts.key')}`,
      '--shutdown-delay-duration=0s',
    ])
    await untilReady(url, token, program, stop)
  }

  try {
    const { publicKey, privateKey } = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    })
    await Promise.all([
      writeFile(file('service-accounts.pub'), publicKey),
      writeFile(file('service-accounts.key'), privateKey, { mode: 0o600 }),
      writeFile(file('tokens.csv'), `${token},admin,admin,"system:masters"\n`, { mode: 0o600 }),
      writeFile(file('kubeconfig'), kubeconfig(url, file('certs/apiserver.crt'), token), { mode: 0o600 }),
    ])
    run('etcd', [
      `--data-dir=${file('etcd')}`,
      `--listen-client-urls=${etcd}`,
      `--advertise-client-urls=${etcd}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
      '--unsafe-no-fsync',
      '--log-level=error',
    ])
    await start(signal)
    if (controllers.length > 0) {
      run('kube-controller-manager', [
        `--kubeconfig=${file('kubeconfig')}`,
        `--controllers=${controllers.join(',')}`,
        '--leader-elect=false',
        '--secure-port=0',
      ])
    }
  } catch (error) {
    await dispose()
    throw error
  }
  return {
    url,
    token,
    kubeconfigFile: file('kubeconfig'),
    start,
    async crash() {
      await running.get('kube-apiserver')?.end('SIGKILL')
    },
    [Symbol.asyncDispose]: dispose,
  }
}

interface Program {
  readonly name: string
  /** The end of what it wrote. */
  log(): string
  exited(): boolean
  end(by?: NodeJS.Signals): Promise<void>
}

function startProgram(binary: string, name: string, argv: readonly string[]): Program {
  const child: ChildProcess = spawn(binary, argv, { argv0: name, stdio: ['ignore', 'pipe', 'pipe'] })
  let log = ''
  const keep = (chunk: Buffer): void => {
    log = (log + chunk.toString('utf8')).slice(-4_000)
  }
  child.stdout?.on('data', keep)
  child.stderr?.on('data', keep)
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => {
      resolve()
    })
    child.once('error', (error) => {
      log += error.message
      resolve()
    })
  })
  const exited = (): boolean =>
    child.exitCode !== null || child.signalCode !== null || child.pid === undefined
  return {
    name,
    log: () => log,
    exited,
    async end(by = 'SIGTERM') {
      if (exited()) return
      child.kill(by)
      const forced = setTimeout(() => child.kill('SIGKILL'), 5_000)
      await gone
      clearTimeout(forced)
    },
  }
}

async function untilReady(url: string, token: string, program: Program, signal: AbortSignal): Promise<void> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(readyTimeoutMs)])
  while (!(await isReady(url, token))) {
    if (program.exited()) throw new Error(`${program.name} ended:\n${program.log()}`)
    if (deadline.aborted) throw new Error(`${program.name} was not ready in time:\n${program.log()}`)
    await delay(100)
  }
}

function isReady(url: string, token: string): Promise<boolean> {
  return new Promise((resolve) => {
    const options = {
      headers: { authorization: `Bearer ${token}` },
      rejectUnauthorized: false,
      timeout: 2_000,
    }
    const asked = request(`${url}/readyz`, options, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    asked.on('timeout', () => asked.destroy())
    asked.on('error', () => {
      resolve(false)
    })
    asked.end()
  })
}

const kubeconfig = (url: string, caFile: string, token: string): string => `apiVersion: v1
kind: Config
current-context: api-server
clusters:
  - name: api-server
    cluster:
      server: ${url}
      certificate-authority: ${caFile}
contexts:
  - name: api-server
    context:
      cluster: api-server
      user: admin
users:
  - name: admin
    user:
      token: ${token}
`

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      await new Promise<void>((resolve) => {
        server.listen(0, '127.0.0.1', resolve)
      })
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(
    servers.map(
      (server) =>
        new Promise<void>((resolve) => {
          server.close(() => {
            resolve()
          })
        }),
    ),
  )
  return ports
}

/** The OpenAPI document of one group and version as the server publishes it. */
export async function openApi(server: ApiServer, groupVersion: string): Promise<unknown> {
  const ca = await readFile(join(server.kubeconfigFile, '..', 'certs', 'apiserver.crt'))
  return await new Promise((resolve, reject) => {
    const options = { headers: { authorization: `Bearer ${server.token}` }, ca }
    request(`${server.url}/openapi/v3/${groupVersion}`, options, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8')
        if (response.statusCode === 200) resolve(JSON.parse(text))
        else
          reject(
            new Error(
              `/openapi/v3/${groupVersion}: HTTP ${String(response.statusCode)}: ${text.slice(0, 300)}`,
            ),
          )
      })
    })
      .on('error', reject)
      .end()
  })
}
