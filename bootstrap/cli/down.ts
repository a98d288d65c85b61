import { existsSync, readdirSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { clusterLabel, managedLabel, type ContainerInfo, type Engine } from '../engine/engine.ts'
import { isDiskFull } from '../errors/disk-full.ts'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import {
  findInEngine,
  findOnMachine,
  isEnded,
  requireNothingLeft,
  type Leftover,
} from '../leftovers/find-leftovers.ts'
import type { Paths } from '../plan/options.ts'
import type { ClusterProvider } from '../providers/provider.ts'
import { duration } from '../report/duration.ts'
import { tryLock } from '../state/lock-folder.mjs'
import { withLock } from '../state/lock.ts'
import { downSteps, removeEmptyState } from '../steps/down-steps.ts'
import { refuseForeign } from '../steps/existing.ts'
import { findAccess, requireSameOrigin, type FoundAccess } from '../steps/on-existing/access.ts'
import { removeFromExistingStep, type Removed } from '../steps/on-existing/remove.ts'
import { realTools } from '../steps/real-tools.ts'
import { undoSteps } from '../steps/run-steps.ts'
import type { Tools } from '../steps/tools.ts'
import type { CommandContext, DownValues } from './command-context.ts'
import { commandDeadline } from './command-deadline.ts'

/** `down`: removes clusters of ours by their labels alone, twice if need be, and makes sure that nothing of ours is left. */
export async function run(context: CommandContext<DownValues>): Promise<void> {
  const { engine } = context.values
  await down(context, realTools({ paths: context.paths, engine, install: false, emit: context.emit }))
}

/** What is there to be removed. */
interface Found {
  engine?: Engine
  provider?: ClusterProvider
  /** Every container of ours. */
  containers: ContainerInfo[]
  /** Names to remove. */
  clusters: string[]
  /** Names of ours that stay. */
  others: string[]
  /** Whether none stays on this machine. */
  everything: boolean
  /** Whether none of those that stay uses this state directory. */
  stateIsFree: boolean
  /** Whether anything of the named clusters is there. */
  anything: boolean
  /** Those of the names that stand for what was put on an existing cluster. */
  existing: ReadonlyMap<string, FoundAccess>
}

/** The same with the given tools. */
export async function down(context: CommandContext<DownValues>, tools: Tools): Promise<void> {
  const { values, emit, json, paths } = context
  const { purge, timeoutMs } = values
  const started = Date.now()
  const removed: Removed[] = []
  const deadline = commandDeadline('down', timeoutMs, context.signal)
  const { signal } = deadline
  try {
    const first = await find(context, tools, signal)
    const outcome = await locked(context, first.clusters, signal, async () => {
      const found = await find(context, tools, signal)
      const { engine, provider, containers, everything, stateIsFree, existing } = found
      const clusters = found.clusters.filter((name) => !existing.has(name))
      const steps = downSteps({
        paths,
        clusters,
        existing: [...existing].map(([name, access]) =>
          removeFromExistingStep({
            paths,
            name,
            access,
            tools,
            timeoutMs,
            done: (one) => removed.push(one),
          }),
        ),
        everything,
        stateIsFree,
        purge,
        timeoutMs,
        ...(engine ? { engine } : {}),
        ...(provider ? { provider } : {}),
      })
      await undoSteps(steps, { emit, signal })
      const scope = {
        paths,
        clusters: found.clusters,
        containerIds: containers.filter(isOf(clusters, everything)).map(({ id }) => id),
        everything,
        stateIsFree,
        purged: purge,
        ...(engine ? { engine } : {}),
      }
      const kept = await whatIsKept(found, context, signal)
      return { scope, kept, inEngine: await findInEngine(scope, signal) }
    })
    const { scope, kept } = outcome
    await removeEmptyState(paths, scope.stateIsFree)
    const onClusters = removed.flatMap(({ left }) => left)
    requireNothingLeft([
      ...onClusters.map((name): Leftover => ({ kind: 'object', name })),
      ...outcome.inEngine,
      ...(await findOnMachine(scope)),
    ])
    const ms = Date.now() - started
    context.out(
      json
        ? JSON.stringify({
            type: 'result',
            command: 'down',
            removed: first.anything ? scope.clusters : [],
            kept,
            ...(removed.length === 0 ? {} : { existing: removed }),
            ms,
          })
        : [
            ...(first.clusters.length > removed.length || removed.length === 0
              ? [removedWords(first, ms)]
              : []),
            ...removed.flatMap((one) => existingWords(one, ms)),
            `Nothing of ours is left${kept.length === 0 ? '' : ` but ${kept.join(' and ')}`}.`,
          ].join('\n'),
    )
  } finally {
    deadline.dispose()
  }
}

/** Containers that this command removes. */
const isOf =
  (clusters: readonly string[], everything: boolean) =>
  (container: ContainerInfo): boolean =>
    clusters.includes(container.labels[clusterLabel] ?? '') || (everything && isEnded(container))

/** The engine. One that is dead is none where no cluster is remembered: nothing of ours can be in it that anybody knows of. */
async function findEngine(
  tools: Tools,
  needed: boolean,
  emit: CommandContext['emit'],
  signal: AbortSignal,
): Promise<Engine | undefined> {
  try {
    return await tools.findEngine(signal)
  } catch (error) {
    if (needed || !(error instanceof LocalCloudError) || error.code !== 'ENGINE_DEAD') throw error
    emit({ type: 'notice', level: 'warning', message: `${error.message} What it may hold cannot be seen.` })
    return undefined
  }
}

async function find(
  { values, paths, emit }: CommandContext<DownValues>,
  tools: Tools,
  signal: AbortSignal,
): Promise<Found> {
  const folder = join(paths.stateDir, 'clusters')
  const remembered = existsSync(folder) ? await readdir(folder) : []
  if (values.provider !== undefined)
    await requireSameOrigin(paths, { name: values.name, provider: values.provider })
  const accesses = await existingAmong(values.all ? remembered : [values.name], values, paths)
  // What is on an existing cluster has nothing to do with an engine of this machine.
  const engine =
    accesses.has(values.name) && !values.all && !values.purge
      ? undefined
      : await findEngine(
          tools,
          remembered.some((name) => !accesses.has(name)),
          emit,
          signal,
        )
  const provider = engine && (await tools.provider(engine))
  const containers = engine ? await engine.listContainers(managedLabel, signal) : []
  const labelled = containers.flatMap(({ labels }) => labels[clusterLabel] ?? [])
  const ours = [...new Set([...labelled, ...remembered])].sort()
  const clusters = values.all && ours.length > 0 ? ours : [values.name]
  const existing = new Map([...accesses].filter(([name]) => clusters.includes(name)))
  for (const name of clusters.filter((one) => !existing.has(one))) {
    const cluster = await provider?.find(name, signal)
    if (cluster?.owner === 'foreign') refuseForeign(name)
  }
  const stays = (name: string): boolean => !clusters.includes(name)
  const inState = [...remembered, ...beingWorkedOn(paths)].filter(stays)
  const others = [...new Set([...ours.filter(stays), ...inState])].sort()
  return {
    ...(engine ? { engine } : {}),
    ...(provider ? { provider } : {}),
    containers,
    clusters,
    others,
    everything: others.length === 0,
    stateIsFree: inState.length === 0,
    anything: clusters.some((name) => ours.includes(name) || existing.has(name)),
    existing,
  }
}

/** Those of these names that stand for what was put on an existing cluster, with the way to it. */
async function existingAmong(
  names: readonly string[],
  values: DownValues,
  paths: Paths,
): Promise<Map<string, FoundAccess>> {
  const found = await Promise.all(
    names.map(async (name) => {
      const access = await findAccess(paths, values.all ? { name } : { ...values, name })
      return access ? [[name, access] as const] : []
    }),
  )
  return new Map(found.flat())
}

/** What became of what was put on an existing cluster. */
function existingWords({ context, removed, kept, unseen }: Removed, ms: number): string[] {
  return [
    removed === 0
      ? `Nothing of ours is on the cluster of context ${context}.`
      : `Removed what was put on the cluster of context ${context} in ${duration(ms)}: ${String(removed)} objects and what is in them.`,
    ...kept.map((line) => `Not removed: ${line}.`),
    ...(unseen.length === 0
      ? []
      : [`Not looked for, because this user may not list them: ${unseen.join(', ')}.`]),
  ]
}

/** Names on which another living process works, which may have nothing to show for it yet. */
function beingWorkedOn({ stateDir }: Paths): string[] {
  const folder = join(stateDir, 'lock')
  if (!existsSync(folder)) return []
  return readdirSync(folder).filter((name) => {
    try {
      const attempt = tryLock(join(folder, name), 'down')
      if ('holder' in attempt) return true
      attempt.release()
    } catch (error) {
      // A living holder was looked for before anything was written.
      if (!isDiskFull(error)) throw error
    }
    return false
  })
}

async function locked<T>(
  { paths, emit }: CommandContext<DownValues>,
  names: readonly string[],
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const [name, ...rest] = names
  if (name === undefined) return work()
  return withLock(paths, name, { emit, signal, goOnWhenFull: true }, () =>
    locked({ paths, emit } as CommandContext<DownValues>, rest, signal, work),
  )
}

function removedWords({ engine, clusters, anything }: Found, ms: number): string {
  const names = clusters.length === 1 ? `cluster ${clusters.join('')}` : `clusters ${clusters.join(', ')}`
  if (anything) return `Removed ${names} in ${duration(ms)}.`
  if (!engine) return 'No container engine works on this machine, so there is no cluster.'
  return `There is no ${names}.`
}

async function whatIsKept(
  { engine, others, everything }: Found,
  { values, paths }: CommandContext<DownValues>,
  signal: AbortSignal,
): Promise<string[]> {
  const clusters =
    others.length === 0 ? [] : [`${others.length === 1 ? 'cluster' : 'clusters'} ${others.join(', ')}`]
  const images = engine ? await engine.listImages(managedLabel, signal) : []
  const cached = [
    ...(images.length > 0 ? [`${String(images.length)} images in ${engine?.kind ?? 'the engine'}`] : []),
    ...(existsSync(paths.cacheDir) ? [paths.cacheDir] : []),
  ]
  if (cached.length === 0) return clusters
  const how = values.purge && everything ? '' : ' (for the next up; --purge removes it)'
  return [...clusters, `what was built, ${cached.join(', ')}${how}`]
}
