import { CronExpressionParser } from 'cron-parser'
import type { KubeClient, KubeObject } from '../../bootstrap/kube/client.ts'
import { at, textAt } from '../../manifests/checks/manifest.ts'

/** The shortest schedule there is: one run at the beginning of every minute. */
export const everyMinute = '* * * * *'

/** Annotation of a Job with the moment that the schedule meant; the CronJob controller sets it. */
export const scheduledAnnotation = 'batch.kubernetes.io/cronjob-scheduled-timestamp'

/** Annotation of a Job that somebody made by hand (`kubectl create job --from`). */
export const manualAnnotation = 'cronjob.kubernetes.io/instantiate'

/**
 * The next moments that an expression means after `after`, computed by cron-parser and not by Kubernetes.
 * @throws Error for an expression or a time zone that cannot be read
 */
export function nextRuns(expression: string, timeZone: string, after: Date, count: number): Date[] {
  const runs = CronExpressionParser.parse(expression, { currentDate: after, tz: timeZone })
  return runs.take(count).map((run) => run.toDate())
}

/** The moment for which the schedule started this Job; undefined when the annotation is missing or no time. */
export function scheduledAt(job: KubeObject): Date | undefined {
  const time = Date.parse(job.metadata.annotations?.[scheduledAnnotation] ?? '')
  return Number.isNaN(time) ? undefined : new Date(time)
}

/**
 * Why this Job is not a run that the CronJob's own schedule started, one sentence each; none when it is. It must belong to the CronJob by
 * UID, carry no mark of a start by hand, and be meant for the first moment that its expression means after it was made.
 */
export function notBySchedule(job: KubeObject, cronJob: KubeObject): string[] {
  const { annotations = {}, creationTimestamp = '' } = job.metadata
  const owner = job.metadata.ownerReferences?.find(({ controller }) => controller === true)
  const due = nextRuns(
    textAt(cronJob, 'spec', 'schedule'),
    textAt(cronJob, 'spec', 'timeZone'),
    new Date(cronJob.metadata.creationTimestamp ?? ''),
    1,
  )[0]
  const meant = scheduledAt(job)
  const lateMs = Date.parse(creationTimestamp) - (meant?.getTime() ?? Number.NaN)
  const mostLate = Number(at(cronJob, 'spec', 'startingDeadlineSeconds'))
  return [
    ...(owner?.kind === 'CronJob' && owner.uid === cronJob.metadata.uid
      ? []
      : [
          `its controller is ${owner ? `${owner.kind} ${owner.uid}` : 'nobody'}, not CronJob ${String(cronJob.metadata.uid)}`,
        ]),
    ...(manualAnnotation in annotations ? [`it was made by hand: ${manualAnnotation}`] : []),
    ...(meant === undefined
      ? [`it has no ${scheduledAnnotation}`]
      : meant.getTime() === due?.getTime()
        ? []
        : [`it is meant for ${meant.toISOString()}, not for ${due?.toISOString() ?? 'any time'}`]),
    ...(lateMs < 0 || lateMs > mostLate * 1000
      ? [`it was made ${String(lateMs / 1000)} s after that moment, allowed are 0 to ${String(mostLate)}`]
      : []),
  ]
}

/** The Jobs whose controller is this CronJob, the oldest first. */
export async function jobsOf(
  kube: Pick<KubeClient, 'list'>,
  cronJob: KubeObject,
  signal: AbortSignal,
): Promise<KubeObject[]> {
  const { namespace = '', uid } = cronJob.metadata
  const jobs = await kube.list({ apiVersion: 'batch/v1', kind: 'Job', namespace }, signal)
  return ownedJobs(jobs, uid)
}

/** Of these Jobs those whose controller has the UID, the oldest first; of one second by name. */
export const ownedJobs = (jobs: readonly KubeObject[], uid: string | undefined): KubeObject[] =>
  jobs
    .filter(({ metadata }) =>
      metadata.ownerReferences?.some((one) => one.controller === true && one.uid === uid),
    )
    .sort((a, b) => ageKey(a).localeCompare(ageKey(b)))

const ageKey = ({ metadata }: KubeObject): string => `${metadata.creationTimestamp ?? ''} ${metadata.name}`

/** Milliseconds from now until the next full minute, plus an offset: when what starts then can be seen. */
export const untilMinute = (now: Date, offsetMs = 0): number => 60_000 - (now.getTime() % 60_000) + offsetMs

/** Jobs in words: how many, and the minutes for which they were meant. */
export const describeJobs = (jobs: readonly KubeObject[]): string =>
  `${String(jobs.length)} Jobs (${jobs.map((job) => scheduledAt(job)?.toISOString().slice(11, 16) ?? job.metadata.name).join(', ')})`
