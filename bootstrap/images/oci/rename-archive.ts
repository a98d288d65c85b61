import { createReadStream, createWriteStream } from 'node:fs'
import { rename } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { extract, pack } from 'tar-stream'

interface Index {
  manifests: { annotations?: Record<string, string> }[]
}

/**
 * Writes the archive of one image (as `writeArchive` writes it) once more under another reference; layers, config and so the
 * image's id stay as they are. The file appears under its name when it is complete.
 */
export async function renameArchive(from: string, to: string, ref: string): Promise<void> {
  const reader = extract()
  const writer = pack()
  const partial = `${to}.partial`
  const reading = pipeline(createReadStream(from, { highWaterMark: 1 << 20 }), reader)
  const writing = pipeline(writer, createWriteStream(partial))
  const copy = async (): Promise<void> => {
    for await (const entry of reader) {
      const { header } = entry
      const renamed = renamers[header.name]
      if (renamed) {
        const { size: _size, ...rest } = header
        writer.entry(rest, renamed((await buffer(entry as never)).toString('utf8'), ref))
      } else {
        await pipeline(entry as never, writer.entry(header))
      }
    }
    writer.finalize()
  }
  const ends = await Promise.allSettled([
    copy().catch((error: unknown) => {
      writer.destroy(error as Error)
      throw error
    }),
    reading,
    writing,
  ])
  const failure = ends.find((end) => end.status === 'rejected')
  if (failure) throw failure.reason
  await rename(partial, to)
}

/** The two files that name the image; no others do. */
const renamers: Partial<Record<string, (text: string, ref: string) => string>> = {
  'index.json'(text, ref) {
    const index = JSON.parse(text) as Index
    const manifests = index.manifests.map((manifest) => ({
      ...manifest,
      annotations: {
        ...manifest.annotations,
        'io.containerd.image.name': ref,
        'org.opencontainers.image.ref.name': ref,
      },
    }))
    return JSON.stringify({ ...index, manifests })
  },
  'manifest.json'(text, ref) {
    const images = JSON.parse(text) as object[]
    return JSON.stringify(images.map((image) => ({ ...image, RepoTags: [ref] })))
  },
}
