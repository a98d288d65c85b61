import type { KubeClient } from '../kube/client.ts'
import { conditionOf } from '../kube/shapes.ts'
import type { FindObject } from './finished-jobs.ts'
import { appliedAnnotation, refWords, type StampedObject } from './objects.ts'
import type { Session } from './session.ts'
import { readiness } from './workload.ts'

/** An object that has to be deleted before it can be applied, and why. */
export interface Replacement {
  wanted: StampedObject
  why: string
}

/**
 * Jobs that only a new object can bring to where they shall be: most of a Job cannot be changed once it is there
 * (https://kubernetes.io/docs/concepts/workloads/controllers/job/), and one that has failed does not start again.
 */
export async function jobsToReplace(
  wanted: readonly StampedObject[],
  find: FindObject,
): Promise<Replacement[]> {
  const found = await Promise.all(
    wanted
      .filter(({ ref }) => ref.kind === 'Job')
      .map(async (job): Promise<Replacement[]> => {
        const object = await find(job.ref)
        if (!object) return []
        if (object.metadata.deletionTimestamp !== undefined)
          return [{ wanted: job, why: 'it is being deleted' }]
        if (object.metadata.annotations?.[appliedAnnotation] !== job.hash)
          return [{ wanted: job, why: 'it has changed, and a Job cannot be changed in place' }]
        if (conditionOf(object, 'Failed')?.status === 'True') return [{ wanted: job, why: 'it has failed' }]
        return []
      }),
  )
  return found.flat()
}

/**
 * Volumes of ours that no claim can bind any more: their claim is gone, as after the deletion of a namespace, and the policy
 * Retain keeps them. What lies on them is not touched when a hostPath volume's object is deleted.
 */
export async function volumesToReplace(
  wanted: readonly StampedObject[],
  find: FindObject,
): Promise<Replacement[]> {
  const found = await Promise.all(
    wanted
      .filter(({ ref }) => ref.kind === 'PersistentVolume')
      .map(async (volume): Promise<Replacement[]> => {
        const object = await find(volume.ref)
        const phase = (object?.['status'] as { phase?: string } | undefined)?.phase
        if (phase !== 'Released' && phase !== 'Failed') return []
        return [{ wanted: volume, why: `it is ${readiness('PersistentVolume', object).words}` }]
      }),
  )
  return found.flat()
}

/** Deletes what is to be replaced, telling what and why, and returns when it is gone. */
export async function deleteReplaced(
  session: Session,
  kube: KubeClient,
  replacements: readonly Replacement[],
  signal: AbortSignal,
): Promise<void> {
  for (const { wanted, why } of replacements) {
    session.emit({
      type: 'notice',
      level: 'info',
      message: `${refWords(wanted.ref)} is deleted and made again: ${why}.`,
    })
  }
  await Promise.all(replacements.map(({ wanted }) => kube.delete(wanted.ref, { signal, wait: true })))
  if (replacements.length > 0) session.objectsChanged()
}
