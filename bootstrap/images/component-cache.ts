import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Component } from './versions.ts'

/** Raised when builders change what they produce for the same recipe. */
const builderGeneration = 1

/** All that the builder takes of the folder of an npm component. */
export const npmFiles = ['package-lock.json', 'package.json'] as const

/** A built component: its outputs by name, each an absolute path. */
export interface BuiltComponent {
  name: string
  key: string
  files: Record<string, string>
  /** Output name → `sha256:…` of its content. */
  digests: Record<string, string>
}

/** SHA-256 of a file's content, `sha256:…`. */
export async function fileDigest(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash)
  return `sha256:${hash.digest('hex')}`
}

/**
 * Key of a component: changes exactly when its recipe, its version, a file of its folder that its builder uses (tests aside) or the builders change.
 * 16 hexadecimal digits.
 */
export async function componentKey(repo: string, name: string, recipe: Component): Promise<string> {
  const hash = createHash('sha256')
  hash.update(JSON.stringify([builderGeneration, process.arch, name, recipe]))
  const directory = 'directory' in recipe ? recipe.directory : undefined
  if (directory !== undefined) {
    const root = join(repo, 'images', directory)
    const files = recipe.builder === 'npm' ? npmFiles : await filesBelow(root)
    for (const file of files.filter((path) => !/(\.test\.ts|_test\.go)$/.test(path)))
      hash.update(`\0${file}\0`).update(await readFile(join(root, file)))
  }
  return hash.digest('hex').slice(0, 16)
}

/** Paths of all files below a folder, relative and sorted; `node_modules` is left out. */
export async function filesBelow(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile() || entry.isSymbolicLink())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .filter((path) => !path.split('/').includes('node_modules'))
    .sort()
}

const entryDirectory = (cacheDir: string, name: string, key: string): string =>
  join(cacheDir, 'components', name, key)

/** A finished entry as its record says, without reading the outputs; undefined when it is not there. */
export async function findComponent(
  cacheDir: string,
  name: string,
  key: string,
): Promise<BuiltComponent | undefined> {
  const directory = entryDirectory(cacheDir, name, key)
  const record = await readFile(join(directory, 'digests.json'), 'utf8').catch(() => undefined)
  if (record === undefined) return undefined
  let digests: Record<string, string>
  try {
    digests = JSON.parse(record) as Record<string, string>
  } catch {
    return undefined
  }
  const files: Record<string, string> = {}
  for (const output of Object.keys(digests)) {
    files[output] = join(directory, output)
    if (!(await stat(join(directory, output)).catch(() => undefined))) return undefined
  }
  return { name, key, files, digests }
}

/** Names of outputs whose content is not what was recorded when it was built. */
export async function corruptOutputs(component: BuiltComponent): Promise<string[]> {
  const wrong: string[] = []
  for (const [output, path] of Object.entries(component.files)) {
    if ((await fileDigest(path)) !== component.digests[output]) wrong.push(output)
  }
  return wrong
}

/**
 * Runs `build` with two empty folders and keeps its outputs under the key. A killed build leaves nothing that looks finished;
 * entries of the same component under other keys are removed afterwards.
 */
export async function storeComponent(
  cacheDir: string,
  name: string,
  key: string,
  build: (folders: { workDirectory: string; outputDirectory: string }) => Promise<void>,
): Promise<BuiltComponent> {
  const parent = join(cacheDir, 'components', name)
  await mkdir(parent, { recursive: true })
  const scratch = await mkdtemp(join(parent, '.building-'))
  const workDirectory = join(scratch, 'work')
  const outputDirectory = join(scratch, 'out')
  try {
    await mkdir(workDirectory)
    await mkdir(outputDirectory)
    await build({ workDirectory, outputDirectory })
    const digests: Record<string, string> = {}
    for (const output of (await readdir(outputDirectory)).sort())
      digests[output] = await fileDigest(join(outputDirectory, output))
    await writeFile(join(outputDirectory, 'digests.json'), JSON.stringify(digests, undefined, 2))
    const directory = entryDirectory(cacheDir, name, key)
    await rm(directory, { recursive: true, force: true })
    await rename(outputDirectory, directory)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
  for (const other of await readdir(parent)) {
    if (other !== key) await rm(join(parent, other), { recursive: true, force: true })
  }
  const built = await findComponent(cacheDir, name, key)
  if (!built) throw new Error(`the entry of ${name} vanished while it was stored`)
  return built
}
