import { LocalCloudError } from '../../bootstrap/errors/local-cloud-error.ts'
import type { Condition, KubeClient, KubeObject, ListCondition } from '../../bootstrap/kube/client.ts'
import { deploymentAvailable } from '../../bootstrap/kube/conditions/deployment-available.ts'
import { jobComplete } from '../../bootstrap/kube/conditions/job-complete.ts'
import { selectorQuery } from '../../bootstrap/kube/label-selector.ts'
import { finishedWords } from '../../bootstrap/steps/finished-jobs.ts'
import { refOf } from '../../bootstrap/steps/objects.ts'

/** How long a Deployment may take to roll to what it was before, milliseconds. */
const backMs = 150_000
/** How long is waited for a changed Deployment, which may never become available: that is what some changes break. */
const rolloutMs = 40_000
/** How long one object may take to go, milliseconds. */
const goneMs = 60_000

/**
 * Puts one changed object on the cluster, or takes it away when `after` is undefined, and waits for a Deployment's pods as long as they may
 * reasonably take. An object whose changed field cannot change is deleted and made again.
 * @throws LocalCloudError API_REFUSED when the server refuses the object in any form
 */
export async function applyChange(
  kube: KubeClient,
  before: KubeObject,
  after: KubeObject | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (after === undefined) {
    await kube.delete(refOf(before), { signal: within(signal, goneMs), wait: true })
    return
  }
  const renamed = after.metadata.name !== before.metadata.name
  if (renamed) await kube.delete(refOf(before), { signal: within(signal, goneMs), wait: true })
  await put(kube, after, signal)
  await rolledOut(kube, after, rolloutMs, signal).catch((error: unknown) => {
    if (signal.aborted || !isTimeout(error)) throw error
  })
}

/** Puts the object back as it was and returns when a Deployment's pods are those of before, and a Job has done its work again. @throws LocalCloudError when that fails */
export async function restore(
  kube: KubeClient,
  before: KubeObject,
  after: KubeObject | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (after !== undefined && after.metadata.name !== before.metadata.name)
    await kube.delete(refOf(after), { signal: within(signal, goneMs), wait: true })
  const wasComplete = before.kind === 'Job' && jobComplete(await kube.get(refOf(before), signal)).met
  await put(kube, before, signal)
  await rolledOut(kube, before, backMs, signal, wasComplete ? completeOrGone : jobComplete)
}

/** Of a Job that was complete: its time to live may be over at any moment. */
const completeOrGone: Condition = (job) =>
  job === undefined ? { met: true, seen: finishedWords } : jobComplete(job)

async function put(kube: KubeClient, object: KubeObject, signal: AbortSignal): Promise<void> {
  try {
    await kube.apply([object], { signal, dryRun: 'skip' })
  } catch (error) {
    if (!(error instanceof LocalCloudError) || !refusals.includes(error.code) || !isImmutable(error))
      throw error
    await kube.delete(refOf(object), { signal: within(signal, goneMs), wait: true })
    await kube.apply([object], { signal, dryRun: 'skip' })
  }
}

/** How the client calls a refusal: of the request, or of a field. */
const refusals: readonly string[] = ['API_REFUSED', 'MANIFEST_INVALID']

const isImmutable = ({ message, evidence }: LocalCloudError): boolean =>
  /immutable|cannot be changed|cannot change|may not be changed|updates to .* are forbidden|forbidden: updates/i.test(
    [message, ...evidence].join('\n'),
  )

const isTimeout = (error: unknown): boolean =>
  error instanceof LocalCloudError && error.code === 'WAIT_TIMEOUT'

async function rolledOut(
  kube: KubeClient,
  object: KubeObject,
  timeoutMs: number,
  signal: AbortSignal,
  jobDone = jobComplete,
): Promise<void> {
  if (object.kind === 'Job') {
    await kube.waitFor(refOf(object), jobDone, { timeoutMs, signal })
    return
  }
  if (object.kind !== 'Deployment') return
  await kube.waitFor(refOf(object), deploymentAvailable, { timeoutMs, signal })
  const { selector } = object['spec'] as { selector: { matchLabels: Record<string, string> } }
  const labelSelector = selectorQuery({ matchLabels: selector.matchLabels })
  const query = { apiVersion: 'v1', kind: 'Pod', labelSelector }
  const { namespace } = object.metadata
  await kube.waitForList(namespace === undefined ? query : { ...query, namespace }, noneLeaving, {
    timeoutMs,
    signal,
  })
}

/** Pods of before still answer until they are gone. */
const noneLeaving: ListCondition = (pods) => {
  const leaving = pods.filter(({ metadata }) => metadata.deletionTimestamp !== undefined)
  return leaving.length === 0
    ? { met: true, seen: 'no pod is leaving' }
    : { met: false, seen: `leaving: ${leaving.map(({ metadata }) => metadata.name).join(', ')}` }
}

const within = (signal: AbortSignal, ms: number): AbortSignal =>
  AbortSignal.any([signal, AbortSignal.timeout(ms)])
