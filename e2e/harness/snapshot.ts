import { createHash } from 'node:crypto'
import type { KubeClient, KubeObject } from '../../bootstrap/kube/client.ts'
import { CheckBroke } from './verdict.ts'

/** What an object was at one moment; equal states mean that nobody wrote to it in between. */
export interface ObjectState {
  state: string
  /** Who wrote to it last, and when: for the message, not for the comparison. */
  by: string
}

/** Kinds that are written all the time by what keeps a cluster alive, or are no stored objects at all. */
const heartbeats = new Set(['Event', 'Lease', 'ComponentStatus', 'NodeMetrics', 'PodMetrics'])

/** Kinds whose status beats like a heart while nobody changes them: compared without their status. */
const beatingStatus = new Set(['Node', 'CiliumNode', 'CiliumEndpoint', 'HorizontalPodAutoscaler'])

type Managed = { manager?: string; operation?: string; time?: string }[]

/**
 * The state of every object of every kind that the API can list, by `Kind namespace/name`. A resource version stands for everything about
 * an object; only kinds with a beating status are compared by a hash of the rest.
 * `withoutStatus` names more kinds of which that is so, as Pods where a node's kubelet is not ours to keep quiet.
 * @throws CheckBroke when a part of the API does not answer
 */
export async function snapshot(
  kube: KubeClient,
  signal: AbortSignal,
  { withoutStatus = [] }: { withoutStatus?: readonly string[] } = {},
): Promise<Map<string, ObjectState>> {
  const beating = new Set([...beatingStatus, ...withoutStatus])
  const groups = (
    await get<{ groups: { preferredVersion: { groupVersion: string } }[] }>(kube, '/apis', signal)
  ).groups
  const roots = ['/api/v1', ...groups.map(({ preferredVersion }) => `/apis/${preferredVersion.groupVersion}`)]
  const states = await Promise.all(roots.map((root) => listBelow(kube, root, beating, signal)))
  return new Map(states.flat())
}

async function listBelow(
  kube: KubeClient,
  root: string,
  beating: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<[string, ObjectState][]> {
  const { resources } = await get<{ resources: { name: string; kind: string; verbs: string[] }[] }>(
    kube,
    root,
    signal,
  )
  const listable = resources.filter(
    ({ name, kind, verbs }) => !name.includes('/') && verbs.includes('list') && !heartbeats.has(kind),
  )
  const lists = await Promise.all(
    listable.map(async ({ name, kind }) => {
      const { items } = await get<{ items: KubeObject[] }>(kube, `${root}/${name}`, signal)
      return items.map((item): [string, ObjectState] => {
        const { namespace, name: object } = item.metadata
        return [
          `${kind} ${namespace === undefined ? '' : `${namespace}/`}${object}`,
          stateOf(item, beating.has(kind)),
        ]
      })
    }),
  )
  return lists.flat()
}

function stateOf(object: KubeObject, isBeating: boolean): ObjectState {
  const { managedFields, resourceVersion, ...metadata } = object.metadata as KubeObject['metadata'] & {
    managedFields?: Managed
  }
  const last = [...(managedFields ?? [])].sort((a, b) => (a.time ?? '').localeCompare(b.time ?? '')).at(-1)
  const by = `${last?.manager ?? 'somebody'} at ${last?.time ?? 'an unknown time'}`
  if (!isBeating) return { state: `${metadata.uid ?? ''} ${resourceVersion ?? ''}`, by }
  const rest = { ...object, metadata, status: undefined }
  return { state: createHash('sha256').update(JSON.stringify(rest)).digest('hex'), by }
}

async function get<T>(kube: KubeClient, path: string, signal: AbortSignal): Promise<T> {
  const { status, body } = await kube.raw(path, signal)
  if (status !== 200) throw new CheckBroke(`GET ${path} answered ${String(status)}: ${body.slice(0, 200)}`)
  return JSON.parse(body) as T
}

/** What differs, one line an object; empty when nothing was made, changed or deleted. */
export function differences(
  before: ReadonlyMap<string, ObjectState>,
  after: ReadonlyMap<string, ObjectState>,
): string[] {
  const lines: string[] = []
  for (const [key, { state, by }] of after) {
    const old = before.get(key)
    if (!old) lines.push(`made: ${key}, by ${by}`)
    else if (old.state !== state) lines.push(`changed: ${key}, by ${by}`)
  }
  for (const key of before.keys()) if (!after.has(key)) lines.push(`deleted: ${key}`)
  return lines.sort()
}
