import { canonicalReference } from '../images/canonical-reference.ts'
import type { LoadableImage } from './provider.ts'

interface CrictlImages {
  images?: { id?: string; repoTags?: string[] | null }[]
}

/** References in a node by image id, from `crictl images --output json`. */
export function parseCrictlImages(json: string): Map<string, Set<string>> {
  const { images = [] } = JSON.parse(json) as CrictlImages
  return new Map(images.map(({ id = '', repoTags }) => [id, new Set(repoTags ?? [])]))
}

/** Archives that hold an image which the node lacks, or knows under that reference with other content; each archive once. */
export function missingArchives(
  images: readonly LoadableImage[],
  present: ReadonlyMap<string, ReadonlySet<string>>,
): string[] {
  const missing = images.filter(({ ref, id }) => present.get(id)?.has(canonicalReference(ref)) !== true)
  return [...new Set(missing.map(({ archive }) => archive))]
}
