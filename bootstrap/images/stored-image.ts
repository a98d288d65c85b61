import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LoadableImage } from '../providers/provider.ts'
import { fileDigest } from './component-cache.ts'
import { shortName } from './components-of-image.ts'
import { writeArchive } from './oci/archive.ts'
import type { Image } from './oci/image.ts'

/** Folder of the archives of one image that is loaded into nodes, one a key. */
const folderOf = (cacheDir: string, ref: string): string => join(cacheDir, 'workloads', shortName(ref))

/** The image stored under this key, when its archive has the recorded digest. */
export async function findStoredImage(
  cacheDir: string,
  ref: string,
  key: string,
): Promise<LoadableImage | undefined> {
  const directory = join(folderOf(cacheDir, ref), key)
  const record = await readFile(join(directory, 'image.json'), 'utf8').catch(() => undefined)
  if (record === undefined) return undefined
  const { id, digest } = JSON.parse(record) as { id: string; digest: string }
  const archive = join(directory, 'image.tar')
  if ((await fileDigest(archive).catch(() => undefined)) !== digest) return undefined
  return { ref, archive, id }
}

/**
 * Keeps as an archive under its key what `make` makes in an empty folder, and removes what the image had under other keys. A process that is
 * killed leaves nothing that looks finished. Layers that are `elsewhere`, by their digests, are not in the archive.
 */
export async function storeImage(
  { cacheDir, ref, key }: { cacheDir: string; ref: string; key: string },
  make: (workDirectory: string) => Promise<{ image: Image; elsewhere?: ReadonlySet<string> }>,
): Promise<LoadableImage> {
  const parent = folderOf(cacheDir, ref)
  await mkdir(parent, { recursive: true })
  const work = await mkdtemp(join(parent, '.building-'))
  try {
    const { image, elsewhere } = await make(work)
    const output = join(work, 'output')
    await mkdir(output)
    await writeArchive([image], join(output, 'image.tar'), elsewhere)
    await writeFile(
      join(output, 'image.json'),
      JSON.stringify({ id: image.id, digest: await fileDigest(join(output, 'image.tar')) }),
    )
    await rm(join(parent, key), { recursive: true, force: true })
    await rename(output, join(parent, key))
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  for (const other of await readdir(parent))
    if (other !== key) await rm(join(parent, other), { recursive: true, force: true })
  const stored = await findStoredImage(cacheDir, ref, key)
  if (!stored) throw new Error(`${ref} vanished while it was stored`)
  return stored
}
