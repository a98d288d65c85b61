import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { idOf } from '../../manifests/checks/manifest.ts'
import { renderedWith } from '../../manifests/checks/rendered.ts'
import { environments, type EnvironmentName } from '../../manifests/zones/contract.ts'
import { mutate, mutationOf } from '../mutations/changed.ts'
import type { Cluster } from './cluster.ts'
import { eventually } from './eventually.ts'
import { evaluateIn, podsWith, type PodOfSlate as PodSeen } from './slate-pods.ts'
import { CheckBroke, NotProven } from './verdict.ts'

/** Namespaces of the zones (L37-40). */
export const zoneA = 'inference'
export const zoneB = 'agents'

/** @throws NotProven on a cluster that was made without the zones; of a foreign cluster nobody knows what it has, and it passes. */
export function requireZones({ name, record }: Pick<Cluster, 'name' | 'record'>): void {
  if (record && !record.plan.systems.some((system) => system.name === 'zones'))
    throw new NotProven(`The cluster ${name} was made without the zones.`)
}

/** The overlay of the zones on the cluster; `local` where nobody recorded it. */
export function zonesOverlay({ record }: Pick<Cluster, 'record'>): EnvironmentName {
  const name = record?.plan.systems.find((system) => system.name === 'zones')?.environment ?? 'local'
  const known = environments.find((one) => one === name)
  if (known === undefined) throw new NotProven(`The contract knows no overlay ${name} of the zones.`)
  return known
}

/**
 * The objects of an overlay, with the options that the cluster was made with, and in a run of the mutations with the change that is on
 * trial, where the overlay has its object.
 */
export async function zonesObjects(
  { record }: Pick<Cluster, 'record'>,
  environment: EnvironmentName,
): Promise<KubeObject[]> {
  const system = record?.plan.systems.find(({ name }) => name === 'zones')
  const objects = await renderedWith('zones', environment, { ...system?.choices })
  const mutation = mutationOf()
  return mutation && objects.some((one) => idOf(one) === mutation.object)
    ? mutate(objects, mutation)
    : objects
}

/** Pods of a workload of the zones that are not being deleted. */
export const podsOfWorkload = (
  cluster: Pick<Cluster, 'kube'>,
  { namespace, name }: { namespace: string; name: string },
  signal: AbortSignal,
): Promise<PodSeen[]> => podsWith(cluster, { namespace, labels: { 'app.kubernetes.io/name': name } }, signal)

/** One of them that is ready. @throws CheckBroke when there is none */
export async function readyPodOfWorkload(
  cluster: Pick<Cluster, 'kube'>,
  where: { namespace: string; name: string },
  signal: AbortSignal,
): Promise<PodSeen> {
  const found = (await podsOfWorkload(cluster, where, signal)).find(({ ready }) => ready)
  if (!found) throw new CheckBroke(`No pod of ${where.namespace}/${where.name} is ready.`)
  return found
}

/** A task as the orchestrator answers it; the part that the suites read. */
export interface TaskSeen {
  id: string
  state: 'running' | 'succeeded' | 'failed'
  answer?: string
  brain?: { name: string; pod: string | null; standIn: boolean | null; standsFor: string | null }
  reason?: string
  /** Every call that was made for it, in order. */
  chain: {
    from: string
    to: string
    attempt: number
    outcome: string
    reason?: string
    pod?: string
    ms: number
  }[]
}

/** How a task ended. */
export interface SentTask {
  /** 200 for one that succeeded, 502 for one that failed. */
  status: number
  task: TaskSeen
}

const post = `(async () => {
  const response = await fetch('http://127.0.0.1:9000/tasks', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(input),
  })
  return { status: response.status, task: await response.json() }
})()`

/**
 * Hands the orchestrator a task from inside its own pod, on loopback, so that no policy is on the way but those between it and the brain, and
 * returns when it is finished.
 * @throws CheckBroke when the pod could not be asked
 */
export async function sendTask(
  cluster: Pick<Cluster, 'kube'>,
  body: { task: string; maxTokens?: number; timeoutMs?: number },
  signal: AbortSignal,
): Promise<SentTask> {
  const { name } = await readyPodOfWorkload(cluster, { namespace: zoneB, name: 'agent-orchestrator' }, signal)
  return evaluateIn<SentTask>(cluster, { namespace: zoneB, name }, post, body, signal)
}

/** The chain of a task in one line, for people: `deepseek-v32 broken-off, deepseek-v32 answered`. */
export const chainWords = ({ chain }: Pick<TaskSeen, 'chain'>): string =>
  chain
    .map(({ to, outcome, reason }) => `${to} ${outcome}${reason === undefined ? '' : ` (${reason})`}`)
    .join(', ')

const offer = `Promise.all(input.map(async (body) => {
  const response = await fetch('http://127.0.0.1:9000/tasks?wait=false', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const { id, error } = await response.json()
  if (response.status !== 202) throw new Error('status ' + response.status + ': ' + error)
  return id
}))`

const look = `Promise.all(input.map(async (id) => {
  const response = await fetch('http://127.0.0.1:9000/tasks/' + id)
  return response.status === 200 ? response.json() : { id, state: 'lost', chain: [] }
}))`

/** Hands the orchestrator tasks all at once and does not wait for them, from one short program in its pod. Returns their ids. */
export async function offerTasks(
  cluster: Pick<Cluster, 'kube'>,
  bodies: readonly { task: string; maxTokens?: number; timeoutMs?: number }[],
  signal: AbortSignal,
): Promise<string[]> {
  const { name } = await readyPodOfWorkload(cluster, { namespace: zoneB, name: 'agent-orchestrator' }, signal)
  return evaluateIn<string[]>(cluster, { namespace: zoneB, name }, offer, bodies, signal)
}

/**
 * Those tasks once all of them are finished.
 * @throws ExpectationFailed when one is not finished in time; CheckBroke when the orchestrator has lost one, as it does when it is started anew
 */
export async function finishedTasks(
  cluster: Pick<Cluster, 'kube'>,
  ids: readonly string[],
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
): Promise<TaskSeen[]> {
  let tasks: TaskSeen[] = []
  await eventually(
    `${String(ids.length)} tasks are finished`,
    async (stop) => {
      const { name } = await readyPodOfWorkload(
        cluster,
        { namespace: zoneB, name: 'agent-orchestrator' },
        stop,
      )
      const seen = await evaluateIn<(Omit<TaskSeen, 'state'> & { state: string })[]>(
        cluster,
        { namespace: zoneB, name },
        look,
        ids,
        stop,
      )
      if (seen.some(({ state }) => state === 'lost'))
        throw new CheckBroke('The orchestrator does not know a task that it took: it was started anew.')
      tasks = seen as TaskSeen[]
      const running = tasks.filter(({ state }) => state === 'running').length
      return { ok: running === 0, seen: `${String(running)} are running` }
    },
    { timeoutMs, intervalMs: 2000, signal },
  )
  return tasks
}
