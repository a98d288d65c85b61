import { probeLabel } from '../addons/probe-namespace.ts'
import { statusOf } from '../kube/api-status.ts'
import { words } from '../kube/discovery.ts'
import type { KubeObject, ListableKind, ListingKube, ObjectRef } from '../kube/client.ts'
import { absent } from '../kube/conditions/absent.ts'
import { inParallel } from '../kube/in-parallel.ts'
import type { StepRun } from '../steps/step.ts'
import { isOurs, marksQuery, ownNamespace, runLabel } from './ours.ts'

/** What was removed and what was not. */
export interface Removal {
  /** How many objects, not counting what went with a namespace. */
  removed: number
  /** Why a namespace of ours stays: sentences that name what others put into it. */
  kept: string[]
  /** Kinds that may not be looked at, so that nothing is known of them. */
  unseen: string[]
}

const concurrency = 8
/** How long the storage of a cluster may take to remove the volumes of claims that are gone, milliseconds. */
const volumesMs = 120_000

/** Kinds that come and go by themselves, or are views of something else. */
const passing = new Set(['Event', 'Lease', 'PodMetrics', 'NodeMetrics', 'ComponentStatus', 'Endpoints'])

/**
 * Removes from a cluster everything that carries our labels for this name, and nothing else: found by the labels alone, from any half
 * state, twice. What asks for volumes goes first and its volumes are waited for, while what provides them still runs; the namespace with the
 * record goes last, so that an interrupted removal can be told and repeated. A namespace of ours in which others have put something is
 * emptied of ours and stays. With `only`, of what is ours only these objects and what lies in namespaces among them.
 * @throws LocalCloudError API_REFUSED, API_UNREACHABLE, WAIT_TIMEOUT for what does not go
 */
export async function removeOurs(
  kube: ListingKube,
  name: string,
  run: StepRun,
  only?: readonly ObjectRef[],
): Promise<Removal> {
  const { signal } = run
  const { kinds, found: all, unseen } = await lookForOurs(kube, name, signal)
  const found = only === undefined ? all : all.filter(isAmong(only))
  if (found.length === 0) return { removed: 0, kept: [], unseen }
  run.progress(`${String(found.length)} objects carry our labels`)

  const namespaces = found.filter(({ kind }) => kind === 'Namespace').map(({ metadata }) => metadata)
  const throwaway = namespaces.filter(
    ({ labels }) => labels?.[probeLabel] !== undefined || labels?.[runLabel] !== undefined,
  )
  const lasting = namespaces.filter((one) => !throwaway.includes(one)).map((one) => one.name)
  const strangers = await foreignContent(kube, kinds, name, lasting, signal)
  const kept = lasting.filter((namespace) => strangers.has(namespace))
  const whole = namespaces.map((one) => one.name).filter((namespace) => !kept.includes(namespace))

  const claims = await kube.list({ apiVersion: 'v1', kind: 'PersistentVolumeClaim' }, signal)
  const withClaims = new Set(
    claims.flatMap((claim) =>
      whole.includes(claim.metadata.namespace ?? '') || isOurs(claim, name)
        ? (claim.metadata.namespace ?? [])
        : [],
    ),
  )
  const inWhole = ({ metadata }: KubeObject): boolean => whole.includes(metadata.namespace ?? '')
  const single = found.filter(
    (object) => object.kind !== 'Namespace' && !inWhole(object) && !isGenerated(object),
  )
  const last = ownNamespace(name)
  const remove = (refs: readonly ObjectRef[]): Promise<unknown> =>
    inParallel(refs, concurrency, signal, (ref, stop) => kube.delete(ref, { signal: stop, wait: true }))
  const namespaceRefs = (names: readonly string[]): ObjectRef[] =>
    names.map((namespace) => ({ apiVersion: 'v1', kind: 'Namespace', name: namespace }))

  run.progress('removing what uses volumes')
  await Promise.all([
    remove(namespaceRefs(whole.filter((namespace) => withClaims.has(namespace) && namespace !== last))),
    remove(
      single
        .filter(({ metadata }) => metadata.namespace !== undefined && withClaims.has(metadata.namespace))
        .map(refOf),
    ),
  ])
  await volumesGone(kube, [...withClaims], name, signal)
  run.progress('removing the rest')
  const rest = single.filter(({ metadata }) => !withClaims.has(metadata.namespace ?? ''))
  const volumes = rest.filter(({ kind }) => kind === 'PersistentVolume')
  await remove(rest.filter((object) => !volumes.includes(object)).map(refOf))
  await remove(namespaceRefs(whole.filter((namespace) => !withClaims.has(namespace) && namespace !== last)))
  await remove(volumes.map(refOf))
  await remove(namespaceRefs(whole.filter((namespace) => namespace === last)))
  return {
    removed: single.length + whole.length,
    kept: kept.map(
      (namespace) =>
        `Namespace ${namespace}, for it holds what is not ours: ${(strangers.get(namespace) ?? []).join(', ')}`,
    ),
    unseen,
  }
}

