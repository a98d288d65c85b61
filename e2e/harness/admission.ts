import { statusOf } from '../../bootstrap/kube/api-status.ts'
import type { ConnectedKube, KubeClient, KubeObject, Rehearsal } from '../../bootstrap/kube/client.ts'
import type { Look } from './look.ts'
import type { TestRecord } from './record.ts'
import { CheckBroke, ExpectationFailed } from './verdict.ts'

/** What admission says to a pod; `ok` means that it lets it in, `seen` is `admitted` or the refusal in its words. */
export interface Admission extends Look {
  /** Warnings of the server, such as those of Pod Security. */
  warnings: string[]
  /** The pod as it would be, with what admission filled in. */
  result: Rehearsal['result']
}

/** Asks by a server-side dry run, which makes nothing and counts nothing. @throws CheckBroke for a refusal that is not admission's */
export async function askAdmission(
  kube: Pick<ConnectedKube, 'rehearse'>,
  pod: KubeObject,
  signal: AbortSignal,
): Promise<Admission> {
  const { refusal, warnings, result } = await kube.rehearse(pod, { signal })
  if (refusal !== undefined && refusal.status !== 403) {
    throw new CheckBroke(`Admission was not asked: HTTP ${String(refusal.status)}: ${refusal.message}`)
  }
  return { ok: refusal === undefined, seen: refusal?.message ?? 'admitted', warnings, result }
}

/** Really makes the pod. Returns `admitted`, or why it was refused. @throws LocalCloudError for a refusal that is not admission's */
export async function tryToMake(
  kube: Pick<KubeClient, 'apply'>,
  pod: KubeObject,
  signal: AbortSignal,
): Promise<Look> {
  try {
    await kube.apply([pod], { signal, dryRun: 'skip' })
    return { ok: true, seen: 'admitted' }
  } catch (error) {
    const status = statusOf(error)
    if (status?.code !== 403) throw error
    return { ok: false, seen: status.message }
  }
}

/**
 * Whether a pod passes everything that is asked before the quotas, which are asked last
 * (https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#resourcequota): so the answer is the same in a namespace that other
 * tests have filled.
 */
export const passesButForQuota = ({ ok, seen }: Look, quota: string): boolean =>
  ok || seen.includes(`exceeded quota: ${quota}`)

export interface Twins {
  /** What the two differ in, as the refused one has it: `hostPID`. */
  title: string
  refused: KubeObject
  /** The words of the refusal, or their pattern. */
  words: string | RegExp
  /** Differs in that field only. */
  twin: KubeObject
  twinTitle: string
  /** Whether an answer lets the twin pass. */
  passes: (answer: Look) => boolean
}

/**
 * Asserts that admission refuses one pod in these words, and lets its twin pass before and after. Only asked, nothing is made.
 * @throws ExpectationFailed when it lets the pod in, refuses it for something else, or refuses the twin; CheckBroke when it was not asked
 */
export async function expectRefused(
  kube: Pick<ConnectedKube, 'rehearse'>,
  record: TestRecord,
  { title, refused, words, twin, twinTitle, passes }: Twins,
  signal: AbortSignal,
): Promise<void> {
  const control = async (): Promise<string> => {
    const answer = await askAdmission(kube, twin, signal)
    if (passes(answer)) return answer.seen
    throw new ExpectationFailed(`${twinTitle}: expected to be let in, and it was: ${answer.seen}`)
  }
  const before = await control()
  const { ok, seen } = await askAdmission(kube, refused, signal)
  const isThat = typeof words === 'string' ? seen.includes(words) : words.test(seen)
  if (ok || !isThat) {
    throw new ExpectationFailed(
      `${title}: expected to be refused with "${String(words)}", and it was: ${seen}`,
    )
  }
  const after = await control()
  record.controls.push({
    negative: { title, seen },
    before: { title: twinTitle, seen: before },
    after: { title: twinTitle, seen: after },
  })
}
