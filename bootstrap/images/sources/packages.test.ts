import { appendFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { fakeEngine } from '../../engine/fake-engine.ts'
import { buildComponents, componentKeys, missingComponents } from '../build-components.ts'
import type { ImageSource } from '../image-source.ts'
import { nodeImageKey, nodeImageRef } from '../node/node-image.ts'
import { readArchive } from '../oci/read-archive.ts'
import { readVersions, type Versions } from '../versions.ts'
import { createPackagesSource } from './packages.ts'

const ref = 'docker.io/library/large:1'
const wanted = new Set([ref])
const described: Versions = {
  kubernetes: 'v1.0.0',
  kind: 'v1.0.0',
  components: {
    large: { builder: 'npm', version: '1.0.0', directory: 'large', take: { manifest: 'package.json' } },
  },
  images: [
    {
      ref,
      role: 'workload',
      preload: false,
      optional: true,
      layers: [{ base: 'static' }, { files: { '/large': 'large/manifest' } }],
    },
  ],
}

let repo = ''
let source: ImageSource
let versions: Versions
beforeEach(async () => {
  repo = await mkdtemp(join(tmpdir(), 'packages-source-'))
  const folder = join(repo, 'images', 'large')
  for (const path of [folder, join(repo, 'images/node/files'), join(repo, 'bootstrap/images')])
    await mkdir(path, { recursive: true })
  const name = { name: 'large', version: '1.0.0' }
  await writeFile(join(folder, 'package.json'), JSON.stringify(name))
  await writeFile(
    join(folder, 'package-lock.json'),
    JSON.stringify({ ...name, lockfileVersion: 3, packages: { '': name } }),
  )
  await writeFile(join(repo, 'images', 'versions.yaml'), stringify(described))
  versions = await readVersions(repo)
  const { engine, images } = fakeEngine()
  const key = await nodeImageKey(repo, versions, new Map())
  const node = join(paths().cacheDir, 'node', key)
  await mkdir(node, { recursive: true })
  await writeFile(join(node, 'image.tar'), '')
  await writeFile(join(node, 'image.json'), JSON.stringify({ ref: 'node', id: 'sha256:1', preloaded: [] }))
  images.push({ id: 'sha256:1', refs: [nodeImageRef(versions, key)], labels: {} })
  source = createPackagesSource({
    paths: paths(),
    engine,
    install: false,
    why: 'a test',
    emit: () => undefined,
  })
})
afterEach(() => rm(repo, { recursive: true, force: true }))

const paths = () => ({ repo, stateDir: join(repo, 'state'), cacheDir: join(repo, 'cache') })
const run = () => ({ signal: new AbortController().signal, progress: () => undefined })

describe('an optional image that is not in the node image', () => {
  it('is one that can be had', async () => {
    expect(await source.supply(run().signal)).toMatchObject({ inNodes: [], loadable: [ref] })
  })

  it('is neither built nor missed for a cluster that does not run it', async () => {
    expect(await source.observe(run(), new Set())).toMatchObject({ state: 'done' })
    expect((await source.prepare(run(), new Set())).loadable).toEqual([])
    expect(await missingComponents(paths(), await componentKeys(repo, versions))).toEqual(['large'])
  })

  it('is made for one that does, once, as an archive with everything in it', async () => {
    expect(await source.observe(run(), wanted)).toEqual({
      state: 'partial',
      reason: `${ref} is to be built`,
    })
    const quiet = { emit: () => undefined, progress: () => undefined }
    await buildComponents({ paths: paths(), versions, signal: run().signal, ...quiet })
    const [first, ...others] = (await source.prepare(run(), wanted)).loadable
    expect(others).toEqual([])
    expect(first?.ref).toBe(ref)
    const [image] = await readArchive(first?.archive ?? '')
    expect(image?.id).toBe(first?.id)
    expect(await source.observe(run(), wanted)).toMatchObject({ state: 'done' })
    expect((await source.prepare(run(), wanted)).loadable).toEqual([first])
    await appendFile(first?.archive ?? '', 'damage')
    expect(await source.observe(run(), wanted)).toMatchObject({ state: 'partial' })
    expect((await source.prepare(run(), wanted)).loadable).toEqual([first])
    expect(await source.observe(run(), wanted)).toMatchObject({ state: 'done' })
  })
})
