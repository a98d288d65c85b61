import type { KubeObject } from '../kube/client.ts'
import { jobComplete } from '../kube/conditions/job-complete.ts'
import { as } from '../kube/shapes.ts'

/** A schedule and when it last did what it is for. Times as the API gives them, ISO 8601. */
export interface CronJobHealth {
  namespace: string
  name: string
  schedule: string
  timeZone?: string
  suspended: boolean
  /** Jobs of it that run now. */
  active: number
  lastScheduled?: string
  lastSucceeded?: string
}

/** One run. */
export interface JobHealth {
  namespace: string
  name: string
  /** The CronJob that made it. */
  by?: string
  /** `gone`: it was complete, and its time to live has ended. */
  state: 'complete' | 'failed' | 'running' | 'gone'
  words: string
  started?: string
  ended?: string
}

/** Each CronJob as its status tells it. Pure. */
export function cronJobHealth(cronJobs: readonly KubeObject[]): CronJobHealth[] {
  return cronJobs.map((object) => {
    const { spec = {}, status = {} } = as<{
      spec?: { schedule?: string; timeZone?: string; suspend?: boolean }
      status?: { active?: unknown[]; lastScheduleTime?: string; lastSuccessfulTime?: string }
    }>(object)
    return {
      namespace: object.metadata.namespace ?? '',
      name: object.metadata.name,
      schedule: spec.schedule ?? '',
      ...(spec.timeZone === undefined ? {} : { timeZone: spec.timeZone }),
      suspended: spec.suspend === true,
      active: status.active?.length ?? 0,
      ...(status.lastScheduleTime === undefined ? {} : { lastScheduled: status.lastScheduleTime }),
      ...(status.lastSuccessfulTime === undefined ? {} : { lastSucceeded: status.lastSuccessfulTime }),
    }
  })
}

/** Each Job, the newest first. Pure. */
export function jobHealth(jobs: readonly KubeObject[]): JobHealth[] {
  return jobs
    .map((object): JobHealth => {
      const { status = {} } = as<{
        status?: { startTime?: string; completionTime?: string; conditions?: Condition[] }
      }>(object)
      const state = jobComplete(object)
      const failed = status.conditions?.find(({ type, status: is }) => type === 'Failed' && is === 'True')
      const by = object.metadata.ownerReferences?.find(({ kind }) => kind === 'CronJob')?.name
      const ended = status.completionTime ?? failed?.lastTransitionTime
      return {
        namespace: object.metadata.namespace ?? '',
        name: object.metadata.name,
        ...(by === undefined ? {} : { by }),
        state: state.met ? 'complete' : failed ? 'failed' : 'running',
        words: state.seen,
        ...(status.startTime === undefined ? {} : { started: status.startTime }),
        ...(ended === undefined ? {} : { ended }),
      }
    })
    .sort((a, b) => (b.started ?? '').localeCompare(a.started ?? ''))
}

interface Condition {
  type: string
  status: string
  lastTransitionTime?: string
}

/** The Jobs that a person wants to see: of each CronJob the last run, and all that have none. They come newest first. */
export function lastRuns(jobs: readonly JobHealth[]): JobHealth[] {
  const seen = new Set<string>()
  return jobs.filter(({ namespace, by }) => {
    if (by === undefined) return true
    const key = `${namespace}/${by}`
    if (seen.has(key)) return false
    seen.add(key)
    return true
  })
}
