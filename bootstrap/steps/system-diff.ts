import { comparable, masked } from '../diff/comparable.ts'
import { unifiedDiff } from '../diff/unified.ts'
import { toLocalCloudError } from '../errors/to-local-cloud-error.ts'
import type { ConnectedKube, KubeObject, ObjectRef, Rehearsal } from '../kube/client.ts'
import { inParallel } from '../kube/in-parallel.ts'
import { throwIfAborted } from '../process/run-command.ts'
import { finishedJobs } from './finished-jobs.ts'
import { appliedAnnotation, parseRefKey, refKey, refWords, stamp, type StampedObject } from './objects.ts'
import type { ClusterRecord } from './record.ts'

/** What the next `up` would do to one object. */
export interface ObjectDiff {
  object: ObjectRef
  /**
   * `replaced`: deleted and made again, because it cannot be changed. `finished`: a Job that has done its work and is gone. `refused`: the
   * server would not take it.
   */
  change: 'unchanged' | 'created' | 'changed' | 'replaced' | 'removed' | 'finished' | 'refused'
  /** Unified diff; empty where there is none to show. */
  patch: string
  /** Warnings of the server. */
  warnings: string[]
  /** Why the server refuses it, in its words. */
  refusal?: string
}

export interface SystemDiff {
  objects: ObjectDiff[]
  /** What could not be compared as it would be applied, and how it was done instead. */
  notes: string[]
}

/** Where objects are rehearsed whose own namespace does not exist. */
const substitute = 'default'
/** Requests in flight. */
const concurrency = 8

/**
 * Compares a rendered system with the cluster, object by object: what is there with the server's own answer to a dry run of what
 * `up` would apply, so that defaults, admission, quota and Pod Security have spoken. Nothing is changed. Values of Secrets
 * are not in the result.
 *
 * A namespace that does not exist is not made for this: its objects are rehearsed in `default` under their own names, which is
 * noted, for neither the quota nor the Pod Security level of their own namespace speak there.
 */
export async function systemDiff(options: {
  kube: Pick<ConnectedKube, 'get' | 'rehearse'>
  record: Pick<ClusterRecord, 'parts' | 'images'>
  system: string
  objects: readonly KubeObject[]
  /** Labels with which `up` applies them; default those on a cluster of ours. */
  marks?: Readonly<Record<string, string>>
  signal: AbortSignal
}): Promise<SystemDiff> {
  const { kube, record, system, objects, marks, signal } = options
  const wanted = stamp(objects, record.images?.ids ?? {}, marks)
  const recorded = record.parts[`system.${system}`]
  const get = (ref: ObjectRef): Promise<KubeObject | undefined> => kube.get(ref, signal)
  const missing = await missingNamespaces(wanted, get)
  const finished = await finishedJobs(get, recorded, wanted)
  const diffs = await inParallel(wanted, concurrency, signal, async (one, stop): Promise<ObjectDiff> => {
    try {
      return await diffOf(kube, one, { missing, finished, signal: stop })
    } catch (error) {
      throwIfAborted(stop)
      const known = toLocalCloudError(error)
      if (known.code !== 'API_REFUSED') throw known
      return { object: one.ref, change: 'refused', patch: '', warnings: [], refusal: known.message }
    }
  })
  const kept = new Set(wanted.map(({ ref }) => refKey(ref)))
  const stale = Object.keys(recorded?.objects ?? {}).filter((key) => !kept.has(key))
  const removed = await inParallel(stale, concurrency, signal, async (key): Promise<ObjectDiff[]> => {
    const object = parseRefKey(key)
    const live = await get(object)
    if (!live) return []
    return [{ object, change: 'removed', patch: await patchOf(object, live, undefined), warnings: [] }]
  })
  return {
    objects: [...diffs, ...removed.flat()],
    notes: [...missing].map(
      (name) =>
        `The namespace ${name} does not exist: its objects were rehearsed in the namespace ${substitute}, where its quota, limits and Pod Security level do not speak.`,
    ),
  }
}

async function missingNamespaces(
  wanted: readonly StampedObject[],
  get: (ref: ObjectRef) => Promise<KubeObject | undefined>,
): Promise<ReadonlySet<string>> {
  const names = [...new Set(wanted.flatMap(({ ref }) => ref.namespace ?? []))]
  const found = await Promise.all(names.map((name) => get({ apiVersion: 'v1', kind: 'Namespace', name })))
  return new Set(names.filter((_, index) => found[index] === undefined))
}

async function diffOf(
  kube: Pick<ConnectedKube, 'rehearse'>,
  { ref, object }: StampedObject,
  options: { missing: ReadonlySet<string>; finished: ReadonlySet<string>; signal: AbortSignal },
): Promise<ObjectDiff> {
  const { missing, finished, signal } = options
  const away = ref.namespace !== undefined && missing.has(ref.namespace)
  const rehearsal = await kube.rehearse(object, {
    signal,
    ...(away ? { as: { namespace: substitute } } : {}),
  })
  const { live, warnings } = rehearsal
  if (!live && finished.has(refKey(ref))) return { object: ref, change: 'finished', patch: '', warnings: [] }
  if (rehearsal.result) {
    const patch = await patchOf(ref, live, rehearsal.result)
    return {
      object: ref,
      change: live ? (patch === '' ? 'unchanged' : 'changed') : 'created',
      patch,
      warnings,
    }
  }
  // What may not be changed in a Job is changed by making it again; as a new one it is judged under another name.
  const replaced =
    live && ref.kind === 'Job' && rehearsal.refusal?.status === 422
      ? await kube.rehearse(object, { signal, as: { name: `${ref.name.slice(0, 50)}-diff` } })
      : undefined
  if (live && replaced?.result) {
    const patch = await patchOf(ref, live, replaced.result)
    return { object: ref, change: 'replaced', patch, warnings: replaced.warnings }
  }
  return { object: ref, change: 'refused', patch: '', warnings, refusal: refusalOf(replaced ?? rehearsal) }
}

const refusalOf = ({ refusal }: Rehearsal): string =>
  `${refusal?.message ?? 'no reason given'} (HTTP ${String(refusal?.status ?? 0)})`

function patchOf(
  ref: ObjectRef,
  live: KubeObject | undefined,
  after: KubeObject | undefined,
): Promise<string> {
  const clean = (object: KubeObject | undefined) => object && comparable(object, [appliedAnnotation])
  const [one, other] = masked(clean(live), clean(after))
  return unifiedDiff(one, other, refWords(ref).replace(' ', '/'))
}
