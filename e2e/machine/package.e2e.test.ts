import { cp, mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openEngine } from '../../bootstrap/engine/detect-engine.ts'
import type { Engine } from '../../bootstrap/engine/engine.ts'
import { componentKeys } from '../../bootstrap/images/build-components.ts'
import { nodeImageKey } from '../../bootstrap/images/node/node-image.ts'
import { readVersions } from '../../bootstrap/images/versions.ts'
import { providerLabel } from '../../bootstrap/providers/k3s/k3s-nodes.ts'
import { resolvePaths } from '../../bootstrap/state/paths.ts'
import { builtImages } from '../harness/built-images.ts'
import { eventually } from '../harness/eventually.ts'

/* The packed package in the example's hands: a project that has nothing of this checkout but the tarball. */
const repository = path.join(import.meta.dirname, '..', '..')
const paths = resolvePaths(repository, {}, process.env, repository)
const signal = AbortSignal.timeout(1_200_000)

let engine: Engine
let folder = ''
const inProject = (file: string, argv: string[] = []) =>
  execa(file, argv, {
    cwd: folder,
    preferLocal: true,
    localDir: folder,
    all: true,
    reject: false,
    cancelSignal: signal,
    env: { LOCAL_CLOUD_CACHE_DIR: paths.cacheDir },
  })

beforeAll(async () => {
  engine = await openEngine({ choice: 'auto', paths, install: false, emit: () => undefined, signal })
  await builtImages(engine, paths, signal)
  folder = await mkdtemp(path.join(tmpdir(), 'local-cloud-project-'))
  const example = path.join(repository, 'examples', 'ephemeral-cluster')
  await cp(example, folder, { recursive: true, filter: (file) => !/node_modules|\.tgz$/.test(file) })
  await execa(process.execPath, ['scripts/pack.ts', '--output', folder], {
    cwd: repository,
    cancelSignal: signal,
  })
  const installed = await inProject('npm', [
    ...['install', '--no-audit', '--no-fund', '--prefer-offline', '--fetch-retries', '5'],
  ])
  expect(installed.exitCode, installed.all).toBe(0)
}, 600_000)

afterAll(() => rm(folder, { recursive: true, force: true }))

describe('the packed package, in a project of its own', () => {
  it('has types', async () => {
    const checked = await inProject('tsc', ['--noEmit'])
    expect(checked.exitCode, checked.all).toBe(0)
  }, 120_000)

  it('makes the same images as this checkout, from what it brings along', async () => {
    const installed = path.join(folder, 'node_modules', 'local-cloud')
    const keyOf = async (repo: string): Promise<string> => {
      const versions = await readVersions(repo)
      return nodeImageKey(repo, versions, await componentKeys(repo, versions))
    }
    expect(await keyOf(installed)).toBe(await keyOf(repository))
  })

  it('has its example pass: clusters of a test, of a run and of a project, and nothing is left', async () => {
    const before = await present()
    const report = path.join(folder, 'report.json')
    const ran = await inProject('vitest', [
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile=${report}`,
    ])
    expect(ran.exitCode, ran.all).toBe(0)
    const { numPassedTests } = JSON.parse(await readFile(report, 'utf8')) as { numPassedTests: number }
    expect(numPassedTests).toBe(4)
    await eventually(
      'nothing is left',
      async () => {
        const left = (await present()).filter((name) => !before.includes(name))
        return { ok: left.length === 0, seen: left.join(', ') || 'nothing' }
      },
      { timeoutMs: 30_000, intervalMs: 500, signal },
    )
  }, 600_000)
})

/** Containers and folders of ephemeral clusters. */
async function present(): Promise<string[]> {
  const containers = await engine.listContainers(`${providerLabel}=ephemeral`, signal)
  const folders = await readdir(tmpdir())
  return [
    ...containers.map(({ name }) => name),
    ...folders.filter((name) => name.startsWith('local-cloud-ephemeral-')),
  ]
}
