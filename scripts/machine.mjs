// Runs under Node 20 before any dependency is installed: plain JavaScript, Node's built-in modules only.
// The suites that make clusters, registries and API servers of their own. Arguments go to vitest.
import { spawnSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { formatProblem } from '../bootstrap/report/format-problem.mjs'
import { SetupError, ensureDependencies, nodeBinary } from '../bootstrap/self-setup.mjs'
import { testCounts } from './test-counts.mjs'

const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const resultsFile = path.join(tmpdir(), `local-cloud-machine-${String(process.pid)}.json`)

try {
  await ensureDependencies(repository, (line) => {
    console.error(line)
  })
  const node = nodeBinary(repository)
  const { status } = spawnSync(
    node,
    [
      'node_modules/vitest/vitest.mjs',
      'run',
      '--project',
      'machine',
      '--reporter=verbose',
      '--reporter=json',
      `--outputFile.json=${resultsFile}`,
      ...process.argv.slice(2),
    ],
    {
      cwd: repository,
      stdio: 'inherit',
      env: { ...process.env, PATH: `${path.dirname(node)}${path.delimiter}${process.env.PATH ?? ''}` },
    },
  )
  const { passed, failed } = testCounts(resultsFile)
  console.log(`\n${String(passed)} passed, ${String(failed)} failed`)
  process.exitCode = status === 0 ? 0 : 1
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  process.stderr.write(formatProblem(error.problem))
  process.exitCode = error.exitCode
}
