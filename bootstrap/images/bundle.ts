import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, stat, writeFile, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { extract, pack } from 'tar-stream'
import { z } from 'zod'
import type { Engine } from '../engine/engine.ts'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { throwIfAborted } from '../process/run-command.ts'
import type { StepRun } from '../steps/step.ts'
import { fileDigest } from './component-cache.ts'
import type { PreparedImages } from './image-source.ts'
import { readArchive } from './oci/read-archive.ts'

const fileSchema = z.strictObject({ file: z.string(), digest: z.string(), size: z.number() })

const manifestSchema = z.strictObject({
  /** Form of the bundle; raised when it changes. */
  bundle: z.literal(1),
  architecture: z.string(),
  kubernetes: z.string(),
  /** Where the images came from when the bundle was made: registry or packages. */
  source: z.string(),
  node: z.strictObject({ ref: z.string(), id: z.string(), ...fileSchema.shape }),
  /** The program that makes clusters. */
  kind: z.strictObject({ version: z.string(), ...fileSchema.shape }),
  preloaded: z.array(z.string()),
  images: z.array(z.strictObject({ ref: z.string(), id: z.string(), ...fileSchema.shape })),
})

export type BundleManifest = z.infer<typeof manifestSchema>

const manifestName = 'bundle.json'

/**
 * Writes one archive with everything that a cluster runs: the node image, the images that are loaded into nodes, and first a manifest
 * with their digests. The file appears under its name when it is complete.
 */
export async function writeBundle(
  prepared: PreparedImages,
  options: {
    output: string
    engine: Engine
    kubernetes: string
    source: string
    kind: { version: string; program: string }
  },
  run: StepRun,
): Promise<BundleManifest> {
  const work = await mkdtemp(join(options.output, '..', '.bundle-'))
  try {
    const node = prepared.nodeArchive ?? (await savedNode(prepared.nodeImage, join(work, 'node.tar')))
    const files = [{ ref: prepared.nodeImage, id: node.id, archive: node.path }, ...prepared.loadable]
    const described = await Promise.all(
      files.map(async ({ ref, id, archive }, index) => ({
        ref,
        id,
        file: index === 0 ? 'node.tar' : `image-${String(index)}.tar`,
        digest: await fileDigest(archive),
        size: (await stat(archive)).size,
      })),
    )
    const { kind } = options
    const kindEntry = {
      version: kind.version,
      file: 'kind',
      digest: await fileDigest(kind.program),
      size: (await stat(kind.program)).size,
    }
    const [nodeEntry, ...images] = described
    if (!nodeEntry) throw new Error('a bundle without a node image')
    const manifest: BundleManifest = {
      bundle: 1,
      architecture: process.arch,
      kubernetes: options.kubernetes,
      source: options.source,
      node: nodeEntry,
      kind: kindEntry,
      preloaded: prepared.preloaded,
      images,
    }
    run.progress('writing the bundle')
    const archive = pack()
    const partial = `${options.output}.partial`
    const written = pipeline(archive, createWriteStream(partial), { signal: run.signal })
    archive.entry({ name: manifestName }, JSON.stringify(manifest, undefined, 2))
    for (const [index, entry] of described.entries()) {
      const from = files[index]
      if (from)
        await pipeline(
          createReadStream(from.archive, { highWaterMark: 1 << 20 }),
          archive.entry({ name: entry.file, size: entry.size }),
        )
    }
    await pipeline(
      createReadStream(kind.program),
      archive.entry({ name: kindEntry.file, size: kindEntry.size, mode: 0o755 }),
    )
    archive.finalize()
    await written
    await rename(partial, options.output)
    return manifest
  } finally {
    await rm(work, { recursive: true, force: true })
  }

  async function savedNode(ref: string, path: string): Promise<{ path: string; id: string }> {
    run.progress(`saving ${ref}`)
    await options.engine.saveArchive([ref], path, run.signal)
    const [image] = await readArchive(path)
    if (!image) throw new Error('the engine saved no node image')
    return { path, id: image.id }
  }
}

/**
 * Reads only the manifest of a bundle.
 * @throws LocalCloudError BAD_BUNDLE when the file is not a bundle of this form or for another processor.
 */
export async function readBundleManifest(file: string): Promise<BundleManifest> {
  const reader = extract()
  const input = createReadStream(file)
  const reading = pipeline(input, reader).catch((error: unknown) => error)
  let content: string | undefined
  try {
    for await (const entry of reader) {
      if (entry.header.name === manifestName) content = await text(entry as never)
      break
    }
  } catch (error) {
    throw bad(file, 'it is not a tar archive', error)
  } finally {
    input.destroy()
    await reading
  }
  if (content === undefined) throw bad(file, 'its first member is not bundle.json')
  return parseManifest(file, content)
}

function parseManifest(file: string, content: string): BundleManifest {
  let value: unknown
  try {
    value = JSON.parse(content)
  } catch (error) {
    throw bad(file, 'its manifest is not JSON', error)
  }
  const checked = manifestSchema.safeParse(value)
  if (!checked.success)
    throw bad(
      file,
      checked.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '),
    )
  if (checked.data.architecture !== process.arch)
    throw bad(file, `it was made for ${checked.data.architecture}, this machine is ${process.arch}`)
  return checked.data
}

/** Unpacks a bundle below `directory` and checks every digest; the folder appears when it is complete and right. */
export async function unpackBundle(file: string, directory: string, run: StepRun): Promise<BundleManifest> {
  const manifest = await readBundleManifest(file)
  const done = await readFile(join(directory, manifestName), 'utf8').catch(() => undefined)
  if (done === JSON.stringify(manifest)) return manifest
  await mkdir(join(directory, '..'), { recursive: true })
  const work = await mkdtemp(join(directory, '..', '.unpacking-'))
  try {
    const expected = new Map(
      [manifest.node, ...manifest.images, { ref: 'kind', ...manifest.kind }].map((entry) => [
        entry.file,
        entry,
      ]),
    )
    const reader = extract()
    const reading = pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), reader, {
      signal: run.signal,
    }).catch((error: unknown) => error)
    try {
      for await (const entry of reader) {
        const { name } = entry.header
        if (!expected.has(name) || basename(name) !== name) {
          entry.resume()
          continue
        }
        run.progress(`unpacking ${expected.get(name)?.ref ?? name}`)
        await pipeline(entry as never, createWriteStream(join(work, name)))
      }
    } catch (error) {
      throwIfAborted(run.signal)
      throw bad(file, 'it is cut off or damaged', error)
    }
    const failure = await reading
    throwIfAborted(run.signal)
    if (failure instanceof Error) throw bad(file, 'it is cut off or damaged', failure)
    for (const [name, entry] of expected) {
      const digest = await fileDigest(join(work, name)).catch(() => 'missing')
      if (digest !== entry.digest)
        throw bad(file, `${entry.ref} does not match its digest (${digest} instead of ${entry.digest})`)
    }
    await writeFile(join(work, manifestName), JSON.stringify(manifest))
    await rm(directory, { recursive: true, force: true })
    await rename(work, directory)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  return manifest
}

const bad = (file: string, why: string, cause?: unknown): LocalCloudError =>
  new LocalCloudError('BAD_BUNDLE', {
    message: `${file} is not a usable bundle: ${why}.`,
    ...(cause === undefined ? {} : { cause }),
  })
