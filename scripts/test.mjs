// Runs under Node 20 before any dependency is installed: plain JavaScript, Node's built-in modules only.
// Everything that can be checked without a cluster: types, lint, format, unit and protocol tests. Arguments go to vitest.
import { spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { formatProblem } from '../bootstrap/report/format-problem.mjs'
import { SetupError, ensureDependencies, nodeBinary } from '../bootstrap/self-setup.mjs'
import { testCounts } from './test-counts.mjs'

const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const resultsFile = path.join(tmpdir(), `local-cloud-tests-${String(process.pid)}.json`)

/** @type {{ name: string, target: string, argv: string[] }[]} */
const checks = [
  { name: 'types', target: 'node_modules/typescript-native/bin/tsc', argv: ['--noEmit', '-p', '.'] },
  { name: 'lint', target: 'node_modules/eslint/bin/eslint.js', argv: ['.', '--max-warnings=0'] },
  {
    name: 'format',
    target: 'node_modules/prettier/bin/prettier.cjs',
    argv: ['--check', '--log-level=warn', '.'],
  },
  { name: 'error docs', target: 'scripts/generate-error-docs.ts', argv: ['--check'] },
]

/** @type {{ name: string, target: string, argv: string[] }} */
const tests = {
  name: 'tests',
  target: 'node_modules/vitest/vitest.mjs',
  argv: [
    'run',
    '--project',
    'unit',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${resultsFile}`,
    ...process.argv.slice(2),
  ],
}

/**
 * Runs one check and tells its name, verdict and time; the output only of one that failed, unless it is streamed.
 * @param {string} node @param {{ name: string, target: string, argv: string[] }} check @param {boolean} [stream]
 */
async function run(node, { name, target, argv }, stream = false) {
  const start = Date.now()
  console.log(`▸ ${name}`)
  const env = { ...process.env, PATH: `${path.dirname(node)}${path.delimiter}${process.env.PATH ?? ''}` }
  const child = spawn(node, [target, ...argv], {
    cwd: repository,
    env,
    stdio: stream ? 'inherit' : ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const source of [child.stdout, child.stderr])
    source?.setEncoding('utf8').on('data', (text) => (output += String(text)))
  const passed = await new Promise((resolve) => {
    child.on('error', () => {
      resolve(false)
    })
    child.on('close', (code) => {
      resolve(code === 0)
    })
  })
  console.log(`${passed ? '✔' : '✖'} ${name} (${((Date.now() - start) / 1000).toFixed(1)} s)`)
  if (!passed && output !== '') console.log(output.trimEnd())
  return { name, passed: passed === true }
}

try {
  await ensureDependencies(repository, (line) => {
    console.error(line)
  })
  const node = nodeBinary(repository)
  const [types, lint, format, docs] = checks.map((check) => () => run(node, check))
  // Two at a time: what the smallest machine has processors for. The lint is the longest of the others.
  const halves = await Promise.all([
    lint?.().then(async (first) => [first, await docs?.()]),
    types?.().then(async (first) => [first, await format?.(), await run(node, tests, true)]),
  ])
  const results = halves.flat().filter((result) => result !== undefined)
  const { passed, failed } = testCounts(resultsFile)
  const broken = results.filter((result) => !result.passed).map((result) => result.name)
  if (broken.length > 0) console.log(`\nFailed: ${broken.join(', ')}`)
  console.log(`\n${String(passed)} passed, ${String(failed)} failed`)
  process.exitCode = broken.length > 0 ? 1 : 0
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  process.stderr.write(formatProblem(error.problem))
  process.exitCode = error.exitCode
}
