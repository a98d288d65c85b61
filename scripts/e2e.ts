import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { readFileSync } from 'node:fs'
import { resolvePaths } from '../bootstrap/state/paths.ts'
import { refWords } from '../bootstrap/steps/objects.ts'
import { criteriaOf, systemsWithCriteria } from '../e2e/criteria/criteria.ts'
import { attach, choiceFromEnvironment, clusterVariables } from '../e2e/harness/cluster.ts'
import { keepVariable } from '../e2e/harness/keep.ts'
import { profileVariable } from '../e2e/harness/profile.ts'
import { patternOf } from '../e2e/harness/reference.ts'
import { runId, runLabel } from '../e2e/harness/run-id.ts'
import { givePriority, takePriority } from '../e2e/harness/run-priority.ts'
import { leftBy, sweep } from '../e2e/harness/sweep.ts'
import { CheckBroke } from '../e2e/harness/verdict.ts'
import { readReport } from '../e2e/run/read-report.ts'
import { interruption } from '../e2e/run/interruption.ts'
import { runTests } from '../e2e/run/run-tests.ts'
import { suites } from '../e2e/suites.ts'
import { listing } from './e2e-list.ts'
import { runE2eScript } from './e2e-main.ts'
import { help, parseOptions, type E2eOptions } from './e2e-options.ts'
import { summarize } from './e2e-summary.ts'

const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')

/** How long removing what a run left may take, milliseconds. */
const sweepMs = 240_000

/** Runs a script of ours under this Node.js, its output shown as it comes. Returns its exit code. */
function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const child = spawn(process.execPath, argv, { cwd: repository, stdio: 'inherit' })
  const pass = (): void => {
    child.kill('SIGINT')
  }
  signal.addEventListener('abort', pass, { once: true })
  return new Promise<number>((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code, by) => {
      signal.removeEventListener('abort', pass)
      resolve(code ?? 128 + (by === null ? 0 : constants.signals[by]))
    })
  })
}

function tellWorkers(options: E2eOptions): void {
  const { env } = process
  env[clusterVariables.name] = options.name
  env[clusterVariables.allowForeign] = options.allowForeign ? '1' : '0'
  env[profileVariable] = options.profile
  if (options.keep) env[keepVariable] = '1'
  if (options.ingressUrl !== undefined) env[clusterVariables.ingressUrl] = options.ingressUrl
  if (options.stateDir !== undefined) env['LOCAL_CLOUD_STATE_DIR'] = options.stateDir
  runId(env)
}

/** The plan by which the state directory knows the cluster. */
function planOf(
  name: string,
  stateDir: string | undefined,
): { provider?: string; systems?: { name: string }[] } | undefined {
  const paths = resolvePaths(
    repository,
    stateDir === undefined ? {} : { stateDir },
    process.env,
    process.cwd(),
  )
  try {
    const file = path.join(paths.stateDir, 'clusters', name, 'plan.json')
    return JSON.parse(readFileSync(file, 'utf8')) as ReturnType<typeof planOf>
  } catch {
    return undefined
  }
}

/** Whether the state directory knows the cluster as one that somebody else made. */
const isShared = (name: string, stateDir: string | undefined): boolean =>
  planOf(name, stateDir)?.provider === 'existing'

const systemsOn = (name: string, stateDir: string | undefined): string[] | undefined =>
  planOf(name, stateDir)?.systems?.map((system) => system.name)

/** Whether the cluster is there and answers. @throws CheckBroke when it is, but may not be tested. */
async function clusterAnswers(options: E2eOptions): Promise<boolean> {
  try {
    const { record, name } = await attach(choiceFromEnvironment(), AbortSignal.timeout(10_000))
    const { provider } = options
    if (provider !== undefined && record !== undefined && record.plan.provider !== provider)
      throw new CheckBroke(`The cluster ${name} was made by ${record.plan.provider}, not by ${provider}.`)
    if (record?.plan.provider === 'existing' && options.profile !== 'shared')
      throw new CheckBroke(`Others work on the cluster ${name}: only the profile shared is safe there.`)
    return true
  } catch (error) {
    if (error instanceof CheckBroke && !error.message.startsWith('There is no cluster')) throw error
    return false
  }
}

