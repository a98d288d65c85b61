import { readFile, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { parse, parseAllDocuments } from 'yaml'
import type { KubeObject } from '../kube/client.ts'

/** Where an object is written down. */
export interface Place {
  /** Relative to the folder given to `placesOf`'s caller. */
  file: string
  /** From 1. */
  document: number
}

interface Kustomization {
  resources?: string[]
  bases?: string[]
  components?: string[]
}

const kustomizationNames = ['kustomization.yaml', 'kustomization.yml', 'Kustomization']

/**
 * Finds the file and document of a rendered object among the files that a kustomization gathers, by kind and name; a name with
 * a prefix or a generated hash is found by its middle. Undefined for what a generator made. Reads files only when asked.
 */
export async function sourceFinder(
  directory: string,
  root: string,
): Promise<(object: KubeObject) => Place | undefined> {
  const found: { kind: string; name: string; place: Place }[] = []
  const seen = new Set<string>()
  const readFileOf = async (path: string): Promise<void> => {
    for (const [index, document] of [...parseAllDocuments(await readFile(path, 'utf8'))].entries()) {
      const value = document.toJS() as { kind?: unknown; metadata?: { name?: unknown } } | null
      if (typeof value?.kind !== 'string' || typeof value.metadata?.name !== 'string') continue
      found.push({
        kind: value.kind,
        name: value.metadata.name,
        place: { file: relative(root, path), document: index + 1 },
      })
    }
  }
  const visit = async (folder: string): Promise<void> => {
    if (seen.has(folder)) return
    seen.add(folder)
    for (const name of kustomizationNames) {
      const text = await readFile(join(folder, name), 'utf8').catch(() => undefined)
      if (text === undefined) continue
      const { resources = [], bases = [], components = [] } = (parse(text) ?? {}) as Kustomization
      for (const entry of [...resources, ...bases, ...components]) {
        const path = join(folder, entry)
        const kind = await stat(path).catch(() => undefined)
        if (kind?.isDirectory() === true) await visit(path)
        else if (kind?.isFile() === true) await readFileOf(path)
      }
      return
    }
  }
  await visit(directory)
  return (object) => {
    const same = found.filter((entry) => entry.kind === object.kind)
    const match =
      same.find((entry) => entry.name === object.metadata.name) ??
      same.find((entry) => object.metadata.name.includes(entry.name))
    return match?.place
  }
}
