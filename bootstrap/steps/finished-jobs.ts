import type { KubeObject, ObjectRef } from '../kube/client.ts'
import { canonicalHash } from '../plan/plan.ts'
import { refKey, type DesiredObject, type StampedObject } from './objects.ts'
import type { PartRecord } from './record.ts'

/** What the record keeps of a Job that was seen to complete and deletes itself some time later. */
export interface FinishedJob {
  /** The Job's hash at that time. */
  hash: string
  /** What it worked on: a hash of the uids of its namespace and of the claims in it. */
  ground: string
}

/** Looks up an object of ours. */
export type FindObject = (ref: ObjectRef) => Promise<KubeObject | undefined>

/** How a finished Job that is gone is told. */
export const finishedWords = 'was complete, and has been deleted by its time to live'

/** Whether somebody shows the object as it is, rather than on its way out. */
export const isThere = (object: KubeObject | undefined): object is KubeObject =>
  object !== undefined && object.metadata.deletionTimestamp === undefined

/**
 * Keys of the Jobs among `desired` that count as done although they may be gone: they were seen to complete as they are wanted
 * now, and the namespace and claims they worked on are still the same objects. Where one of those was made anew, as after
 * `kubectl delete namespace`, the Job's work is lost and it has to run again.
 */
export async function finishedJobs(
  find: FindObject,
  recorded: PartRecord | undefined,
  desired: readonly DesiredObject[],
): Promise<ReadonlySet<string>> {
  const done = new Set<string>()
  for (const { ref, hash } of desired) {
    const finished = recorded?.finished?.[refKey(ref)]
    if (ref.kind !== 'Job' || finished?.hash !== hash) continue
    if (finished.ground === (await groundOf(find, ref, desired))) done.add(refKey(ref))
  }
  return done
}

/** What the record is to keep of the Jobs among `wanted` that delete themselves; call when all of them are complete. */
export async function finishedRecord(
  find: FindObject,
  wanted: readonly StampedObject[],
): Promise<Record<string, FinishedJob>> {
  const entries: [string, FinishedJob][] = []
  for (const { ref, hash, object } of wanted) {
    const spec = object['spec'] as { ttlSecondsAfterFinished?: number } | undefined
    if (ref.kind !== 'Job' || spec?.ttlSecondsAfterFinished === undefined) continue
    const ground = await groundOf(find, ref, wanted)
    if (ground !== undefined) entries.push([refKey(ref), { hash, ground }])
  }
  return Object.fromEntries(entries)
}

/** Undefined while a part of it is missing. */
async function groundOf(
  find: FindObject,
  job: ObjectRef,
  desired: readonly DesiredObject[],
): Promise<string | undefined> {
  const below = desired
    .map(({ ref }) => ref)
    .filter(
      (ref) =>
        (ref.kind === 'Namespace' && ref.name === job.namespace) ||
        (ref.kind === 'PersistentVolumeClaim' && ref.namespace === job.namespace),
    )
  const uids: Record<string, string> = {}
  for (const ref of below) {
    const object = await find(ref)
    if (!isThere(object)) return undefined
    uids[refKey(ref)] = object.metadata.uid ?? ''
  }
  return canonicalHash(uids)
}
