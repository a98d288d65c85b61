import { toLocalCloudError } from '../errors/to-local-cloud-error.ts'
import { offersOf, offerWords, type GpuOffer } from '../gpu/gpu-offer.ts'
import { capabilityLines, readFacts, type Capability, type ClusterFacts } from '../existing/capabilities.ts'
import type { KubeClient, KubeObject } from '../kube/client.ts'
import { tierWarning } from '../plan/gpu-plan.ts'
import { providerNote, providerWords } from '../providers/provider-words.ts'
import type { PlannedStep } from '../report/events.ts'
import { refKey } from '../steps/objects.ts'
import { recordedObjects } from '../steps/part.ts'
import { realTools } from '../steps/real-tools.ts'
import { findAccess } from '../steps/on-existing/access.ts'
import { observeSteps } from '../steps/run-steps.ts'
import { createSession, type Look, type Session } from '../steps/session.ts'
import { statusSteps } from '../steps/status-steps.ts'
import { noHealth, systemHealth, type SystemHealth } from '../steps/system-health.ts'
import type { Tools } from '../steps/tools.ts'
import type { CommandContext, StatusValues } from './command-context.ts'
import { healthTables } from './health-tables.ts'
import { textTable } from './text-table.ts'
import { servedUrls, type ServedUrl } from './up-summary.ts'

/** What `status` tells, as data: the result with `--json`. */
export interface Status {
  type: 'result'
  command: 'status'
  cluster: string
  /** `ready`: everything of the recorded plan is there, ready and proven. `unknown`: the engine does not say. */
  state: 'absent' | 'unknown' | 'foreign' | 'stopped' | 'silent' | 'partial' | 'ready'
  /** Why it is not ready, or what could not be found out. */
  trouble: string[]
  kubeconfig: string
  /** Context of an existing cluster; absent for a cluster of ours. */
  context?: string
  /** What an existing cluster has. */
  capabilities?: Capability[]
  /** What its nodes are, kind, k3s or k3s-compatible; absent when nobody knows. */
  provider?: string
  images: { source: string; why: string } | undefined
  nodes: { name: string; role: string; running: boolean; ready: boolean; words: string }[]
  /** Of every node that was given some. */
  gpus: GpuOffer[]
  steps: PlannedStep[]
  workloads: { part: string; kind: string; namespace: string; name: string; ready: boolean; words: string }[]
  /** Services, autoscalers, schedules, Jobs and claims of the systems. */
  health: SystemHealth
  urls: ServedUrl[]
}

/** Milliseconds for looking, at most; two seconds are the rule, and this is for a busy machine or an engine that hangs. */
const lookMs = 6_000
/** Milliseconds for the API to answer. */
const apiMs = 1_200

/** `status`: tells how far cluster, add-ons and system are, and how the system's services do; reads only, and answers also when the engine or the API does not. */
export async function run(context: CommandContext<StatusValues>): Promise<void> {
  const { paths, values } = context
  // What the engine would announce on its first use is not what status is asked for.
  const tools = realTools({ paths, engine: values.engine, install: false, emit: () => undefined })
  const status = await readStatus(context, tools)
  context.out(context.json ? JSON.stringify(status) : await statusText(status))
}

