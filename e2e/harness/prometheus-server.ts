import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { freePort } from '../../bootstrap/host/free-port.ts'
import { findBuiltProgram } from './built-program.ts'
import { fromHere, prometheusApi, type PrometheusApi } from './prometheus-api.ts'

/** A real Prometheus on loopback with its data in a temporary folder. Leaving its scope (`await using`) ends and removes it. */
export interface PrometheusServer extends AsyncDisposable {
  readonly api: PrometheusApi
  /** Replaces the rule file; it is read within seconds, without a signal. */
  writeRules(text: string): Promise<void>
  /** The end of what it wrote. */
  log(): string
}

/**
 * `prometheus` or `promtool` as they were built from packages, or as LOCAL_CLOUD_PROMETHEUS_BINARY and LOCAL_CLOUD_PROMTOOL_BINARY name them.
 * @throws Error that says how to get them
 */
export function builtPrometheus(cacheDir: string, program: 'prometheus' | 'promtool'): string {
  const variable = `LOCAL_CLOUD_${program.toUpperCase()}_BINARY`
  const found = findBuiltProgram(cacheDir, { component: 'prometheus', program, variable })
  if (found !== undefined) return found
  throw new Error(
    `There is no ${program}: put the system zones on a cluster first (npx zx bootstrap/up.mjs --system zones --images packages), or name one in ${variable}.`,
  )
}

/** Starts it with scrape configurations, scraping and judging every 2 s. It may not answer yet. */
export async function startPrometheus(
  binary: string,
  { scrape, rules = 'groups: []\n' }: { scrape: readonly unknown[]; rules?: string },
): Promise<PrometheusServer> {
  const folder = await mkdtemp(join(tmpdir(), 'local-cloud-prometheus-'))
  const ruleFile = join(folder, 'rules.yaml')
  const port = await freePort()
  await writeFile(ruleFile, rules)
  await writeFile(
    join(folder, 'prometheus.yml'),
    stringify({
      global: { scrape_interval: '2s', scrape_timeout: '1s', evaluation_interval: '2s' },
      rule_files: [ruleFile],
      scrape_configs: scrape,
    }),
    // It may hold a token.
    { mode: 0o600 },
  )
  const child = spawn(
    binary,
    [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${String(port)}`,
      '--enable-feature=auto-reload-config',
      '--config.auto-reload-interval=2s',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let log = ''
  child.stderr.on('data', (chunk: Buffer) => {
    log = (log + chunk.toString('utf8')).slice(-4_000)
  })
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => {
      resolve()
    })
    child.once('error', (error) => {
      log += error.message
      resolve()
    })
  })
  return {
    api: prometheusApi(fromHere(`http://127.0.0.1:${String(port)}`)),
    writeRules: (text) => writeFile(ruleFile, text),
    log: () => log,
    async [Symbol.asyncDispose]() {
      child.kill()
      const forced = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await gone
      clearTimeout(forced)
      await rm(folder, { recursive: true, force: true })
    },
  }
}
