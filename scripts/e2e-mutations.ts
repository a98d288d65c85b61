import { execFile } from 'node:child_process'
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import type { KubeObject } from '../bootstrap/kube/client.ts'
import { attach, choiceFromEnvironment, clusterVariables } from '../e2e/harness/cluster.ts'
import { duration } from '../e2e/harness/look.ts'
import { runId } from '../e2e/harness/run-id.ts'
import { givePriority, takePriority } from '../e2e/harness/run-priority.ts'
import { sweep } from '../e2e/harness/sweep.ts'
import { CheckBroke } from '../e2e/harness/verdict.ts'
import { systemAsUpHasIt } from '../e2e/harness/slate-objects.ts'
import { equivalent, mutations } from '../e2e/mutations/catalogue.ts'
import { mutationVariable, systemOf, type Mutation } from '../e2e/mutations/mutation.ts'
import {
  mutationFile,
  readMutations,
  type MutationReport,
  type MutationResult,
} from '../e2e/mutations/result.ts'
import { tryMutation } from '../e2e/mutations/try-mutation.ts'
import { interruption } from '../e2e/run/interruption.ts'
import { isAborted } from '../e2e/run/is-aborted.ts'
import { runTests } from '../e2e/run/run-tests.ts'
import { runE2eScript } from './e2e-main.ts'
import { help, parseMutationOptions } from './e2e-mutations-options.ts'

const listing = (chosen: readonly Mutation[]): string =>
  [
    ...chosen.map(
      ({ name, object, breaks, caughtBy }) => `${name} (${object}): ${breaks}\n  caught by ${caughtBy}`,
    ),
    ...(equivalent.length === 0 ? [] : ['', 'Changes that change no behaviour, and why:']),
    ...equivalent.map(({ name, reason }) => `${name}: ${reason}`),
    '',
  ].join('\n')

const say = (line: string): void => {
  process.stderr.write(`${line}\n`)
}

/** Writes these results beside those of earlier runs, which they replace by name. */
function write(results: readonly MutationResult[]): void {
  const file = mutationFile()
  const others = readMutations(file).filter(({ name }) => !results.some((one) => one.name === name))
  const known = others.filter(({ name }) => mutations.some((one) => one.name === name))
  mkdirSync(path.dirname(file), { recursive: true })
  const report: MutationReport = {
    format: 'local-cloud-e2e-mutations/1',
    at: new Date().toISOString(),
    results: [...known, ...results],
  }
  writeFileSync(`${file}.part`, `${JSON.stringify(report, undefined, 2)}\n`)
  renameSync(`${file}.part`, file)
}

/** What of a system is not on the cluster as `up` put it there; empty when all is. */
async function differences(name: string, system: string): Promise<string> {
  const { stateDir, repo } = choiceFromEnvironment().paths
  const argv = ['scripts/slate-diff.mjs', '--name', name, '--state-dir', stateDir, '--system', system]
  try {
    await promisify(execFile)(process.execPath, argv, { cwd: repo, maxBuffer: 10_000_000 })
    return ''
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    return onlyReplicas(stdout) ? '' : `${stdout}${stderr}`
  }
}

/** Whether a diff is of nothing but sizes: an autoscaler takes minutes to come back to its minimum. */
function onlyReplicas(diff: string): boolean {
  const lines = diff.split('\n').filter((line) => /^[-+](?![-+]{2} )/.test(line))
  return lines.length > 0 && lines.every((line) => /^[-+] +replicas: \d+$/.test(line))
}

async function main(): Promise<number> {
  const { action, chosen: asked, name, stateDir } = parseMutationOptions(process.argv.slice(2), mutations)
  if (action !== 'run') {
    process.stdout.write(action === 'help' ? help : listing(asked))
    return 0
  }
  process.env[clusterVariables.name] = name
  if (stateDir !== undefined) process.env['LOCAL_CLOUD_STATE_DIR'] = stateDir
  runId()
  const { signal, exitCode } = interruption()
  const cluster = await attach(
    choiceFromEnvironment(),
    AbortSignal.any([signal, AbortSignal.timeout(30_000)]),
  )
  if (cluster.record?.plan.provider === 'existing')
    throw new CheckBroke(
      `Not on a shared cluster: every change breaks what is on ${name}, and others may rely on it.`,
    )
  Reflect.deleteProperty(process.env, mutationVariable)
  // Of a system that is not on the cluster nothing can be changed.
  const systems = (cluster.record?.plan.systems ?? []).map((system) => system.name)
  const chosen = asked.filter((mutation) => systems.includes(systemOf(mutation)))
  if (chosen.length === 0)
    throw new CheckBroke(`The cluster ${name} has none of the systems that these changes are about.`)
  const rendered = new Map<string, readonly KubeObject[]>()
  for (const system of new Set(chosen.map(systemOf)))
    rendered.set(system, await systemAsUpHasIt(cluster, system, signal))
  const directory = path.join(path.dirname(mutationFile()), 'last-run')
  await givePriority(cluster.kube, cluster.runId, signal)
  say(`${String(chosen.length)} changes; first the canaries, on the cluster as it is.`)
  await runTests({ suites: ['canary'], directory, signal })

  const results: MutationResult[] = []
  for (const mutation of chosen) {
    if (signal.aborted) break
    say(
      `\n=== ${String(results.length + 1)} of ${String(chosen.length)}: ${mutation.name}: ${mutation.breaks}`,
    )
    const objects = rendered.get(systemOf(mutation)) ?? []
    const result = await tryMutation({ cluster, objects }, mutation, directory, signal)
    if (isAborted(signal)) break
    results.push(result)
    say(`=== ${result.outcome.toUpperCase()} after ${duration(result.durationMs)}: ${result.why}`)
    write(results)
  }
  await sweep(cluster.kube, cluster.runId, AbortSignal.timeout(240_000))
  await takePriority(cluster.kube, cluster.runId, AbortSignal.timeout(30_000))
  const changed = (await Promise.all([...rendered.keys()].map((system) => differences(name, system)))).join(
    '',
  )
  if (changed !== '') process.stdout.write(`The cluster is not as it was before:\n${changed}`)
  const caught = results.filter(({ outcome }) => outcome === 'caught')
  const missed = results.filter(({ outcome }) => outcome !== 'caught')
  for (const { name: which, outcome, why } of missed)
    process.stdout.write(`${outcome.toUpperCase()}: ${which}: ${why}\n`)
  process.stdout.write(
    `Score: ${String(caught.length)} of ${String(chosen.length)} changes caught; ${String(equivalent.length)} more change no behaviour (--list tells why).\n`,
  )
  process.stdout.write(`${String(caught.length)} passed, ${String(chosen.length - caught.length)} failed\n`)
  if (signal.aborted) return exitCode()
  return caught.length === chosen.length && chosen.length > 0 && changed === '' ? 0 : 1
}

await runE2eScript(main)
