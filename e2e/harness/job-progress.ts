import type { Condition, KubeClient, KubeObject } from '../../bootstrap/kube/client.ts'
import { conditionOf, reasonOf } from '../../bootstrap/kube/shapes.ts'
import { refOf } from '../../bootstrap/steps/objects.ts'
import { textAt } from '../../manifests/checks/manifest.ts'
import { eventually } from './eventually.ts'
import { CheckBroke } from './verdict.ts'

/** Met when the controller has begun a Job. */
export const jobBegun: Condition = (job) =>
  textAt(job, 'status', 'startTime') === '' ? { met: false, seen: 'not begun' } : { met: true, seen: 'begun' }

/** Met when a Job is over, well or not; `jobComplete` is for those that must end well. */
export const jobOver: Condition = (job) => {
  const end = job && (conditionOf(job, 'Complete') ?? conditionOf(job, 'Failed'))
  return end?.status === 'True'
    ? { met: true, seen: `${end.type}: ${reasonOf(end)}` }
    : { met: false, seen: job ? 'not over' : 'no Job' }
}

/**
 * Waits until a Job is over, well or not, and returns it as it ended.
 * @throws ExpectationFailed with what it does instead when the time is over; CheckBroke when it is deleted meanwhile
 */
export async function untilOver(
  kube: Pick<KubeClient, 'get'>,
  job: KubeObject,
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
): Promise<KubeObject> {
  let ended: KubeObject | undefined
  await eventually(
    `the Job ${job.metadata.name} is over`,
    async (stop) => {
      ended = await kube.get(refOf(job), stop)
      const { met, seen } = jobOver(ended)
      return { ok: met, seen }
    },
    { timeoutMs, intervalMs: 500, signal },
  )
  if (!ended) throw new CheckBroke(`The Job ${job.metadata.name} is gone.`)
  return ended
}
