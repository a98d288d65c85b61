import type { KubeObject } from '../kube/client.ts'
import { canonicalReference } from '../images/canonical-reference.ts'
import type { ImageSupply } from '../images/image-source.ts'
import { containersOf, podTemplateOf } from '../manifests/pod-template.ts'
import type { Shortage } from './shortage.ts'

/** Full references of every image that the pods of these objects run. */
export function imagesOf(objects: readonly KubeObject[]): Set<string> {
  return new Set(used(objects).map(({ ref }) => ref))
}

/**
 * Containers whose image would never come into a node: `Never` and `IfNotPresent` need an image that the source brings, unless
 * the nodes can pull; `Always` makes the kubelet ask the image's registry even when the image is in the node
 * (https://kubernetes.io/docs/concepts/containers/images/#image-pull-policy). Pure.
 */
export function imageShortages(objects: readonly KubeObject[], supply: ImageSupply): Shortage[] {
  const given = new Set([...supply.inNodes, ...supply.loadable])
  const rows = used(objects).flatMap(({ who, ref, policy }): Shortage[] => {
    const row = (has: string): Shortage[] => [{ who, asks: `${ref}, imagePullPolicy ${policy}`, has }]
    if (policy === 'Always') {
      return supply.registry
        ? []
        : row(`the kubelet would ask the registry ${ref.slice(0, ref.indexOf('/'))}, which is not there`)
    }
    if (given.has(ref) || (policy === 'IfNotPresent' && supply.registry)) return []
    return row('the images come from a source that does not have it')
  })
  return [...new Map(rows.map((row) => [`${row.who} ${row.asks}`, row])).values()]
}

/** Images that are made on this machine and that pods would nevertheless pull. */
export function pulledInstead(objects: readonly KubeObject[], supply: ImageSupply): string[] {
  const refs = used(objects).filter(({ ref, policy }) => policy === 'Always' && supply.madeHere.includes(ref))
  return [...new Set(refs.map(({ ref }) => ref))]
}

/** One image that a container of these objects runs, with its full reference and the policy that counts. */
export interface ImageUse {
  /** `Deployment slate/ollama`. */
  who: string
  ref: string
  policy: string
}

/** Every image that the pods of these objects run, one entry a container. Pure. */
export function used(objects: readonly KubeObject[]): ImageUse[] {
  return objects.flatMap((object) => {
    const template = podTemplateOf(object)
    if (!template) return []
    const { namespace, name } = object.metadata
    const who = `${object.kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`
    return containersOf(template).flatMap(({ container: { image, imagePullPolicy } }) =>
      image === undefined
        ? []
        : [{ who, ref: canonicalReference(image), policy: imagePullPolicy ?? defaultPolicy(image) }],
    )
  })
}

const defaultPolicy = (image: string): string => {
  if (image.includes('@')) return 'IfNotPresent'
  const tag = /:([^/:]+)$/.exec(image)?.[1] ?? 'latest'
  return tag === 'latest' ? 'Always' : 'IfNotPresent'
}
