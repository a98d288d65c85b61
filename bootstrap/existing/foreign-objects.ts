import { statusOf } from '../kube/api-status.ts'
import type { KubeObject, ListingKube, ObjectRef } from '../kube/client.ts'
import { words } from '../kube/discovery.ts'
import { inParallel } from '../kube/in-parallel.ts'
import { isOurs } from './ours.ts'

export interface ForeignQuery {
  /** Ours on that cluster. */
  name: string
  /** What is going to be applied. */
  objects: readonly KubeObject[]
  /** Namespaces of others in which these objects may be made all the same, as an add-on's in kube-system. */
  guestIn?: ReadonlySet<string>
}

const concurrency = 8

/**
 * What stands in the way of applying these objects without touching what is not ours: namespaces and objects that are there without our
 * labels, and namespaces that nobody here makes. One sentence each, namespaces first; empty when there is nothing. Reads only.
 */
export async function foreignObjects(
  kube: ListingKube,
  { name, objects: given, guestIn = new Set() }: ForeignQuery,
  signal: AbortSignal,
): Promise<string[]> {
  const objects = placed(given, await kube.listableKinds(signal))
  const made = new Set(
    objects.filter(({ kind }) => kind === 'Namespace').map(({ metadata }) => metadata.name),
  )
  const used = new Set(objects.flatMap(({ metadata }) => metadata.namespace ?? []))
  const namespaces = [...new Set([...made, ...used])].sort()
  const found = await inParallel(namespaces, concurrency, signal, (namespace, stop) =>
    kube.get({ apiVersion: 'v1', kind: 'Namespace', name: namespace }, stop),
  )
  const there = new Map(namespaces.map((namespace, index) => [namespace, found[index]]))
  const foreign = namespaces.filter((namespace) => {
    const object = there.get(namespace)
    return object !== undefined && !isOurs(object, name) && (made.has(namespace) || !guestIn.has(namespace))
  })
  const unmade = namespaces.filter((namespace) => there.get(namespace) === undefined && !made.has(namespace))
  // Objects of a namespace that is not ours are told by that namespace, those of one that is not there cannot exist.
  const asked = objects.filter(
    ({ kind, metadata: { namespace } }) =>
      kind !== 'Namespace' &&
      (namespace === undefined || (there.get(namespace) !== undefined && !foreign.includes(namespace))),
  )
  const strangers = await inParallel(asked, concurrency, signal, async (object, stop) => {
    const ref = refOf(object)
    const live = await liveOf(kube, ref, stop)
    return live !== undefined && !isOurs(live, name) ? [`${words(ref)} is there and is not ours`] : []
  })
  return [
    ...foreign.map((namespace) => `Namespace ${namespace} is there and is not ours`),
    ...unmade.map((namespace) => `Namespace ${namespace} is not there, and nothing here makes it`),
    ...strangers.flat(),
  ]
}

/** The objects with the namespace into which the API puts one that names none. */
function placed(
  objects: readonly KubeObject[],
  kinds: readonly { apiVersion: string; kind: string; namespaced: boolean }[],
): KubeObject[] {
  const namespaced = new Set(
    kinds.filter((one) => one.namespaced).map(({ apiVersion, kind }) => `${apiVersion} ${kind}`),
  )
  return objects.map((object) =>
    object.metadata.namespace === undefined && namespaced.has(`${object.apiVersion} ${object.kind}`)
      ? { ...object, metadata: { ...object.metadata, namespace: 'default' } }
      : object,
  )
}

const refOf = ({ apiVersion, kind, metadata: { name, namespace } }: KubeObject): ObjectRef => ({
  apiVersion,
  kind,
  name,
  ...(namespace === undefined ? {} : { namespace }),
})

/** The object that is there; none of a kind that the cluster does not serve. */
async function liveOf(
  kube: ListingKube,
  ref: ObjectRef,
  signal: AbortSignal,
): Promise<KubeObject | undefined> {
  try {
    return await kube.get(ref, signal)
  } catch (error) {
    if (statusOf(error)?.code === 404) return undefined
    throw error
  }
}
