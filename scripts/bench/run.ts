import { spawn } from 'node:child_process'

export interface Ran {
  /** Time of day at which it was started, milliseconds. */
  startedAt: number
  ms: number
  stdout: string
  stderr: string
}

export interface RunOptions {
  signal: AbortSignal
  env?: Readonly<Record<string, string>>
  /** Called with every complete line of standard output. */
  onLine?: (line: string) => void
}

/**
 * Runs a program to its end and takes its time. The `signal` ends it with SIGTERM and it is waited for, so that it can clean up.
 * @throws Error with the command and its last lines when it does not end with 0
 */
export async function run(file: string, argv: readonly string[], options: RunOptions): Promise<Ran> {
  const { signal, env, onLine } = options
  signal.throwIfAborted()
  const startedAt = Date.now()
  const since = performance.now()
  const child = spawn(file, argv, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const stop = (): void => {
    child.kill('SIGTERM')
  }
  signal.addEventListener('abort', stop, { once: true })
  let stdout = ''
  let stderr = ''
  let rest = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) onLine?.(line)
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  try {
    const ending = await new Promise<string>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (code, killed) => {
        resolve(code === 0 ? '' : `exit code ${String(code ?? killed)}`)
      })
    })
    const ms = performance.now() - since
    signal.throwIfAborted()
    if (ending !== '') {
      const last = `${stdout}\n${stderr}`.trim().split('\n').slice(-25).join('\n')
      throw new Error(`${[file, ...argv].join(' ')} ended with ${ending}:\n${last}`)
    }
    return { startedAt, ms, stdout, stderr }
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
