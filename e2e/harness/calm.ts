import type { KubeClient, KubeObject } from '../../bootstrap/kube/client.ts'
import { at, idOf, textAt } from '../../manifests/checks/manifest.ts'
import type { Look } from './look.ts'
import { nextRuns } from './schedule.ts'

/**
 * Whether what a cluster does by itself will leave it alone for `quietMs`: no autoscaler is above its minimum or under way, no scheduled run
 * is active or due. Ok says nothing about what somebody else does.
 */
export async function isCalm(
  kube: Pick<KubeClient, 'list'>,
  quietMs: number,
  signal: AbortSignal,
): Promise<Look> {
  const [autoscalers, cronJobs] = await Promise.all([
    kube.list({ apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler' }, signal),
    kube.list({ apiVersion: 'batch/v1', kind: 'CronJob' }, signal),
  ])
  const moving = [
    ...autoscalers.flatMap((one) => sizeOf(one)),
    ...cronJobs.flatMap((one) => runOf(one, quietMs)),
  ]
  return { ok: moving.length === 0, seen: moving.join(', ') || 'calm' }
}

function sizeOf(autoscaler: KubeObject): string[] {
  const least = Number(at(autoscaler, 'spec', 'minReplicas') ?? 1)
  const now = at(autoscaler, 'status', 'currentReplicas')
  const wanted = at(autoscaler, 'status', 'desiredReplicas')
  return now === least && wanted === least
    ? []
    : [`${idOf(autoscaler)} has ${String(now)} and wants ${String(wanted)}, at least ${String(least)}`]
}

function runOf(cronJob: KubeObject, quietMs: number): string[] {
  const active = at(cronJob, 'status', 'active')
  if (Array.isArray(active) && active.length > 0) return [`${idOf(cronJob)} is running`]
  if (at(cronJob, 'spec', 'suspend') === true) return []
  const zone = textAt(cronJob, 'spec', 'timeZone')
  const [next] = nextRuns(textAt(cronJob, 'spec', 'schedule'), zone === '' ? 'UTC' : zone, new Date(), 1)
  return next !== undefined && next.getTime() - Date.now() < quietMs
    ? [`${idOf(cronJob)} is due at ${next.toISOString()}`]
    : []
}
