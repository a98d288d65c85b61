import { redact } from '../process/redact.ts'
import type { KubeClient, KubeObject, ObjectRef } from './client.ts'
import { containerTroubles } from './conditions/container-trouble.ts'
import { daemonSetReady } from './conditions/daemon-set-ready.ts'
import { deploymentAvailable } from './conditions/deployment-available.ts'
import { jobComplete } from './conditions/job-complete.ts'
import { nodeReady } from './conditions/node-ready.ts'
import { podReady } from './conditions/pod-ready.ts'
import { pvcBound } from './conditions/pvc-bound.ts'
import { statefulSetReady } from './conditions/stateful-set-ready.ts'
import type { Condition } from './client.ts'
import { words } from './discovery.ts'
import { byTime, eventLine } from './event-line.ts'
import { selectorQuery } from './label-selector.ts'
import {
  as,
  conditionsOf,
  nameOf,
  reasonOf,
  type EventShape,
  type PodShape,
  type WorkloadShape,
} from './shapes.ts'

type Reader = Pick<KubeClient, 'get' | 'list' | 'logs'>

/** How many events and log lines are told; enough to see the cause, few enough to read. */
const lastEvents = 10
const lastLogLines = 20
/** Pods that are looked at in depth: those in trouble come first. */
const mostPods = 2

const judges: Record<string, Condition> = {
  Deployment: deploymentAvailable,
  StatefulSet: statefulSetReady,
  DaemonSet: daemonSetReady,
  Job: jobComplete,
  Pod: podReady,
  PersistentVolumeClaim: pvcBound,
  Node: nodeReady,
}

/** Condition types whose normal status is False. */
const badWhenTrue = /Pressure|Failure|Failed|Unavailable|Disrupted/

/**
 * Why an object is not as it should be, as lines for a person, secrets removed: what its status says, the pods behind it that
 * are in trouble with their scheduling and container reasons, claims that are not bound, the last events of all of them in the
 * order of time, and the last log lines, of the current and of the previous run, of the containers in trouble. What cannot be
 * read is told in a line; nothing is thrown.
 */
export async function diagnose(kube: Reader, ref: ObjectRef, signal: AbortSignal): Promise<string[]> {
  const lines: string[] = []
  const involved: KubeObject[] = []
  const attempt = async <T>(what: string, read: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await read()
    } catch (error) {
      lines.push(`${what} could not be read: ${error instanceof Error ? error.message : String(error)}`)
      return undefined
    }
  }

  const object = await attempt(words(ref), () => kube.get(ref, signal))
  if (object === undefined) {
    lines.push(`${words(ref)}: does not exist`)
  } else {
    involved.push(object)
    lines.push(...statusLines(object))
  }
  const namespace = ref.namespace
  const pods =
    object === undefined ? [] : ((await attempt('its pods', () => podsOf(kube, object, signal))) ?? [])
  if (object !== undefined && object.kind !== 'Pod' && hasPods(object)) {
    lines.push(podSummary(pods))
  }
  // Among equals the newest, which is the last attempt of a Job.
  const created = ({ metadata }: KubeObject): string => metadata.creationTimestamp ?? ''
  const chosen = pods
    .map((pod) => ({ pod, badness: badness(pod) }))
    .sort((a, b) => b.badness - a.badness || created(b.pod).localeCompare(created(a.pod)))
  const troubled = chosen
    .filter(({ badness: rank }) => rank > 0)
    .slice(0, mostPods)
    .map(({ pod }) => pod)
  for (const pod of troubled) {
    if (pod !== object) lines.push(`${nameOf(pod)}: ${podReady(pod).seen}`)
    involved.push(pod)
  }
  if (namespace !== undefined && troubled.length > 0) {
    const claims = new Set(
      troubled.flatMap((pod) =>
        (as<PodShape>(pod).spec?.volumes ?? []).flatMap(
          (volume) => volume.persistentVolumeClaim?.claimName ?? [],
        ),
      ),
    )
    for (const name of claims) {
      const claim = await attempt(`claim ${name}`, () =>
        kube.get({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name }, signal),
      )
      if (claim === undefined) lines.push(`PersistentVolumeClaim ${namespace}/${name}: does not exist`)
      else if (!pvcBound(claim).met) {
        lines.push(`${nameOf(claim)}: ${pvcBound(claim).seen}`)
        involved.push(claim)
      }
    }
  }
  if (object !== undefined && hasPods(object) && object.kind !== 'Pod' && namespace !== undefined) {
    involved.push(
      ...((await attempt('its replica sets', () => ownedReplicaSets(kube, object, signal))) ?? []),
    )
  }
  lines.push(...((await attempt('events', () => eventsOf(kube, ref, involved, signal))) ?? []))
  for (const pod of troubled) {
    const logs = await attempt('logs', () => logLines(kube, pod, signal))
    lines.push(...(logs ?? []))
  }
  return lines.map((line) => redact(line))
}