/** Looks, and gives what could be seen in time. */
export async function readStatus(
  context: Pick<CommandContext<StatusValues>, 'paths' | 'signal' | 'values'>,
  tools: Tools,
  timeoutMs = lookMs,
): Promise<Status> {
  const { paths, values } = context
  const deadline = AbortSignal.timeout(timeoutMs)
  const signal = AbortSignal.any([context.signal, deadline])
  const access = await findAccess(paths, values)
  const session = createSession({
    name: values.name,
    ...(access ? { existing: access } : {}),
    paths,
    images: { kind: 'auto' },
    tools,
    emit: () => undefined,
    signal,
    quick: true,
    apiTimeoutMs: Math.min(apiMs, timeoutMs),
  })
  const trouble: string[] = []
  const attempt = async <T>(what: string, work: () => Promise<T>, otherwise: T): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      if (context.signal.aborted) throw error
      const words = deadline.aborted ? 'no answer in time' : toLocalCloudError(error).message
      if (!trouble.includes(`${what}: ${words}`)) trouble.push(`${what}: ${words}`)
      return otherwise
    }
  }
  const seen = await attempt<Look>(access ? 'the cluster' : 'the engine', () => session.look(), {})
  if (seen.trouble !== undefined) trouble.push(`the API: ${seen.trouble}`)
  const plan = seen.record?.plan ?? (await session.files.plan())
  const [steps, { nodes, gpus }, workloads, health, urls] = await Promise.all([
    attempt(
      'the steps',
      () => observeSteps(statusSteps(session, plan, seen.record), { emit: () => undefined, signal }),
      [],
    ),
    attempt('the nodes', () => nodesOf(seen, signal), { nodes: [], gpus: [] }),
    attempt('the workloads', () => workloadsOf(session, seen), []),
    attempt('the health of the system', () => systemHealth(session, seen, signal), noHealth),
    attempt('the ingress', () => urlsOf(session, seen), []),
  ])
  const capabilities =
    access && seen.kube
      ? await attempt(
          'what the cluster has',
          async () => recordedFirst(seen, await readFacts(seen.kube as KubeClient, values.name, signal)),
          undefined,
        )
      : undefined
  const { images } = seen.record ?? {}
  return {
    type: 'result',
    command: 'status',
    cluster: values.name,
    state: stateOf(seen, steps, trouble, access !== undefined),
    trouble,
    kubeconfig: session.files.kubeconfig,
    ...(access ? { context: access.context } : {}),
    ...(capabilities ? { capabilities } : {}),
    ...(plan === undefined ? {} : { provider: providerWords(plan.provider, images?.source) }),
    images: images && { source: images.source, why: images.why },
    nodes,
    gpus,
    steps,
    workloads,
    health,
    urls,
  }
}

function stateOf(
  { engine, cluster, kube, record }: Look,
  steps: readonly PlannedStep[],
  trouble: readonly string[],
  existing: boolean,
): Status['state'] {
  if (existing) {
    if (!kube) return 'silent'
    if (!record) return 'absent'
    return record.complete && steps.every((step) => step.state === 'done') ? 'ready' : 'partial'
  }
  if (!cluster) return engine || trouble.length === 0 ? 'absent' : 'unknown'
  if (cluster.owner === 'foreign') return 'foreign'
  if (!cluster.nodes.some((node) => node.running)) return 'stopped'
  if (!kube) return 'silent'
  return record?.complete === true && steps.every((step) => step.state === 'done') ? 'ready' : 'partial'
}

/** What was found now, and of the network what was seen when policies were tried on it. */
function recordedFirst({ record }: Look, { capabilities }: ClusterFacts): Capability[] {
  const tried = record?.capabilities?.all.find(({ name }) => name === 'network policy')
  return capabilities.map((one) =>
    one.name === 'network policy' && tried && record?.capabilities?.tried === one.by ? tried : one,
  )
}

async function nodesOf(
  { cluster, kube }: Look,
  signal: AbortSignal,
): Promise<Pick<Status, 'nodes' | 'gpus'>> {
  const { nodeReady } = await import('../kube/conditions/node-ready.ts')
  const objects = kube ? await kube.list({ apiVersion: 'v1', kind: 'Node' }, signal) : []
  const nodes = (cluster?.nodes ?? []).map(({ name, role, running }) => {
    const state = nodeReady(objects.find((object) => object.metadata.name === name))
    return {
      name,
      role,
      running,
      ready: running && kube !== undefined && state.met,
      words: kube ? state.seen : 'not known',
    }
  })
  return { nodes, gpus: offersOf(objects) }
}

async function workloadsOf(session: Session, { record, kube }: Look): Promise<Status['workloads']> {
  if (!record || !kube) return []
  const { readiness, readyCondition } = await import('../steps/workload.ts')
  const { finishedJobs, finishedWords, isThere } = await import('../steps/finished-jobs.ts')
  const rows = await Promise.all(
    Object.entries(record.parts).map(async ([part, recorded]) => {
      const wanted = recordedObjects(recorded)
      const finished = await finishedJobs((ref) => session.find(ref), recorded, wanted)
      return Promise.all(
        wanted
          .filter(({ ref }) => readyCondition(ref.kind) !== undefined)
          .map(async ({ ref }) => {
            const object = await session.find(ref)
            const { ready, words } =
              !isThere(object) && finished.has(refKey(ref))
                ? { ready: true, words: finishedWords }
                : readiness(ref.kind, object)
            return { part, kind: ref.kind, namespace: ref.namespace ?? '', name: ref.name, ready, words }
          }),
      )
    }),
  )
  return rows.flat()
}

