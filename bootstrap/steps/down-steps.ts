import { existsSync } from 'node:fs'
import { readdir, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { clusterLabel, managedLabel, type Engine } from '../engine/engine.ts'
import { isEnded, keptFolders } from '../leftovers/find-leftovers.ts'
import type { Paths } from '../plan/options.ts'
import type { ClusterProvider } from '../providers/provider.ts'
import { clusterFiles } from './cluster-files.ts'
import { unmergeKubeconfig } from './merge-kubeconfig.ts'
import type { Step, StepRun } from './step.ts'

export interface DownOptions {
  paths: Paths
  /** Clusters to remove; those of others must have been refused before. */
  clusters: readonly string[]
  /** Steps that take from existing clusters what is ours, and forget them where nothing stays. */
  existing?: readonly Step[]
  /** Whether no other cluster of ours stays. */
  everything: boolean
  /** Whether no other cluster uses this state directory. */
  stateIsFree: boolean
  purge: boolean
  /** Absent when the machine has no engine: then there are no containers to remove. */
  engine?: Engine
  provider?: ClusterProvider
  timeoutMs: number
}

/**
 * What `down` undoes, as steps for `undoSteps`: clusters first, by their labels alone and from any half state, then what is
 * shared. Nothing there is success.
 */
export function downSteps(options: DownOptions): Step[] {
  const { paths, engine, provider, everything, stateIsFree, purge, timeoutMs, existing = [] } = options
  const step = (
    id: string,
    title: string,
    needs: readonly string[],
    undo: (run: StepRun) => Promise<void>,
  ): Step => ({
    id,
    title,
    needs,
    timeoutMs,
    observe: () => Promise.resolve({ state: 'done', reason: '' }),
    apply: () => Promise.resolve(),
    verify: () => Promise.resolve(''),
    undo,
  })
  const steps = options.clusters.flatMap((name) => [
    ...(engine
      ? [
          step(`cluster:${name}`, `Cluster ${name}`, ['state'], async (run) => {
            await provider?.delete(name, run)
            await sweep(engine, `${clusterLabel}=${name}`, run.signal)
          }),
        ]
      : []),
    step(`kubeconfig:${name}`, `Kubeconfig of ${name}`, ['state'], async () => {
      await unmergeKubeconfig(name)
      await clusterFiles(paths, name).remove()
    }),
  ])
  const state = step('state', 'State directory', [], async ({ signal }) => {
    if (engine && everything) await removeShared(engine, purge, signal)
    if (!stateIsFree) return
    const folders = [...(existing.length > 0 ? [] : ['clusters']), ...(purge ? keptFolders : [])]
    for (const folder of folders) await rm(join(paths.stateDir, folder), { recursive: true, force: true })
  })
  return [state, ...steps, ...existing]
}

/**
 * Removes what the engine and the lock needed to the last, and the state directory if it is empty then. After this the
 * engine can no longer be spoken to.
 */
export async function removeEmptyState(paths: Paths, stateIsFree: boolean): Promise<void> {
  if (stateIsFree) await rm(join(paths.stateDir, 'engine'), { recursive: true, force: true })
  for (const folder of [join(paths.stateDir, 'lock'), join(paths.stateDir, 'clusters'), paths.stateDir]) {
    if (existsSync(folder) && (await readdir(folder)).length === 0) await rmdir(folder)
  }
}

/** Removes everything that carries the label, in the order in which one holds the other: containers, networks and volumes, images. */
async function sweep(engine: Engine, label: string, signal: AbortSignal): Promise<void> {
  const containers = await engine.listContainers(label, signal)
  await Promise.all(containers.map(({ id }) => engine.remove(id, signal)))
  const [networks, volumes] = await Promise.all([
    engine.listNetworks(label, signal),
    engine.listVolumes(label, signal),
  ])
  await Promise.all([
    ...networks.map((name) => engine.removeNetwork(name, signal)),
    ...volumes.map((name) => engine.removeVolume(name, signal)),
  ])
  await removeImages(engine, label, signal)
}

/**
 * What belongs to no cluster: containers of ours that have ended (one that runs is at work for another checkout or
 * command) and, to purge, the images that were built, which other checkouts then load again from their caches.
 */
async function removeShared(engine: Engine, purge: boolean, signal: AbortSignal): Promise<void> {
  const containers = await engine.listContainers(managedLabel, signal)
  await Promise.all(containers.filter(isEnded).map(({ id }) => engine.remove(id, signal)))
  if (purge) await removeImages(engine, managedLabel, signal)
}

async function removeImages(engine: Engine, label: string, signal: AbortSignal): Promise<void> {
  for (const { id, refs } of await engine.listImages(label, signal)) {
    for (const ref of refs.length > 0 ? refs : [id]) await engine.removeImage(ref, signal)
  }
}
