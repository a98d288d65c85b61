import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { writeArchive } from './archive.ts'
import { makeImage } from './image.ts'
import { writeLayer } from './layer.ts'
import { readArchive } from './read-archive.ts'
import { renameArchive } from './rename-archive.ts'

let root = ''
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'rename-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

const tar = async (...argv: string[]): Promise<string> => (await promisify(execFile)('tar', argv)).stdout

it('gives the same image, bytes and id, under another reference', async () => {
  const layer = await writeLayer(
    [{ kind: 'text', path: '/etc/motd', text: 'x'.repeat(100_000) }],
    join(root, 'l.tar'),
  )
  const image = makeImage('docker.io/library/slate:local', [layer], { command: ['x'] })
  const [from, to] = [join(root, 'a.tar'), join(root, 'b.tar')]
  await writeArchive([image], from)
  await renameArchive(from, to, 'registry.slate.local/slate:dev')
  expect(await readArchive(to)).toEqual([{ ref: 'registry.slate.local/slate:dev', id: image.id }])
  expect(await readArchive(from)).toEqual([{ ref: 'docker.io/library/slate:local', id: image.id }])
  expect(await tar('-tf', to)).toBe(await tar('-tf', from))
  const blob = `blobs/sha256/${layer.digest.slice(7)}`
  await tar('-xf', to, '-C', root, blob, 'index.json')
  expect(await readFile(join(root, blob))).toEqual(await readFile(layer.path))
  const index = JSON.parse(await readFile(join(root, 'index.json'), 'utf8')) as {
    manifests: { digest: string; annotations: Record<string, string> }[]
  }
  expect(index.manifests[0]).toMatchObject({
    digest: image.manifestDigest,
    annotations: { 'io.containerd.image.name': 'registry.slate.local/slate:dev' },
  })
})

it('leaves no file under the name when the archive cannot be read', async () => {
  await expect(renameArchive(join(root, 'none.tar'), join(root, 'b.tar'), 'x')).rejects.toThrow('ENOENT')
  await expect(stat(join(root, 'b.tar'))).rejects.toThrow()
})
