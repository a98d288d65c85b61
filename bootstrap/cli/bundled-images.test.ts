import { join } from 'node:path'
import { expect, it } from 'vitest'
import { chosenImages } from '../images/chosen-images.ts'
import { readVersions, refsOf } from '../images/versions.ts'
import { resolvePaths } from '../state/paths.ts'
import { realTools } from '../steps/real-tools.ts'
import { bundledImages } from './bundled-images.ts'

const repo = join(import.meta.dirname, '..', '..')
const paths = resolvePaths(repo, {}, process.env, process.cwd())
const versions = await readVersions(repo)
const tools = realTools({ paths, engine: 'auto', install: false, emit: () => undefined })
const prometheus =
  versions.images.map(({ ref }) => ref).find((ref) => ref.includes('/prom/prometheus:')) ?? ''

const bundled = (system: string): Promise<ReadonlySet<string>> =>
  bundledImages({ system, environment: 'local' }, { tools, versions, signal: AbortSignal.timeout(30_000) })

it.each(['zones', 'slate,zones'])('brings the optional images that pods of %s run', async (system) => {
  const wanted = await bundled(system)
  for (const ref of [prometheus, 'docker.io/library/model-server:local', 'docker.io/library/agents:local'])
    expect(wanted).toContain(ref)
  expect(Object.keys(chosenImages(versions, wanted).components)).toContain('prometheus')
})

it.each(['slate', 'none'])('brings none for %s, and all others under each of their names', async (system) => {
  const wanted = await bundled(system)
  const usual = versions.images.filter(({ optional }) => optional !== true)
  expect([...wanted].sort()).toEqual(expect.arrayContaining(usual.flatMap(refsOf).sort()))
  expect(wanted).not.toContain(prometheus)
  expect(wanted).not.toContain('docker.io/library/agents:local')
  expect(chosenImages(versions, wanted)).toEqual(chosenImages(versions))
})