/** Whether an object is one of these, in whatever version of its group, or lies in a namespace among them. */
function isAmong(refs: readonly ObjectRef[]): (object: KubeObject) => boolean {
  const keyOf = ({ apiVersion, kind, namespace, name }: ObjectRef): string =>
    `${apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : ''} ${kind} ${namespace ?? ''}/${name}`
  const keys = new Set(refs.map(keyOf))
  const namespaces = new Set(refs.filter(({ kind }) => kind === 'Namespace').map(({ name }) => name))
  return (object) => keys.has(keyOf(refOf(object))) || namespaces.has(object.metadata.namespace ?? '')
}

/** What still carries our labels; namespaces that had to stay (`removeOurs`) are not counted. */
export async function leftOfOurs(
  kube: ListingKube,
  name: string,
  kept: readonly string[],
  signal: AbortSignal,
): Promise<string[]> {
  const { found } = await lookForOurs(kube, name, signal)
  return found
    .filter((object) => !isGenerated(object))
    .map((object) => words(refOf(object)))
    .filter((object) => !kept.some((line) => line.startsWith(`${object},`)))
}

/** Everything with our labels, and the kinds that were looked through. */
async function lookForOurs(
  kube: ListingKube,
  name: string,
  signal: AbortSignal,
): Promise<{ kinds: ListableKind[]; found: KubeObject[]; unseen: string[] }> {
  const all = (await kube.listableKinds(signal)).filter(
    ({ deletable, kind }) => deletable && !passing.has(kind),
  )
  const lists = await inParallel(all, concurrency, signal, async (type, stop) => {
    const { apiVersion, kind } = type
    try {
      const objects = await kube.list({ apiVersion, kind, labelSelector: marksQuery(name) }, stop)
      // Lists leave out of their items what the list itself says.
      return { type, objects: objects.map((object) => ({ ...object, apiVersion, kind })) }
    } catch (error) {
      if (![403, 404, 405].includes(statusOf(error)?.code ?? 0)) throw error
      return { type }
    }
  })
  return {
    kinds: lists.filter(({ objects }) => objects !== undefined).map(({ type }) => type),
    found: lists.flatMap(({ objects }) => objects ?? []),
    unseen: lists.filter(({ objects }) => objects === undefined).map(({ type }) => type.kind),
  }
}

/** Whether a controller made it for something else and takes it away with that. */
const isGenerated = ({ metadata }: KubeObject): boolean => (metadata.ownerReferences ?? []).length > 0

/**
 * What these namespaces hold that is not ours, by namespace. Ours are objects with our labels or of an end-to-end run; what controllers
 * made for others goes with those; and what every other namespace of the cluster has under the same name, such as the default
 * ServiceAccount, belongs to the namespace itself.
 */
