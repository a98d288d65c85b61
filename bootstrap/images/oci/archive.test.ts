import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writeArchive } from './archive.ts'
import { makeImage } from './image.ts'
import { writeLayer, type LayerEntry } from './layer.ts'
import { readArchive } from './read-archive.ts'

const run = promisify(execFile)
let root = ''
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'oci-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

const list = async (file: string): Promise<string[]> =>
  (await run('tar', ['-tf', file])).stdout.trim().split('\n')

const entries: LayerEntry[] = [
  { kind: 'text', path: '/etc/motd', text: 'hello\n' },
  { kind: 'directory', path: '/tmp', mode: 0o1777 },
  { kind: 'link', path: '/bin/sh', target: 'busybox' },
]

describe('writeLayer', () => {
  it('writes equal bytes for equal entries, with parents and modes that tar reads', async () => {
    const first = await writeLayer(entries, join(root, 'a.tar'))
    const second = await writeLayer(entries, join(root, 'b.tar'))
    expect(second.digest).toBe(first.digest)
    expect(first.digest).toBe(
      `sha256:${createHash('sha256')
        .update(await readFile(first.path))
        .digest('hex')}`,
    )
    expect(first.size).toBe((await stat(first.path)).size)
    expect(await list(first.path)).toEqual(['etc/', 'etc/motd', 'tmp/', 'bin/', 'bin/sh'])
    const { stdout } = await run('tar', ['-tvf', first.path])
    expect(stdout).toContain('drwxrwxrwt 0/0')
    expect(stdout).toContain('bin/sh -> busybox')
  })

  it('puts a tree below its path, hard links included', async () => {
    const tree = join(root, 'tree')
    await run('sh', [
      '-c',
      `mkdir -p ${tree}/d && echo x > ${tree}/d/f && ln ${tree}/d/f ${tree}/d/g && tar -cf ${tree}.tar -C ${tree} .`,
    ])
    const layer = await writeLayer(
      [{ kind: 'tree', path: '/opt/t', archive: `${tree}.tar` }],
      join(root, 'l.tar'),
    )
    await run('tar', ['-xf', layer.path, '-C', root])
    expect(await readFile(join(root, 'opt/t/d/f'), 'utf8')).toBe('x\n')
    expect((await stat(join(root, 'opt/t/d/g'))).ino).toBe((await stat(join(root, 'opt/t/d/f'))).ino)
  })
})

describe('writeArchive', () => {
  it('holds shared layers once and names every image with its id', async () => {
    const shared = await writeLayer(entries, join(root, 'shared.tar'))
    await writeFile(join(root, 'program'), 'x')
    const own = await writeLayer(
      [{ kind: 'file', path: '/program', source: join(root, 'program') }],
      join(root, 'own.tar'),
    )
    const one = makeImage('example.test/one:1', [shared], { command: ['sh'] })
    const two = makeImage('example.test/two:1', [shared, own], { entrypoint: ['/program'] })
    const archive = join(root, 'images.tar')
    await writeArchive([one, two], archive)
    expect(await readArchive(archive)).toEqual([
      { ref: 'example.test/one:1', id: one.id },
      { ref: 'example.test/two:1', id: two.id },
    ])
    const blob = `blobs/sha256/${shared.digest.slice(7)}`
    expect((await list(archive)).filter((name) => name === blob)).toHaveLength(1)
    await writeArchive([two], archive, new Set([shared.digest]))
    expect(await list(archive)).not.toContain(blob)
  })

  it('leaves no file under its name when a layer is missing', async () => {
    const image = makeImage(
      'example.test/gone:1',
      [{ path: join(root, 'none.tar'), digest: `sha256:${'0'.repeat(64)}`, size: 1 }],
      {},
    )
    await expect(writeArchive([image], join(root, 'images.tar'))).rejects.toThrow()
    await expect(stat(join(root, 'images.tar'))).rejects.toThrow()
  })
})
