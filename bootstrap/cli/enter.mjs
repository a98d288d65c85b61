// Runs under Node 20 before any dependency is installed: plain JavaScript, Node's built-in modules only.
import { realpathSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { formatProblem } from '../report/format-problem.mjs'
import { SetupError, ensureDependencies, runUnderNewNode } from '../self-setup.mjs'
import { parseArguments, repository } from './arguments.mjs'

/** Exit code of the `usage` family, as in `errors/local-cloud-error.ts`. */
const usageExitCode = 2

/**
 * What every entry script does: answers `--help` and refuses wrong arguments at once, then sets up what is missing and runs
 * the command under a Node.js that can.
 * @param {import('./commands.mjs').CommandName} command
 * @param {string} scriptUrl the entry script's `import.meta.url`
 */
export async function enter(command, scriptUrl) {
  const argv = argumentsAfter(fileURLToPath(scriptUrl), process.argv)
  const parsed = parseArguments(command, argv)
  if (parsed.kind === 'print') {
    process.stdout.write(parsed.text)
    return
  }
  const json = parsed.kind === 'refused' ? parsed.json : parsed.values.json === true
  if (parsed.kind === 'refused') {
    fail(parsed.problem, usageExitCode, json)
    return
  }
  try {
    await ensureDependencies(repository, (line) => process.stderr.write(`${line}\n`))
    await runUnderNewNode(repository, path.join(repository, 'bootstrap', 'cli', 'main.ts'), [
      command,
      ...argv,
    ])
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    fail(error.problem, error.exitCode, json)
  }
}

/**
 * What follows the script among the arguments of the process. zx puts itself and its own flags before it.
 * @param {string} script @param {readonly string[]} argv
 */
export function argumentsAfter(script, argv) {
  const wanted = realPath(script)
  const index = argv.findIndex((word, position) => position > 0 && realPath(path.resolve(word)) === wanted)
  return argv.slice(index === -1 ? 2 : index + 1)
}

/** @param {string} file */
function realPath(file) {
  try {
    return realpathSync(file)
  } catch {
    return file
  }
}

/** @param {import('../report/format-problem.mjs').Problem} problem @param {number} exitCode @param {boolean} json */
function fail(problem, exitCode, json) {
  if (json)
    process.stdout.write(
      `${JSON.stringify({ at: new Date().toISOString(), type: 'error', exitCode, ...problem })}\n`,
    )
  else process.stderr.write(formatProblem(problem))
  process.exitCode = exitCode
}