async function urlsOf(session: Session, { record }: Look): Promise<ServedUrl[]> {
  if (!record) return []
  const systems = Object.entries(record.parts).filter(([part]) => part.startsWith('system.'))
  const keys = new Set(systems.flatMap(([, { objects }]) => Object.keys(objects)))
  const objects: KubeObject[] = [...(await session.ours('networking.k8s.io/v1', 'Ingress')).values()]
  return servedUrls(
    objects.filter(({ metadata }) =>
      keys.has(`networking.k8s.io/v1 Ingress ${metadata.namespace ?? ''}/${metadata.name}`),
    ),
    record.plan,
  )
}

/** The status as people read it. */
export async function statusText(status: Status): Promise<string> {
  const { cluster, nodes, gpus, steps, workloads, health, urls, trouble, images } = status
  const headline: Record<Status['state'], string> = {
    absent: `There is no cluster ${cluster}.`,
    unknown: `What cluster ${cluster} does could not be found out.`,
    foreign: `A cluster ${cluster} exists that local-cloud did not make; it is left alone.`,
    stopped: `Cluster ${cluster} is stopped; up starts it again.`,
    silent: `Cluster ${cluster} does not answer.`,
    partial: `Cluster ${cluster} is not complete; up goes on.`,
    ready: `Cluster ${cluster} is ready.`,
  }
  const { context, capabilities = [] } = status
  if (context !== undefined) {
    headline.absent = `Nothing of ours is on the cluster of context ${context} as ${cluster}.`
    headline.silent = `The cluster of context ${context} does not answer.`
    headline.partial = `What is on the cluster of context ${context} as ${cluster} is not complete; up goes on.`
    headline.ready = `What is on the cluster of context ${context} as ${cluster} is ready.`
  }
  const blocks = [headline[status.state], ...trouble.map((line) => `  ! ${line}`)]
  if (['absent', 'foreign', 'unknown'].includes(status.state)) {
    return [
      ...blocks,
      ...(status.state === 'absent'
        ? [
            ...capabilityLines(capabilities).map((line) => `  ${line}`),
            `Make it: npx zx bootstrap/up.mjs${context === undefined ? '' : ` --provider existing --context ${context}`}`,
          ]
        : []),
    ].join('\n')
  }
  const ready = workloads.filter((workload) => workload.ready).length
  const [nodeTable, stepTable, workloadTable] = await Promise.all([
    textTable(
      context === undefined ? ['node', 'role', 'container', 'kubernetes'] : ['node', 'role', 'kubernetes'],
      nodes.map(({ name, role, running, words }) => [
        name,
        role,
        ...(context === undefined ? [running ? 'running' : 'stopped'] : []),
        words,
      ]),
    ),
    textTable(
      ['step', 'state', 'why'],
      steps.map(({ title, state, reason }) => [title, state, reason]),
    ),
    textTable(
      ['workload', 'ready', 'how'],
      workloads.map(({ kind, namespace, name, ready: isReady, words }) => [
        `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`,
        isReady ? 'yes' : 'no',
        words,
      ]),
    ),
  ])
  return [
    ...blocks,
    '',
    nodeTable,
    ...[providerNote(status.provider ?? '')].filter((line) => line !== ''),
    ...gpus.flatMap((offer) => [
      offerWords(offer),
      ...[tierWarning(offer.tier)].filter((line) => line !== ''),
    ]),
    ...(capabilities.length === 0
      ? []
      : ['', 'The cluster has:', ...capabilityLines(capabilities).map((line) => `  ${line}`)]),
    '',
    stepTable,
    '',
    ...(workloads.length > 0
      ? [workloadTable, `${String(ready)} of ${String(workloads.length)} workloads ready`, '']
      : []),
    ...(await healthTables(health)).flatMap((table) => [table, '']),
    ...urls.map(({ url, service }) => `${url}  ${service}`),
    ...(images ? [`Images: ${images.source}, because ${images.why}.`] : []),
    context === undefined ? `kubectl --kubeconfig ${status.kubeconfig}` : `kubectl --context ${context}`,
  ].join('\n')
}
