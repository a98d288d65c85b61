import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { refersTo } from './harness/reference.ts'
import { fileOf, laneOf, mindsLoad, refusedOnShared, suites } from './suites.ts'

const folder = path.join(import.meta.dirname, 'suites')

it('knows every suite that there is, and no other, once', () => {
  const files = readdirSync(folder).flatMap((file) =>
    file.endsWith('.e2e.test.ts') ? [path.basename(file, '.e2e.test.ts')] : [],
  )
  expect(suites.map(({ name }) => name).toSorted()).toEqual(files.toSorted())
})

it.each(suites)('$name says that it asks for canaries when it does', ({ name, canaries }) => {
  const text = readFileSync(path.join(import.meta.dirname, fileOf(name)), 'utf8')
  if (text.includes('requireCanary(')) expect(canaries).toBe(true)
})

it('says of each unsafe test by a name that there is, and why in words', async () => {
  const mixed = suites.filter(({ shared }) => typeof shared === 'object')
  const argv = ['scripts/e2e.mjs', '--list', '--json', ...mixed.flatMap(({ name }) => ['--suite', name])]
  const { stdout } = await promisify(execFile)(process.execPath, argv, {
    cwd: path.join(import.meta.dirname, '..'),
    maxBuffer: 10_000_000,
  })
  const listed = (JSON.parse(stdout) as { suites: { name: string; tests: string[] }[] }).suites
  for (const { name, shared } of mixed) {
    const tests = listed.find((one) => one.name === name)?.tests ?? []
    const paths = tests.map((title) => title.slice(name.length + 2).split(' › '))
    const refused = paths.filter((titles) => refusedOnShared({ suite: name, path: titles }) !== undefined)
    expect(refused.length, `${name} keeps a test that is safe`).toBeLessThan(paths.length)
    for (const { test, why } of typeof shared === 'object' ? shared : []) {
      const meant = paths.filter((titles) => refersTo(`${name}: ${test}`, { suite: name, path: titles }))
      expect(meant.length, `${name}: ${test}`).toBeGreaterThan(0)
      expect(why).toMatch(/^it /)
    }
  }
}, 60_000)

/** What a test that is safe on a shared cluster does not import: programs in nodes, nodes themselves, another `up`. */
const inNodes =
  /harness\/(extended-resource|gpu-ground|gpu-node|gvisor-ground|node-hand|up-again)\.ts|scale-away|sabotage/

it.each(suites.filter(({ shared }) => shared === true))(
  '$name, safe as a whole, works in no node',
  ({ name }) => {
    const text = readFileSync(path.join(import.meta.dirname, fileOf(name)), 'utf8')
    const imports = text.split('\n').filter((line) => line.startsWith('import') && inNodes.test(line))
    // The offer of GPUs is only read.
    expect(imports.filter((line) => !line.includes('{ gpuOffer }'))).toEqual([])
    expect(text).not.toMatch(/unschedulable\b.*[:=] *true|outsideHost\(\)|stage\.engine\(\)/)
  },
)

it('what loads the cluster is alone at length, and beside the others otherwise', () => {
  const loading = suites.filter(({ laneAtLength }) => laneAtLength !== undefined)
  expect(loading.map(({ name }) => name)).toEqual(['slate-autoscaling'])
  for (const suite of loading)
    expect([laneOf(suite, 'quick'), laneOf(suite, 'full')]).toEqual(['together', 'alone'])
})

it('who minds load is every suite that runs beside others and does not say otherwise', () => {
  expect(['slate-probes', 'slate-schedules', 'smoke'].filter((name) => !mindsLoad(name))).toEqual([])
  expect(['slate-autoscaling', 'slate-job-rules', 'canary', 'gpu'].filter((name) => mindsLoad(name))).toEqual(
    [],
  )
})
