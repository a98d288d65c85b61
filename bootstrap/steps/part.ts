import type { KubeObject } from '../kube/client.ts'
import { canonicalHash } from '../plan/plan.ts'
import { finishedJobs, finishedRecord, finishedWords, isThere } from './finished-jobs.ts'
import {
  appliedAnnotation,
  parseRefKey,
  refKey,
  refWords,
  stamp,
  type DesiredObject,
  type StampedObject,
} from './objects.ts'
import { deleteRecorded } from './prune.ts'
import type { PartRecord } from './record.ts'
import { deleteReplaced, jobsToReplace, volumesToReplace } from './replace-objects.ts'
import type { Session } from './session.ts'
import type { Observation, Step, StepRun } from './step.ts'
import { waitForWorkloads } from './wait-for-workloads.ts'
import { readiness, readyCondition } from './workload.ts'

/** A set of objects that belong together, are applied together and proven together: an add-on or a system. */
export interface Part {
  /** Key in the record: `addon.cilium`, `system.slate`. */
  part: string
  step: string
  title: string
  needs: readonly string[]
  timeoutMs: number
  /** Called in `observe` and `apply`; the same objects every time. */
  objects(run: StepRun): Promise<readonly KubeObject[]>
  /** Ids of loaded images by reference, for `stamp`; default none. */
  imageIds?(): Promise<Readonly<Record<string, string>>>
  /** Called before the objects are applied. */
  before?(run: StepRun): Promise<void>
  /** Proves, once everything is ready (`ready` says how much), that the part does what it is for; returns what was seen. PROBE_FAILED otherwise. */
  prove(run: StepRun, ready: string): Promise<string>
}

/** Left to the proof's own diagnosis, so that its error and not the step's bare time-out is what the user reads. */
const graceMs = 3_000

const desiredHashes = (desired: readonly DesiredObject[]): Record<string, string> =>
  Object.fromEntries(desired.map(({ ref, hash }) => [refKey(ref), hash]))

/** What `proven` of a part's record must be for these objects. */
export const provenHash = (objects: Record<string, string>): string => canonicalHash(objects)

/** The objects of a part as its record names them. */
export const recordedObjects = (part: PartRecord): DesiredObject[] =>
  Object.entries(part.objects).map(([key, hash]) => ({ ref: parseRefKey(key), hash }))

/**
 * How far a part is in the cluster: its objects are there with the hash they were applied with, its workloads are ready,
 * and it has been proven. Lists each kind once per look.
 */
export async function observePart(
  session: Session,
  part: string,
  desired: readonly DesiredObject[],
): Promise<Observation> {
  const { cluster, kube, record, trouble } = await session.look()
  if (!cluster) return { state: 'absent', reason: `no cluster ${session.name}` }
  if (!kube) return { state: 'partial', reason: `the API does not answer: ${trouble ?? 'no reason known'}` }
  const recorded = record?.parts[part]
  const finished = await finishedJobs((ref) => session.find(ref), recorded, desired)
  const found = await Promise.all(
    desired.map(async ({ ref, hash }) => {
      const object = await session.find(ref)
      return { ref, hash, object, done: finished.has(refKey(ref)) && !isThere(object) }
    }),
  )
  const total = String(desired.length)
  const missing = found.filter(({ object, done }) => !isThere(object) && !done)
  if (missing.length === desired.length && desired.length > 0) {
    return { state: 'absent', reason: `none of its ${total} objects is there` }
  }
  const differing = found.filter(
    ({ object, hash, done }) => !done && object && object.metadata.annotations?.[appliedAnnotation] !== hash,
  )
  if (missing.length > 0 || differing.length > 0) {
    const counts = [
      ...(missing.length > 0 ? [`${String(missing.length)} missing`] : []),
      ...(differing.length > 0 ? [`${String(differing.length)} changed`] : []),
    ]
    const first = [...missing, ...differing][0]
    return {
      state: 'partial',
      reason: `of ${total} objects ${counts.join(' and ')}, the first ${first ? refWords(first.ref) : ''}`,
    }
  }
  const hashes = desiredHashes(desired)
  const stale = Object.keys(recorded?.objects ?? {}).filter((key) => hashes[key] === undefined)
  if (stale[0] !== undefined) {
    return {
      state: 'partial',
      reason: `no longer wanted: ${stale.map((key) => refWords(parseRefKey(key))).join(', ')}`,
    }
  }
  const workloads = found.filter(({ ref }) => readyCondition(ref.kind) !== undefined)
  const states = workloads.map(({ ref, object, done }) => ({
    ref,
    ...(done ? { ready: true, words: finishedWords } : readiness(ref.kind, object)),
  }))
  const ready = `${String(states.filter((state) => state.ready).length)} of ${String(states.length)} ready`
  const unready = states.find((state) => !state.ready)
  if (unready) return { state: 'partial', reason: `${ready}: ${unready.ref.name} ${unready.words}` }
  if (recorded?.proven !== provenHash(hashes))
    return { state: 'partial', reason: 'applied, but not proven yet' }
  return { state: 'done', reason: `${total} objects, ${states.length === 0 ? 'proven' : `${ready}, proven`}` }
}

