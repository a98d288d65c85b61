import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { resolvePaths } from '../../bootstrap/state/paths.ts'
import { freePort } from '../../bootstrap/host/free-port.ts'

const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..')
/** What was built is shared with the checkout's own clusters. */
const { cacheDir } = resolvePaths(repository, {}, process.env, repository)

export interface Ended {
  exitCode: number
  stdout: string
  stderr: string
  /** Milliseconds. */
  ms: number
}

type Command = 'up' | 'down' | 'status' | 'logs' | 'bundle'

/** What one of our commands with `--json` printed: events and, last, its result. */
export interface Line {
  type: string
  step?: string
  title?: string
  message?: string
  [field: string]: unknown
}

/** A cluster name, ports and a state directory that nobody else uses; on disposal the cluster and the directory are gone. */
export interface OwnCluster extends AsyncDisposable {
  name: string
  httpPort: number
  httpsPort: number
  stateDir: string
  /** Runs a command of the tool on this cluster with `--json`. */
  command(command: Command, flags?: readonly string[], env?: Record<string, string>): Promise<Ended>
  /** The same, started only; for signals. */
  start(
    command: Command,
    flags?: readonly string[],
    env?: Record<string, string>,
  ): { ended: Promise<Ended>; kill(signal: NodeJS.Signals): void }
}

/** Reserves the names; nothing is made before a command runs. */
export async function ownCluster(purpose: string): Promise<OwnCluster> {
  const stateDir = await mkdtemp(path.join(tmpdir(), `local-cloud-${purpose}-`))
  const name = `${purpose}-${Math.random().toString(36).slice(2, 6)}`
  const [httpPort, httpsPort] = await Promise.all([freePort(), freePort()])
  const start: OwnCluster['start'] = (command, flags = [], env = {}) => {
    const started = performance.now()
    const places = [
      ...(command === 'bundle' ? [] : ['--name', name]),
      ...(flags.includes('--state-dir') ? [] : ['--state-dir', stateDir]),
      ...(flags.includes('--cache-dir') ? [] : ['--cache-dir', cacheDir]),
    ]
    // An existing cluster has its ingress where its owner wants it.
    const ports =
      command === 'up' && !flags.includes('existing')
        ? ['--http-port', String(httpPort), '--https-port', String(httpsPort)]
        : []
    let kill: (signal: NodeJS.Signals) => void = () => undefined
    const ended = new Promise<Ended>((resolve) => {
      const child = execFile(
        process.execPath,
        [path.join(repository, 'bootstrap', `${command}.mjs`), '--json', ...places, ...ports, ...flags],
        { cwd: repository, maxBuffer: 256 * 1024 * 1024, env: { ...process.env, ...env } },
        (_, stdout, stderr) => {
          resolve({
            exitCode: child.exitCode ?? -1,
            stdout,
            stderr,
            ms: Math.round(performance.now() - started),
          })
        },
      )
      kill = (signal) => {
        child.kill(signal)
      }
    })
    return {
      ended,
      kill: (signal) => {
        kill(signal)
      },
    }
  }
  return {
    name,
    httpPort,
    httpsPort,
    stateDir,
    start,
    command(command, flags, env) {
      return start(command, flags, env).ended
    },
    async [Symbol.asyncDispose]() {
      await start('down').ended
      await rm(stateDir, { recursive: true, force: true })
    },
  }
}

/** Lines of `--json` output. */
export const linesOf = ({ stdout }: Ended): Line[] =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line)
