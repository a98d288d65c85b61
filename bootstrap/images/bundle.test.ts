import { mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fakeEngine } from '../engine/fake-engine.ts'
import { kindProgram } from '../tools/kind.ts'
import { readBundleManifest, unpackBundle, writeBundle } from './bundle.ts'
import { writeArchive } from './oci/archive.ts'
import { makeImage } from './oci/image.ts'
import { writeLayer } from './oci/layer.ts'
import { createBundleSource } from './sources/bundle.ts'

let root = ''
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'bundle-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

const run = { signal: new AbortController().signal, progress: () => undefined }

async function bundle(): Promise<string> {
  const layer = await writeLayer([{ kind: 'text', path: '/etc/motd', text: 'x' }], join(root, 'layer.tar'))
  const node = makeImage('localhost/node:1', [layer], {})
  const workload = makeImage('docker.io/library/slate:local', [layer], { command: ['x'] })
  const archive = join(root, 'workload.tar')
  await writeArchive([workload], archive)
  const { engine } = fakeEngine()
  engine.saveArchive = (_, path) => writeArchive([node], path)
  const output = join(root, 'bundle.tar')
  const program = join(root, 'kind')
  await writeFile(program, 'a program')
  await writeBundle(
    {
      nodeImage: 'localhost/node:1',
      preloaded: ['registry.k8s.io/pause:3.10.2'],
      loadable: [{ ref: workload.ref, id: workload.id, archive }],
    },
    { output, engine, kubernetes: 'v1.36.4', source: 'packages', kind: { version: 'v0.33.0', program } },
    run,
  )
  return output
}

describe('a bundle', () => {
  it('comes back as it went in, with digests that match', async () => {
    const file = await bundle()
    expect(await readBundleManifest(file)).toMatchObject({
      kubernetes: 'v1.36.4',
      node: { ref: 'localhost/node:1' },
    })
    const directory = join(root, 'unpacked')
    const manifest = await unpackBundle(file, directory, run)
    for (const entry of [manifest.node, ...manifest.images])
      expect((await stat(join(directory, entry.file))).size).toBe(entry.size)
    const before = (await stat(directory)).ino
    await unpackBundle(file, directory, run)
    expect((await stat(directory)).ino).toBe(before)
  })

  it('is refused when one byte of an image differs', async () => {
    const file = await bundle()
    const content = await readFile(file)
    const at = content.indexOf('etc/motd')
    expect(at).toBeGreaterThan(0)
    content[at] = 'E'.charCodeAt(0)
    await writeFile(file, content)
    await expect(unpackBundle(file, join(root, 'unpacked'), run)).rejects.toMatchObject({
      code: 'BAD_BUNDLE',
    })
    await expect(stat(join(root, 'unpacked'))).rejects.toThrow()
  })

  it('is refused when it is cut off', async () => {
    const file = await bundle()
    await truncate(file, Math.floor((await stat(file)).size / 2))
    await expect(unpackBundle(file, join(root, 'unpacked'), run)).rejects.toMatchObject({
      code: 'BAD_BUNDLE',
    })
  })

  it('is refused when it is something else', async () => {
    const file = join(root, 'other.tar')
    await writeFile(file, 'not a tar archive at all'.repeat(100))
    await expect(readBundleManifest(file)).rejects.toMatchObject({ code: 'BAD_BUNDLE' })
    await writeArchive([], file)
    await expect(readBundleManifest(file)).rejects.toMatchObject({ code: 'BAD_BUNDLE' })
  })

  it('is refused on another processor', async () => {
    const file = await bundle()
    const content = await readFile(file)
    const text = content
      .toString('latin1')
      .replace(`"architecture": "${process.arch}"`, `"architecture": "${'?'.repeat(process.arch.length)}"`)
    await writeFile(file, Buffer.from(text, 'latin1'))
    await expect(readBundleManifest(file)).rejects.toMatchObject({
      code: 'BAD_BUNDLE',
      message: expect.stringContaining('made for') as string,
    })
  })
})

describe('a bundle as the source of images', () => {
  it('is not done while the program kind is missing, though the engine has the node image', async () => {
    const file = await bundle()
    const paths = { repo: root, stateDir: root, cacheDir: join(root, 'cache') }
    const fake = fakeEngine()
    fake.images.push({ id: 'sha256:1', refs: ['localhost/node:1'], labels: {} })
    const source = createBundleSource({ paths, engine: fake.engine, file })
    expect(await source.observe(run)).toMatchObject({ state: 'absent' })
    await source.prepare(run)
    expect(await readFile(kindProgram(paths, 'v0.33.0'), 'utf8')).toBe('a program')
    expect(await source.observe(run)).toMatchObject({ state: 'done' })
  })
})