async function foreignContent(
  kube: ListingKube,
  kinds: readonly ListableKind[],
  name: string,
  namespaces: readonly string[],
  signal: AbortSignal,
): Promise<Map<string, string[]>> {
  if (namespaces.length === 0) return new Map()
  const all = await kube.list({ apiVersion: 'v1', kind: 'Namespace' }, signal)
  const others = all
    .filter((one) => one.metadata.deletionTimestamp === undefined && !isOurs(one, name))
    .map(({ metadata }) => metadata.name)
  const sets = (await kube.list({ apiVersion: 'apps/v1', kind: 'StatefulSet' }, signal)).filter((one) =>
    isOurs(one, name),
  )
  const strangers = await inParallel(
    kinds.filter(({ namespaced }) => namespaced),
    concurrency,
    signal,
    async ({ apiVersion, kind }, stop) => {
      const inside = await Promise.all(
        namespaces.map((namespace) => kube.list({ apiVersion, kind, namespace }, stop)),
      )
      const suspects = inside
        .flat()
        .filter(
          (object) =>
            !isOurs(object, name) &&
            !isGenerated(object) &&
            object.metadata.labels?.[runLabel] === undefined &&
            !ofServiceAccount(object) &&
            !sets.some((set) => ofStatefulSet({ ...object, kind }, set)),
        )
      if (suspects.length === 0) return []
      const everywhere = await kube.list({ apiVersion, kind }, stop)
      const placesOf = (object: string): Set<string> =>
        new Set(
          everywhere
            .filter(({ metadata }) => metadata.name === object)
            .map(({ metadata }) => metadata.namespace ?? ''),
        )
      return suspects
        .filter(({ metadata }) => {
          const places = placesOf(metadata.name)
          return !others.every((one) => places.has(one))
        })
        .map((object) => ({
          namespace: object.metadata.namespace ?? '',
          words: `${kind} ${object.metadata.name}`,
        }))
    },
  )
  const found = new Map<string, string[]>()
  for (const { namespace, words: object } of strangers.flat())
    found.set(namespace, [...(found.get(namespace) ?? []), object])
  return found
}

/** A token that the cluster made for a ServiceAccount; it has no owner but goes with it. */
const ofServiceAccount = (object: KubeObject): boolean =>
  object['type'] === 'kubernetes.io/service-account-token'

/** A claim that a StatefulSet made from its templates: it has no owner (`<template>-<set>-<ordinal>`). */
function ofStatefulSet({ kind, metadata }: KubeObject, set: KubeObject): boolean {
  const { volumeClaimTemplates = [] } = (set['spec'] ?? {}) as {
    volumeClaimTemplates?: { metadata?: { name?: string } }[]
  }
  return (
    kind === 'PersistentVolumeClaim' &&
    metadata.namespace === set.metadata.namespace &&
    volumeClaimTemplates.some((template) => {
      const stem = `${template.metadata?.name ?? ''}-${set.metadata.name}-`
      return metadata.name.startsWith(stem) && /^\d+$/.test(metadata.name.slice(stem.length))
    })
  )
}

const refOf = ({ apiVersion, kind, metadata: { name, namespace } }: KubeObject): ObjectRef => ({
  apiVersion,
  kind,
  name,
  ...(namespace === undefined ? {} : { namespace }),
})

/** Waits for the volumes that are to go with claims of these namespaces; one that its class retains is the owner's to remove. */
async function volumesGone(
  kube: ListingKube,
  namespaces: readonly string[],
  name: string,
  signal: AbortSignal,
): Promise<void> {
  if (namespaces.length === 0) return
  const volumes = await kube.list({ apiVersion: 'v1', kind: 'PersistentVolume' }, signal)
  const going = volumes.filter((volume) => {
    const { claimRef, persistentVolumeReclaimPolicy } = (volume['spec'] ?? {}) as {
      claimRef?: { namespace?: string }
      persistentVolumeReclaimPolicy?: string
    }
    return (
      !isOurs(volume, name) &&
      persistentVolumeReclaimPolicy === 'Delete' &&
      namespaces.includes(claimRef?.namespace ?? '')
    )
  })
  await Promise.all(
    going.map((volume) =>
      kube.waitFor({ apiVersion: 'v1', kind: 'PersistentVolume', name: volume.metadata.name }, absent, {
        timeoutMs: volumesMs,
        signal,
      }),
    ),
  )
}
