import { autoscalerHealth, type AutoscalerHealth } from '../health/autoscaler-health.ts'
import { claimHealth, type ClaimHealth } from '../health/claim-health.ts'
import { cronJobHealth, jobHealth, type CronJobHealth, type JobHealth } from '../health/job-health.ts'
import { serviceHealth, type ServiceHealth } from '../health/service-health.ts'
import type { KubeObject } from '../kube/client.ts'
import { finishedJobs, finishedWords, isThere } from './finished-jobs.ts'
import { parseRefKey } from './objects.ts'
import { recordedObjects } from './part.ts'
import type { Look, Session } from './session.ts'

/** How the systems of a cluster are, beyond what is there and ready. */
export interface SystemHealth {
  services: ServiceHealth[]
  autoscalers: AutoscalerHealth[]
  cronJobs: CronJobHealth[]
  jobs: JobHealth[]
  claims: ClaimHealth[]
}

export const noHealth: SystemHealth = { services: [], autoscalers: [], cronJobs: [], jobs: [], claims: [] }

/**
 * Looks at every Service, autoscaler, schedule, Job and claim that the record names as a system's, and at the pods, endpoints and
 * Jobs in their namespaces. Every kind is listed once, all at the same time.
 */
export async function systemHealth(
  session: Session,
  { kube, record }: Pick<Look, 'kube' | 'record'>,
  signal: AbortSignal,
): Promise<SystemHealth> {
  if (!kube || !record) return noHealth
  const parts = Object.entries(record.parts).filter(([part]) => part.startsWith('system.'))
  const refs = parts.flatMap(([, { objects }]) => Object.keys(objects).map(parseRefKey))
  const namespaces = [...new Set(refs.flatMap(({ namespace }) => namespace ?? []))]
  if (namespaces.length === 0) return noHealth

  const ours = async (kind: string): Promise<KubeObject[]> => {
    const wanted = refs.filter((ref) => ref.kind === kind)
    const objects = await Promise.all(wanted.map((ref) => session.find(ref)))
    return objects.filter(isThere)
  }
  const inNamespaces = async (apiVersion: string, kind: string): Promise<KubeObject[]> => {
    const [only, ...more] = namespaces
    const scope = only !== undefined && more.length === 0 ? { namespace: only } : {}
    const objects = await kube.list({ apiVersion, kind, ...scope }, signal)
    return objects.filter(({ metadata }) => namespaces.includes(metadata.namespace ?? ''))
  }
  const ended = async (): Promise<JobHealth[]> => {
    const gone = await Promise.all(
      parts.map(async ([, part]) => [
        ...(await finishedJobs((ref) => session.find(ref), part, recordedObjects(part))),
      ]),
    )
    return gone
      .flat()
      .map(parseRefKey)
      .map(({ namespace = '', name }) => ({ namespace, name, state: 'gone', words: finishedWords }))
  }
  const [services, autoscalers, cronJobs, claims, slices, pods, jobs, finished] = await Promise.all([
    ours('Service'),
    ours('HorizontalPodAutoscaler'),
    ours('CronJob'),
    ours('PersistentVolumeClaim'),
    inNamespaces('discovery.k8s.io/v1', 'EndpointSlice'),
    inNamespaces('v1', 'Pod'),
    inNamespaces('batch/v1', 'Job'),
    ended(),
  ])
  const there = new Set(jobs.map(({ metadata }) => `${metadata.namespace ?? ''}/${metadata.name}`))
  return {
    services: serviceHealth(services, slices, pods),
    autoscalers: autoscalerHealth(autoscalers),
    cronJobs: cronJobHealth(cronJobs),
    jobs: [
      ...jobHealth(jobs),
      ...finished.filter(({ namespace, name }) => !there.has(`${namespace}/${name}`)),
    ],
    claims: claimHealth(claims),
  }
}
