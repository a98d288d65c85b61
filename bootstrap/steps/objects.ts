import { managedLabel } from '../engine/engine.ts'
import { marksOf } from '../existing/ours.ts'
import { canonicalReference } from '../images/canonical-reference.ts'
import type { KubeObject, ObjectRef } from '../kube/client.ts'
import { canonicalHash, type Plan } from '../plan/plan.ts'

/** Annotation with the hash of the object as we wanted it when we applied it. */
export const appliedAnnotation = 'local-cloud.io/applied'
/** Annotation on pod templates: ids of the images that were loaded into the nodes, so that a new build is rolled out. */
export const imagesAnnotation = 'local-cloud.io/images'

/** An object as it shall be, known by its hash. */
export interface DesiredObject {
  ref: ObjectRef
  hash: string
}

export interface StampedObject extends DesiredObject {
  object: KubeObject
}

/** Labels of what is ours on a cluster of ours. */
export const ownMarks: Readonly<Record<string, string>> = { [managedLabel]: 'true' }

/** Labels of what is ours on the cluster of a plan. */
export const marksFor = ({ name, provider }: Pick<Plan, 'name' | 'provider'>): Record<string, string> =>
  provider === 'existing' ? marksOf(name) : { ...ownMarks }

/**
 * The objects with our labels, by default `ownMarks`, and the hash of their content. `imageIds` maps image references to ids; pod templates of
 * Deployments, StatefulSets and DaemonSets that use one of them carry its id, for the same reference can name a newer build.
 */
export function stamp(
  objects: readonly KubeObject[],
  imageIds: Readonly<Record<string, string>>,
  marks: Readonly<Record<string, string>> = ownMarks,
): StampedObject[] {
  return objects.map((original) => {
    const object = withImageIds(structuredClone(original), imageIds)
    const hash = canonicalHash(object)
    object.metadata.labels = { ...object.metadata.labels, ...marks }
    object.metadata.annotations = { ...object.metadata.annotations, [appliedAnnotation]: hash }
    return { ref: refOf(object), hash, object }
  })
}

export function refOf(object: KubeObject): ObjectRef {
  const { name, namespace } = object.metadata
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    name,
    ...(namespace === undefined ? {} : { namespace }),
  }
}

/** `apps/v1 Deployment slate/ollama`, unique in a cluster. */
export function refKey(ref: ObjectRef): string {
  return `${ref.apiVersion} ${ref.kind} ${ref.namespace ?? ''}/${ref.name}`
}

/** The reverse of `refKey`. */
export function parseRefKey(key: string): ObjectRef {
  const [apiVersion = '', kind = '', path = ''] = key.split(' ')
  const slash = path.indexOf('/')
  const namespace = path.slice(0, slash)
  return { apiVersion, kind, name: path.slice(slash + 1), ...(namespace === '' ? {} : { namespace }) }
}

/** `Deployment slate/ollama`, for people. */
export function refWords(ref: ObjectRef): string {
  return `${ref.kind} ${ref.namespace === undefined ? '' : `${ref.namespace}/`}${ref.name}`
}

const rolledOut = new Set(['Deployment', 'StatefulSet', 'DaemonSet'])

interface PodTemplate {
  metadata?: { annotations?: Record<string, string> }
  spec?: { containers?: { image?: string }[]; initContainers?: { image?: string }[] }
}

function withImageIds(object: KubeObject, imageIds: Readonly<Record<string, string>>): KubeObject {
  const template = (object['spec'] as { template?: PodTemplate } | undefined)?.template
  if (!rolledOut.has(object.kind) || !template) return object
  const used = [...(template.spec?.containers ?? []), ...(template.spec?.initContainers ?? [])]
    .map((container) => imageIds[canonicalReference(container.image ?? '')])
    .filter((id) => id !== undefined)
  if (used.length === 0) return object
  template.metadata = {
    ...template.metadata,
    annotations: {
      ...template.metadata?.annotations,
      [imagesAnnotation]: [...new Set(used)].sort().join(','),
    },
  }
  return object
}