function statusLines(object: KubeObject): string[] {
  const state = judges[object.kind]?.(object)
  const told = state === undefined ? [] : [`${nameOf(object)}: ${state.seen}`]
  const deleting = object.metadata.deletionTimestamp
  if (deleting !== undefined) {
    const finalizers = object.metadata.finalizers ?? []
    told.push(
      `${nameOf(object)}: being deleted since ${deleting}${finalizers.length === 0 ? '' : `, kept by ${finalizers.join(', ')}`}`,
    )
  }
  const conditions = conditionsOf(object)
    .filter((condition) => (condition.status === 'True') === badWhenTrue.test(condition.type))
    .map(
      (condition) =>
        `  ${condition.type}=${condition.status}${reasonOf(condition) === '' ? '' : ` ${reasonOf(condition)}`}`,
    )
  if (told.length === 0 && conditions.length === 0) told.push(`${nameOf(object)}: exists`)
  return [...told, ...conditions]
}

const withPods = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'Job', 'ReplicaSet', 'Service'])
const hasPods = (object: KubeObject): boolean => withPods.has(object.kind)

async function podsOf(kube: Reader, object: KubeObject, signal: AbortSignal): Promise<KubeObject[]> {
  if (object.kind === 'Pod') return [object]
  if (!hasPods(object)) return []
  const selector =
    object.kind === 'Service'
      ? { matchLabels: as<{ spec?: { selector?: Record<string, string> } }>(object).spec?.selector ?? {} }
      : (as<WorkloadShape>(object).spec?.selector ?? {})
  const labelSelector = selectorQuery(selector)
  if (labelSelector === '') return []
  return await kube.list(
    {
      apiVersion: 'v1',
      kind: 'Pod',
      labelSelector,
      ...(object.metadata.namespace === undefined ? {} : { namespace: object.metadata.namespace }),
    },
    signal,
  )
}

function podSummary(pods: readonly KubeObject[]): string {
  if (pods.length === 0) return '  no pod matches its selector'
  const ready = pods.filter((pod) => podReady(pod).met).length
  return `  ${String(ready)} of ${String(pods.length)} pods ready`
}

/** 0 for a pod that is well; the more telling its trouble, the higher. */
function badness(pod: KubeObject): number {
  if (podReady(pod).met || as<PodShape>(pod).status?.phase === 'Succeeded') return 0
  if (containerTroubles(pod).length > 0) return 3
  if (as<PodShape>(pod).spec?.nodeName === undefined) return 2
  return 1
}

async function ownedReplicaSets(
  kube: Reader,
  object: KubeObject,
  signal: AbortSignal,
): Promise<KubeObject[]> {
  if (object.kind !== 'Deployment' || object.metadata.namespace === undefined) return []
  const sets = await kube.list(
    { apiVersion: 'apps/v1', kind: 'ReplicaSet', namespace: object.metadata.namespace },
    signal,
  )
  return sets.filter(
    (set) => set.metadata.ownerReferences?.some((owner) => owner.uid === object.metadata.uid) === true,
  )
}

async function eventsOf(
  kube: Reader,
  ref: ObjectRef,
  involved: readonly KubeObject[],
  signal: AbortSignal,
): Promise<string[]> {
  // Events of objects that have no namespace, such as nodes, lie in `default`.
  const events = await kube.list(
    { apiVersion: 'v1', kind: 'Event', namespace: ref.namespace ?? 'default' },
    signal,
  )
  const names = new Set([
    `${ref.kind}/${ref.name}`,
    ...involved.map((object) => `${object.kind}/${object.metadata.name}`),
  ])
  const uids = new Set(involved.flatMap((object) => object.metadata.uid ?? []))
  const telling = events.filter((event) => {
    const about = as<EventShape>(event).involvedObject
    if (!names.has(`${about?.kind ?? ''}/${about?.name ?? ''}`)) return false
    // An event of an earlier object of the same name says nothing; nodes have their name as uid there.
    return about?.uid === undefined || about.kind === 'Node' || uids.size === 0 || uids.has(about.uid)
  })
  return byTime(telling)
    .slice(-lastEvents)
    .map((event) => `event ${eventLine(event)}`)
}

async function logLines(kube: Reader, pod: KubeObject, signal: AbortSignal): Promise<string[]> {
  const { namespace = 'default', name } = pod.metadata
  const troubles = containerTroubles(pod)
  const { initContainerStatuses = [], containerStatuses = [] } = as<PodShape>(pod).status ?? {}
  const running = [...initContainerStatuses, ...containerStatuses].filter(
    (status) => status.state?.running !== undefined && status.ready !== true,
  )
  const containers =
    troubles.length > 0
      ? troubles.map(({ container, restarted }) => ({ container, restarted }))
      : running.map((status) => ({ container: status.name, restarted: (status.restartCount ?? 0) > 0 }))
  const lines: string[] = []
  for (const { container, restarted } of containers.slice(0, 2)) {
    for (const previous of restarted ? [true, false] : [false]) {
      let text: string
      try {
        text = await kube.logs({ namespace, name, container, previous, tailLines: lastLogLines }, signal)
      } catch {
        // A container that never ran has no log; its reason has been told.
        continue
      }
      if (text.trim() === '') continue
      lines.push(`log of ${namespace}/${name} ${container}${previous ? ', previous run' : ''}:`)
      lines.push(
        ...text
          .trimEnd()
          .split('\n')
          .slice(-lastLogLines)
          .map((line) => `  ${line}`),
      )
    }
  }
  return lines
}
