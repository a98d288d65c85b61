import { join, relative } from 'node:path'
import type { KubeObject } from '../kube/client.ts'
import type { Paths } from '../plan/options.ts'
import { withComposed } from './compose.ts'
import { objectProblems } from './object-problems.ts'
import { invalidManifests, type Problem } from './problem.ts'
import { isOfKubeadm, referenceProblems } from './reference-problems.ts'
import { renderKustomization } from './render.ts'
import { sourceFinder } from './source-of.ts'
import type { SystemChoice } from './system-choice.ts'
import { readSystemFile, variantsOf } from './system-file.ts'

/**
 * Everything that is wrong with a set of objects that are applied together, without a cluster: each by itself
 * (`objectProblems`) and the references between them (`referenceProblems`). `source` is told as their file, `document` counts
 * them from 1.
 */
export function validateObjects(objects: readonly KubeObject[], source: string): Problem[] {
  const problemAt = (index: number, problem: { field: string; problem: string }): Problem => {
    const object = objects[index]
    const namespace = object?.metadata.namespace
    const name = `${object?.kind ?? ''} ${namespace === undefined ? '' : `${namespace}/`}${object?.metadata.name ?? ''}`
    return { source, document: index + 1, object: name, ...problem }
  }
  return [
    ...objects.flatMap((object, index) =>
      objectProblems(object, { complete: !isOfKubeadm(object) }).map((problem) => problemAt(index, problem)),
    ),
    ...referenceProblems(objects).map(({ index, problem }) => problemAt(index, problem)),
  ]
}

/**
 * Renders the kustomization and checks what comes out. Returns the objects.
 * @throws LocalCloudError RENDER_FAILED; MANIFEST_INVALID with every problem: the file and document that the object is written
 * in (or the overlay, for what a generator made), the object, the field and what is wrong with it
 */
export async function validateOverlay(
  directory: string,
  options: { paths: Paths; signal: AbortSignal; name?: string; sources?: readonly string[] },
): Promise<KubeObject[]> {
  const { paths, name, sources = [directory] } = options
  const objects = await renderKustomization(directory, options)
  const overlay = name ?? (relative(paths.repo, directory) || directory)
  const problems = validateObjects(objects, overlay)
  if (problems.length === 0) return objects
  const places = await Promise.all(sources.map((source) => sourceFinder(source, paths.repo)))
  const located = problems.map((problem) => {
    const object = objects[problem.document - 1]
    const found = object && places.map((place) => place(object)).find((place) => place !== undefined)
    return found ? { ...problem, source: found.file, document: found.document } : problem
  })
  throw invalidManifests(located, `Nothing of ${overlay} was applied.`)
}

/**
 * As `validateOverlay`, for overlays/SYSTEM/ENVIRONMENT with these values of the system's options.
 * @throws LocalCloudError also BAD_SYSTEM_FILE, and BAD_VALUE for an option or value that the system does not have
 */
export async function validateSystem(
  { system, environment, choices }: SystemChoice,
  options: { paths: Paths; signal: AbortSignal },
): Promise<KubeObject[]> {
  const { paths } = options
  const variants = variantsOf(await readSystemFile(paths.repo, system), system, choices)
  const overlay = join(paths.repo, 'overlays', system, environment)
  const components = join(paths.repo, 'manifests', system, 'components')
  const sources = [overlay, ...variants.flatMap(({ add }) => add.map((name) => join(components, name)))]
  return withComposed(overlay, { paths, components, variants }, (directory) =>
    validateOverlay(directory, { ...options, name: relative(paths.repo, overlay), sources }),
  )
}
