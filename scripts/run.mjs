// Runs under Node 20 before any dependency is installed: plain JavaScript, Node's built-in modules only.
// node scripts/run.mjs TARGET [ARGUMENTS]: sets up what is missing, then runs a script of ours (a path) or a program of a
// dependency (its name) under a Node.js that can, in the repository.
import { existsSync, realpathSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { formatProblem } from '../bootstrap/report/format-problem.mjs'
import { SetupError, ensureDependencies, runUnderNewNode } from '../bootstrap/self-setup.mjs'

const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const [target = '', ...argv] = process.argv.slice(2)

try {
  await ensureDependencies(repository, (line) => process.stderr.write(`${line}\n`))
  const program = path.join(repository, 'node_modules', '.bin', target)
  const script = path.resolve(repository, target)
  process.chdir(repository)
  await runUnderNewNode(repository, existsSync(script) ? script : realpathSync(program), argv)
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  process.stderr.write(formatProblem(error.problem))
  process.exitCode = error.exitCode
}
