import { spawn } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { constants } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { attach, choiceFromEnvironment, clusterVariables } from '../e2e/harness/cluster.ts'
import { runId } from '../e2e/harness/run-id.ts'
import { CheckBroke } from '../e2e/harness/verdict.ts'
import { reportVariable, type RunReport } from '../e2e/report/run-report.ts'
import { help, parseOptions, suitesIn, type E2eOptions } from './e2e-options.ts'
import { summarize } from './e2e-summary.ts'

const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')

/** Runs a script of ours under this Node.js, its output shown as it comes; signals are passed on. Returns its exit code. */
async function run(argv: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, argv, { cwd: repository, stdio: 'inherit' })
  const pass = (signal: NodeJS.Signals): void => {
    child.kill(signal)
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, pass)
  try {
    return await new Promise<number>((resolve, reject) => {
      child.on('error', reject)
      child.on('exit', (code, signal) => {
        resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]))
      })
    })
  } finally {
    for (const signal of signals) process.off(signal, pass)
  }
}

function tellWorkers(options: E2eOptions): void {
  const { env } = process
  env[clusterVariables.name] = options.name
  env[clusterVariables.allowForeign] = options.allowForeign ? '1' : '0'
  if (options.ingressUrl !== undefined) env[clusterVariables.ingressUrl] = options.ingressUrl
  if (options.stateDir !== undefined) env['LOCAL_CLOUD_STATE_DIR'] = options.stateDir
  runId(env)
}

/** Whether the cluster is there and answers. @throws CheckBroke when it is, but may not be tested. */
async function clusterAnswers(): Promise<boolean> {
  try {
    await attach(choiceFromEnvironment(), AbortSignal.timeout(10_000))
    return true
  } catch (error) {
    if (error instanceof CheckBroke && !error.message.startsWith('There is no cluster')) throw error
    return false
  }
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2), suitesIn(path.join(repository, 'e2e', 'suites')))
  if (options === 'help') {
    process.stdout.write(help)
    return 0
  }
  tellWorkers(options)
  const { paths } = choiceFromEnvironment()
  const directory = options.reportDir ?? path.join(paths.stateDir, 'e2e-report')
  process.env[reportVariable] = directory
  rmSync(path.join(directory, 'report.json'), { force: true })

  if (!(await clusterAnswers())) {
    if (!options.up)
      throw new CheckBroke(`There is no cluster ${options.name} that answers, and --no-up was given.`)
    process.stderr.write(`There is no cluster ${options.name} that answers; bringing one up.\n`)
    const exitCode = await run([
      'bootstrap/up.mjs',
      '--plain',
      '--name',
      options.name,
      '--state-dir',
      paths.stateDir,
    ])
    if (exitCode !== 0) return exitCode
  }

  const exitCode = await run([
    'node_modules/vitest/vitest.mjs',
    'run',
    '--root=e2e',
    ...options.suites.map((suite) => `suites/${suite}.e2e.test.ts`),
    ...(options.test === undefined ? [] : ['--testNamePattern', options.test]),
  ])
  const interrupted = exitCode > 128
  const summary = summarize(readReport(path.join(directory, 'report.json')), directory)
  process.stdout.write(`${summary.lines.join('\n')}\n`)
  return interrupted ? exitCode : summary.exitCode
}

function readReport(file: string): RunReport | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as RunReport
  } catch {
    return undefined
  }
}

try {
  process.exitCode = await main()
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = error instanceof CheckBroke ? 1 : 2
}