/** Gives the pods of the run a priority of their own. A cluster that does not take it is told of by the canaries. */
async function prioritize(signal: AbortSignal): Promise<void> {
  const soon = AbortSignal.any([signal, AbortSignal.timeout(30_000)])
  try {
    const { kube, runId: id } = await attach(choiceFromEnvironment(), soon)
    await givePriority(kube, id, soon)
  } catch (error) {
    if (signal.aborted) return
    process.stderr.write(
      `The pods of this run have no priority of their own: ${error instanceof Error ? error.message : String(error)}\n`,
    )
  }
}

/** What vitest is to take by its title; the canaries are always among it. */
function patternFor({ test, only }: E2eOptions): string | undefined {
  const canaries = '^ ?canary '
  if (only.length > 0) return `${patternOf(only)}|${canaries}`
  return test === undefined ? undefined : `(?:${test})|${canaries}`
}

/** Removes what tests left behind, or says what stays; tests that end well leave nothing. */
async function tidy(options: E2eOptions): Promise<void> {
  const signal = AbortSignal.timeout(sweepMs)
  const { kube, runId: id, kubeconfigFile } = await attach(choiceFromEnvironment(), signal)
  if (options.keep) {
    const left = await leftBy(kube, id, signal)
    if (left.length === 0) return
    process.stderr.write(
      `Kept on the cluster: ${left.map(refWords).join(', ')}\nLater: kubectl --kubeconfig ${kubeconfigFile} delete namespaces,pods,priorityclasses -A -l ${runLabel}=${id}\n`,
    )
    return
  }
  await takePriority(kube, id, signal)
  const swept = await sweep(kube, id, signal)
  if (swept.length > 0)
    process.stderr.write(`Removed what tests had left: ${swept.map(refWords).join(', ')}\n`)
}

async function main(): Promise<number> {
  const criteria = new Map(
    systemsWithCriteria()
      .flatMap(criteriaOf)
      .map(({ id, tests, controls }) => [id, [...tests, ...controls]]),
  )
  const options = parseOptions(process.argv.slice(2), { suites, criteria, isShared, systemsOn })
  if (options.action === 'help') {
    process.stdout.write(help)
    return 0
  }
  tellWorkers(options)
  const { paths } = choiceFromEnvironment()
  const directory = options.reportDir ?? path.join(paths.stateDir, 'e2e-report')
  if (options.action === 'summary') return tell(directory)
  if (options.action === 'list') {
    process.stdout.write(await listing(options, patternFor(options)))
    return 0
  }

  const { signal, exitCode: interrupted } = interruption()
  if (!(await clusterAnswers(options))) {
    if (!options.up)
      throw new CheckBroke(`There is no cluster ${options.name} that answers, and --no-up was given.`)
    process.stderr.write(`There is no cluster ${options.name} that answers; bringing one up.\n`)
    const up = ['bootstrap/up.mjs', '--plain', '--name', options.name, '--state-dir', paths.stateDir]
    const given = { provider: options.provider, context: options.context, kubeconfig: options.kubeconfig }
    const flags = Object.entries({
      ...given,
      system: options.systems?.join(','),
      ...(options.provider === 'existing' ? { 'ingress-url': options.ingressUrl } : {}),
    }).flatMap(([flag, value]) => (value === undefined ? [] : [`--${flag}`, value]))
    const exitCode = await run([...up, ...flags], signal)
    if (exitCode !== 0) return exitCode
  }

  const pattern = patternFor(options)
  let untidy: string | undefined
  try {
    if (options.profile !== 'shared') await prioritize(signal)
    await runTests({
      suites: options.suites,
      directory,
      signal,
      ...(pattern === undefined ? {} : { pattern }),
    })
  } finally {
    // What the tests saw is told all the same: on a broken cluster nothing may go away, as namespaces while an API does not answer.
    untidy = await tidy(options).then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    )
  }
  const exitCode = tell(directory)
  if (untidy !== undefined)
    process.stderr.write(`Not everything that tests had left could be removed: ${untidy}\n`)
  if (signal.aborted) return interrupted()
  return untidy === undefined ? exitCode : Math.max(1, exitCode)
}

function tell(directory: string): number {
  const { lines, exitCode } = summarize(readReport(directory), directory)
  process.stdout.write(`${lines.join('\n')}\n`)
  return exitCode
}

await runE2eScript(main)