/** The step that applies a part, removes what it no longer has, waits for its workloads and proves it. */
export function partStep(session: Session, part: Part): Step {
  let started = Date.now()
  const left = (): number =>
    Math.max(1_000, Math.min(part.timeoutMs - (Date.now() - started), session.remainingMs()) - graceMs)
  const desired = async (run: StepRun): Promise<StampedObject[]> =>
    stamp(await part.objects(run), (await part.imageIds?.()) ?? {}, session.marks)
  return {
    id: part.step,
    title: part.title,
    needs: part.needs,
    timeoutMs: part.timeoutMs,
    async observe(run) {
      started = Date.now()
      const observed = await observePart(session, part.part, await desired(run))
      // Right after a start the API still tells how things were before.
      return observed.state === 'done' && session.hasClusterChanged()
        ? { state: 'partial', reason: 'to be proven again, for the cluster was started' }
        : observed
    },
    async apply(run) {
      const { signal } = run
      const kube = await session.kube()
      const { record } = await session.look()
      const old = record?.parts[part.part]
      const wanted = await desired(run)
      await part.before?.(run)
      const finished = await finishedJobs((ref) => session.find(ref), old, wanted)
      const pending = wanted.filter(({ ref }) => !finished.has(refKey(ref)))
      const jobs = await jobsToReplace(pending, (ref) => session.find(ref))
      const again = new Set(jobs.map((job) => job.wanted))
      await deleteReplaced(session, kube, await volumesToReplace(pending, (ref) => session.find(ref)), signal)
      const apply = async (some: readonly StampedObject[]): Promise<number> => {
        const changes = await kube.apply(
          some.map(({ object }) => object),
          { signal },
        )
        session.objectsChanged()
        return changes.filter(({ change }) => change !== 'unchanged').length
      }
      let changed = await apply(pending.filter((one) => !again.has(one)))
      // Only now, for before this the server had not accepted the rest.
      await deleteReplaced(session, kube, jobs, signal)
      if (again.size > 0) changed += await apply([...again])
      run.progress(`${String(changed)} of ${String(wanted.length)} objects applied`)
      const objects = desiredHashes(wanted)
      const elsewhere = new Set(
        Object.entries(record?.parts ?? {}).flatMap(([key, other]) =>
          key === part.part ? [] : Object.keys(other.objects),
        ),
      )
      const stale = Object.keys(old?.objects ?? {}).filter(
        (key) => objects[key] === undefined && !elsewhere.has(key),
      )
      if (stale.length > 0) {
        run.progress(`removing ${stale.map((key) => refWords(parseRefKey(key))).join(', ')}`)
        await deleteRecorded(session, stale.map(parseRefKey), run)
        session.objectsChanged()
      }
      const { proven, seen, finished: before } = old ?? {}
      await session.record({
        parts: {
          [part.part]: {
            title: part.title,
            objects,
            ...(proven === undefined ? {} : { proven }),
            ...(seen === undefined ? {} : { seen }),
            ...(before === undefined ? {} : { finished: before }),
          },
        },
      })
    },
    async verify(run) {
      const kube = await session.kube()
      const wanted = await desired(run)
      const { record } = await session.look()
      const finished = await finishedJobs((ref) => session.find(ref), record?.parts[part.part], wanted)
      const ready = await waitForWorkloads(
        kube,
        wanted.map(({ ref }) => ref).filter((ref) => !finished.has(refKey(ref))),
        left(),
        run,
      )
      const seen = await part.prove(run, ready)
      session.objectsChanged()
      const objects = desiredHashes(wanted)
      const ended = await finishedRecord((ref) => session.find(ref), wanted)
      await session.record({
        parts: {
          [part.part]: {
            title: part.title,
            objects,
            proven: provenHash(objects),
            seen,
            ...(Object.keys(ended).length === 0 ? {} : { finished: ended }),
          },
        },
      })
      return seen
    },
  }
}
