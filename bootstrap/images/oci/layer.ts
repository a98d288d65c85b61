import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { extract, pack, type Pack } from 'tar-stream'
import { fileDigest } from '../component-cache.ts'

/** One thing in a layer. Paths are absolute in the image; owners are numeric, times are the epoch. */
export type LayerEntry =
  | { kind: 'directory'; path: string; mode?: number; uid?: number; gid?: number }
  | { kind: 'file'; path: string; source: string; mode?: number; uid?: number; gid?: number }
  | { kind: 'text'; path: string; text: string; mode?: number; uid?: number; gid?: number }
  | { kind: 'link'; path: string; target: string }
  /** Everything in a tar archive, put below `path`. */
  | { kind: 'tree'; path: string; archive: string; uid?: number; gid?: number }

/** An uncompressed layer on disk. `digest` is both its blob digest and its diff id. */
export interface Layer {
  path: string
  digest: string
  size: number
}

type EntryHeader = Parameters<Pack['entry']>[0]

const epoch = new Date(0)

/** A tar file that is a layer as it is. */
export async function existingLayer(path: string): Promise<Layer> {
  return { path, digest: await fileDigest(path), size: (await stat(path)).size }
}

/** Writes a deterministic uncompressed layer: equal entries give equal bytes. Parent folders are added once, mode 0755, root. */
export async function writeLayer(entries: readonly LayerEntry[], path: string): Promise<Layer> {
  const archive = pack()
  const hash = createHash('sha256')
  let size = 0
  const measure = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      size += chunk.length
      done(undefined, chunk)
    },
  })
  const written = pipeline(archive, measure, createWriteStream(path))
  const added = new Set<string>()
  try {
    for (const entry of entries) {
      addParents(archive, entry.path, added)
      await addEntry(archive, entry, added)
    }
    archive.finalize()
  } catch (error) {
    archive.destroy(error as Error)
    await written.catch(() => undefined)
    throw error
  }
  await written
  return { path, digest: `sha256:${hash.digest('hex')}`, size }
}

const relative = (path: string): string => path.replace(/^\/+/, '')

function addParents(archive: Pack, path: string, added: Set<string>): void {
  const parts = relative(path).split('/').slice(0, -1)
  for (let depth = 1; depth <= parts.length; depth++) {
    const parent = parts.slice(0, depth).join('/')
    if (parent === '' || added.has(parent)) continue
    added.add(parent)
    archive.entry({ name: `${parent}/`, type: 'directory', mode: 0o755, mtime: epoch, uid: 0, gid: 0 })
  }
}

async function addEntry(archive: Pack, entry: LayerEntry, added: Set<string>): Promise<void> {
  const name = relative(entry.path)
  switch (entry.kind) {
    case 'directory':
      if (added.has(name)) return
      added.add(name)
      archive.entry({
        name: `${name}/`,
        type: 'directory',
        mode: entry.mode ?? 0o755,
        mtime: epoch,
        uid: entry.uid ?? 0,
        gid: entry.gid ?? 0,
      })
      return
    case 'link':
      archive.entry({
        name,
        type: 'symlink',
        linkname: entry.target,
        mode: 0o777,
        mtime: epoch,
        uid: 0,
        gid: 0,
      })
      return
    case 'text':
      archive.entry(
        {
          name,
          type: 'file',
          mode: entry.mode ?? 0o644,
          mtime: epoch,
          uid: entry.uid ?? 0,
          gid: entry.gid ?? 0,
        },
        entry.text,
      )
      return
    case 'file': {
      const { size } = await stat(entry.source)
      const header = {
        name,
        type: 'file' as const,
        mode: entry.mode ?? 0o755,
        mtime: epoch,
        uid: entry.uid ?? 0,
        gid: entry.gid ?? 0,
      }
      if (size < 1 << 20) {
        archive.entry(header, await readFile(entry.source))
        return
      }
      await copyInto(archive, { ...header, size }, createReadStream(entry.source, { highWaterMark: 1 << 20 }))
      return
    }
    case 'tree': {
      const reader = extract()
      const reading = pipeline(createReadStream(entry.archive, { highWaterMark: 1 << 20 }), reader)
      for await (const child of reader) {
        const inner = child.header.name.replace(/^\.?\/*/, '').replace(/\/$/, '')
        if (inner === '') {
          child.resume()
          continue
        }
        const header = {
          ...child.header,
          name: `${name}/${inner}${child.header.type === 'directory' ? '/' : ''}`,
          mtime: epoch,
          uid: entry.uid ?? 0,
          gid: entry.gid ?? 0,
        }
        header.pax = null
        if (header.type === 'link' && header.linkname)
          header.linkname = `${name}/${header.linkname.replace(/^\.?\/*/, '')}`
        if (header.type === 'file') await copyInto(archive, header, child)
        else {
          child.resume()
          archive.entry(header)
        }
      }
      await reading
      return
    }
  }
}

async function copyInto(archive: Pack, header: EntryHeader, content: unknown): Promise<void> {
  await pipeline(content as AsyncIterable<Uint8Array>, archive.entry(header))
}
