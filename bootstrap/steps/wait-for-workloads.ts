import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { toLocalCloudError } from '../errors/to-local-cloud-error.ts'
import type { KubeClient, ObjectRef } from '../kube/client.ts'
import { podReady } from '../kube/conditions/pod-ready.ts'
import { selectorQuery, type LabelSelector } from '../kube/label-selector.ts'
import { throwIfAborted } from '../process/run-command.ts'
import { refWords } from './objects.ts'
import type { StepRun } from './step.ts'
import { readyCondition } from './workload.ts'

/** How often the reason of the first one waited for is asked for again, for progress only. */
const progressEveryMs = 2_000
/** Characters of a reason in progress; the whole of it is in the error. */
const longestReason = 120

/**
 * Waits until everything among `refs` that can be ready is (workload.ts), all at the same time and under one deadline;
 * other kinds are passed over. Tells how many are ready and what it waits for.
 * @returns "10 of 10 ready"
 * @throws LocalCloudError WAIT_TIMEOUT naming every workload that is not ready, with the reason, last event and log lines
 * of the first; the wait ends at once when one cannot become ready any more.
 */
export async function waitForWorkloads(
  kube: KubeClient,
  refs: readonly ObjectRef[],
  timeoutMs: number,
  run: StepRun,
): Promise<string> {
  const workloads = refs.flatMap((ref) => {
    const condition = readyCondition(ref.kind)
    return condition ? [{ ref, condition }] : []
  })
  const total = workloads.length
  const waiting = new Map<ObjectRef, string>(workloads.map(({ ref }) => [ref, 'not seen yet']))
  const reasons = new Map<ObjectRef, string>()
  const stop = new AbortController()
  const signal = AbortSignal.any([run.signal, stop.signal])
  let told = ''

  const tell = (): void => {
    const ready = `${String(total - waiting.size)} of ${String(total)} ready`
    const [first] = waiting
    const words = first ? `${ready}: waiting for ${first[0].name} (${wordsOf(first[0])})` : ready
    if (words !== told) run.progress(words)
    told = words
  }
  const wordsOf = (ref: ObjectRef): string =>
    [waiting.get(ref), reasons.get(ref)].filter((words) => words !== undefined).join(', ')
  const askReason = async (): Promise<void> => {
    const [first] = waiting.keys()
    if (!first) return
    const reason = await reasonOf(kube, first, signal)
    if (reason === undefined) reasons.delete(first)
    else reasons.set(first, reason)
    if (waiting.has(first)) tell()
  }
  const ticker = setInterval(() => {
    askReason().catch(() => undefined)
  }, progressEveryMs)

  const failures: { ref: ObjectRef; error: LocalCloudError }[] = []
  try {
    await Promise.all(
      workloads.map(async ({ ref, condition }) => {
        try {
          await kube.waitFor(ref, condition, {
            timeoutMs,
            signal,
            onSeen(seen) {
              waiting.set(ref, seen)
              reasons.delete(ref)
              tell()
            },
          })
          waiting.delete(ref)
          tell()
        } catch (error) {
          if (stop.signal.aborted) return
          failures.push({ ref, error: toLocalCloudError(error) })
          // All share the deadline: others that also reached it get a moment to say so, then the wait is over.
          setTimeout(() => {
            stop.abort()
          }, 200)
        }
      }),
    )
  } finally {
    clearInterval(ticker)
  }
  throwIfAborted(run.signal)
  const [first] = failures
  if (!first) return `${String(total)} of ${String(total)} ready`
  if (first.error.family !== 'wait-timeout') throw first.error
  const others = [...waiting.keys()].filter((ref) => ref !== first.ref)
  throw new LocalCloudError('WAIT_TIMEOUT', {
    message:
      others.length === 0
        ? first.error.message
        : `${String(waiting.size)} of ${String(total)} workloads are not ready. ${first.error.message}`,
    hint: first.error.hint,
    evidence: [
      ...first.error.evidence,
      ...others.map((ref) => {
        const failure = failures.find((candidate) => candidate.ref === ref)
        return failure ? failure.error.message : `${refWords(ref)}: ${wordsOf(ref)}`
      }),
    ],
    cause: first.error,
  })
}

/** Why the first pod of a workload that is not ready is not. */
async function reasonOf(kube: KubeClient, ref: ObjectRef, signal: AbortSignal): Promise<string | undefined> {
  const { selector } = ((await kube.get(ref, signal))?.['spec'] ?? {}) as { selector?: LabelSelector }
  if (!selector || ref.kind === 'PersistentVolumeClaim') return undefined
  const labelSelector = selectorQuery(selector)
  const namespace = ref.namespace === undefined ? {} : { namespace: ref.namespace }
  const pods = await kube.list({ apiVersion: 'v1', kind: 'Pod', labelSelector, ...namespace }, signal)
  const alive = pods.filter((pod) => pod.metadata.deletionTimestamp === undefined)
  const words = alive.map((pod) => podReady(pod)).find((state) => !state.met)?.seen
  return words?.split('\n')[0]?.slice(0, longestReason)
}
