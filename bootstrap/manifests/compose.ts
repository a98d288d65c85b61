import { cp, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { basename, join, relative, resolve, sep } from 'node:path'
import { parseDocument, type Document } from 'yaml'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { Paths } from '../plan/options.ts'
import type { Variant } from './system-file.ts'

/** Entries of a kustomization that may be folders elsewhere; kustomize allows no other path to leave its own folder. */
const folderLists = ['resources', 'bases', 'components'] as const

/**
 * Has an overlay with some of its components replaced, as a folder that kustomize renders without any flag, for as long as
 * `use` works on it: a copy below the state directory whose relative paths lead to the same places. Without anything to
 * replace it is the overlay itself.
 * @throws LocalCloudError RENDER_FAILED when the overlay has no kustomization.yaml, NO_PERMISSION
 */
export async function withComposed<T>(
  overlay: string,
  options: {
    paths: Pick<Paths, 'stateDir'>
    /** Folder of the system's components. */
    components: string
    variants: readonly Variant[]
  },
  use: (directory: string) => Promise<T>,
): Promise<T> {
  const { paths, components, variants } = options
  if (variants.every(({ add, drop }) => add.length === 0 && drop.length === 0)) return use(overlay)
  let folder: string
  try {
    await mkdir(paths.stateDir, { recursive: true })
    // Kustomize resolves links before it follows a relative path.
    folder = await mkdtemp(join(await realpath(paths.stateDir), 'overlay-'))
  } catch (error) {
    throw new LocalCloudError('NO_PERMISSION', {
      message: `${paths.stateDir} could not be written.`,
      cause: error,
    })
  }
  try {
    const from = await realpath(overlay).catch(() => overlay)
    await cp(from, folder, { recursive: true }).catch((error: unknown) => {
      throw new LocalCloudError('RENDER_FAILED', { message: `${overlay} cannot be read.`, cause: error })
    })
    const file = join(folder, 'kustomization.yaml')
    const text = await readFile(file, 'utf8').catch((error: unknown) => {
      throw new LocalCloudError('RENDER_FAILED', {
        message: `${overlay} has no kustomization.yaml.`,
        cause: error,
      })
    })
    await writeFile(file, composed(text, { from, to: folder, components: await real(components), variants }))
    return await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const real = (folder: string): Promise<string> => realpath(folder).catch(() => folder)

/** The kustomization of the folder `from`, as it must read in the folder `to`. Pure. */
export function composed(
  text: string,
  options: { from: string; to: string; components: string; variants: readonly Variant[] },
): string {
  const { from, to, components, variants } = options
  const document: Document = parseDocument(text)
  const moved = (entry: string): string => {
    const target = resolve(from, entry)
    const inside = target === from || target.startsWith(from + sep)
    return inside || /^[a-z]+:\/\//.test(entry) ? entry : relative(to, target)
  }
  for (const list of folderLists) {
    const entries = listAt(document, list)
    if (entries.length > 0) document.set(list, document.createNode(entries.map(moved)))
  }
  for (const { add, drop } of variants) {
    const before = listAt(document, 'components')
    const first = before.findIndex((entry) => drop.includes(basename(entry)))
    const kept = before.filter((entry) => !drop.includes(basename(entry)))
    const added = add.map((name) => relative(to, join(components, name)))
    const at = first === -1 ? kept.length : first
    document.set('components', document.createNode([...kept.slice(0, at), ...added, ...kept.slice(at)]))
  }
  if (listAt(document, 'components').length === 0) document.delete('components')
  return document.toString({ lineWidth: 0 })
}

function listAt(document: Document, key: string): string[] {
  const value = (document.toJS() as Record<string, unknown> | null)?.[key]
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : []
}
