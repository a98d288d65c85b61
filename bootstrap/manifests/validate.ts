import { relative } from 'node:path'
import type { KubeObject } from '../kube/client.ts'
import type { Paths } from '../plan/options.ts'
import { objectProblems } from './object-problems.ts'
import { invalidManifests, type Problem } from './problem.ts'
import { isOfKubeadm, referenceProblems } from './reference-problems.ts'
import { renderKustomization } from './render.ts'
import { sourceFinder } from './source-of.ts'

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
  options: { paths: Paths; signal: AbortSignal },
): Promise<KubeObject[]> {
  const objects = await renderKustomization(directory, options)
  const overlay = relative(options.paths.repo, directory) || directory
  const problems = validateObjects(objects, overlay)
  if (problems.length === 0) return objects
  const place = await sourceFinder(directory, options.paths.repo)
  const located = problems.map((problem) => {
    const object = objects[problem.document - 1]
    const found = object && place(object)
    return found ? { ...problem, source: found.file, document: found.document } : problem
  })
  throw invalidManifests(located, `Nothing of ${overlay} was applied.`)
}
