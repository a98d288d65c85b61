import { readFile, readdir, readlink } from 'node:fs/promises'
import { basename, join, sep } from 'node:path'
import { clusterLabel, managedLabel, type ContainerInfo, type Engine } from '../engine/engine.ts'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { Paths } from '../plan/options.ts'

/** One thing of ours that is still on the machine, or on an existing cluster. */
export interface Leftover {
  kind: 'container' | 'volume' | 'network' | 'image' | 'mount' | 'cgroup' | 'process' | 'file' | 'object'
  name: string
}

/** What should be gone. */
export interface LeftoverScope {
  paths: Paths
  /** Absent when the machine has none. */
  engine?: Engine
  /** Names of clusters that were removed. */
  clusters: readonly string[]
  /** Full ids of containers that those clusters had; their mounts, cgroups and processes are looked for. */
  containerIds: readonly string[]
  /** Whether no cluster of ours is to be left at all: then containers of ours that have ended count, whatever they were for. */
  everything: boolean
  /** Whether no other cluster uses this state directory. */
  stateIsFree: boolean
  /** Whether images and caches were to be removed as well. */
  purged: boolean
  /** Where the kernel's files are; replaced in tests. */
  proc?: string
  cgroups?: string
}

/** Every folder that we make in a state directory. */
const stateFolders: readonly string[] = [
  'artefacts',
  'cache',
  'clusters',
  'e2e-mutations',
  'e2e-report',
  'engine',
  'lock',
  'tools',
]
/** What `down` keeps below the state directory unless it purges: what was built, and reports that somebody may still want to read. */
export const keptFolders: readonly string[] = ['artefacts', 'cache', 'e2e-mutations', 'e2e-report', 'tools']

/** Whether a container has ended; one of ours that has not and belongs to no cluster is at work for another command. */
export const isEnded = ({ state }: ContainerInfo): boolean => ['exited', 'stopped', 'dead'].includes(state)

/** Containers, volumes, networks and images of ours that are still there, by their labels. */
export async function findInEngine(
  { engine, clusters, everything, purged }: LeftoverScope,
  signal: AbortSignal,
): Promise<Leftover[]> {
  if (!engine) return []
  const labels = clusters.map((name) => `${clusterLabel}=${name}`)
  const [own, all, volumes, networks, images] = await Promise.all([
    Promise.all(labels.map((label) => engine.listContainers(label, signal))),
    everything ? engine.listContainers(managedLabel, signal) : [],
    Promise.all(labels.map((label) => engine.listVolumes(label, signal))),
    Promise.all(labels.map((label) => engine.listNetworks(label, signal))),
    Promise.all(
      (purged && everything ? [managedLabel] : labels).map((label) => engine.listImages(label, signal)),
    ),
  ])
  const containers = new Map([...own.flat(), ...all.filter(isEnded)].map((found) => [found.id, found]))
  return [
    ...[...containers.values()].map(({ name, state }): Leftover => ({
      kind: 'container',
      name: `${name} (${state})`,
    })),
    ...volumes.flat().map((name): Leftover => ({ kind: 'volume', name })),
    ...networks.flat().map((name): Leftover => ({ kind: 'network', name })),
    ...images.flat().map(({ id, refs }): Leftover => ({ kind: 'image', name: refs[0] ?? id })),
  ]
}

/**
 * What containers and this tool left elsewhere on the machine: mounts, cgroups and processes by container ids and the state
 * directory, and files in the state directory. Needs no engine.
 */
export async function findOnMachine(scope: LeftoverScope): Promise<Leftover[]> {
  const { proc = '/proc', cgroups = '/sys/fs/cgroup' } = scope
  const found = await Promise.all([
    mounts(scope, proc),
    cgroupFolders(scope, cgroups),
    processes(scope, proc),
    files(scope),
  ])
  return found.flat()
}

/** @throws LocalCloudError LEFTOVERS naming each, if there is one. */
export function requireNothingLeft(leftovers: readonly Leftover[]): void {
  if (leftovers.length === 0) return
  throw new LocalCloudError('LEFTOVERS', {
    message: `${String(leftovers.length)} ${leftovers.length === 1 ? 'thing' : 'things'} of ours could not be removed.`,
    evidence: leftovers.map(({ kind, name }) => `${kind} ${name}`),
  })
}

/** Mount points below the state directory, or with a container's id in their path (proc_pid_mounts(5), octal escapes). */
async function mounts(
  { paths, containerIds, stateIsFree }: LeftoverScope,
  proc: string,
): Promise<Leftover[]> {
  const table = await readFile(join(proc, 'self', 'mounts'), 'utf8').catch(() => '')
  return table
    .split('\n')
    .map((line) =>
      (line.split(' ')[1] ?? '').replace(/\\(\d{3})/g, (_, code: string) =>
        String.fromCharCode(parseInt(code, 8)),
      ),
    )
    .filter(
      (point) =>
        (stateIsFree && point.startsWith(paths.stateDir + sep)) ||
        containerIds.some((id) => point.includes(id)),
    )
    .map((name) => ({ kind: 'mount', name }))
}

/** Engines name a container's cgroup after its id; one level below a hit is not looked at. */
async function cgroupFolders({ containerIds }: LeftoverScope, root: string): Promise<Leftover[]> {
  if (containerIds.length === 0) return []
  const found: Leftover[] = []
  const walk = async (folder: string, depth: number): Promise<void> => {
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
    await Promise.all(
      entries
        .filter((entry) => entry.isDirectory())
        .map(async ({ name }) => {
          const path = join(folder, name)
          if (containerIds.some((id) => name.includes(id))) found.push({ kind: 'cgroup', name: path })
          else if (depth < 8) await walk(path, depth + 1)
        }),
    )
  }
  await walk(root, 0)
  return found.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Processes that name one of the containers, and programs from our tools folder, but for this process and its parents. */
async function processes(
  { paths, containerIds, stateIsFree }: LeftoverScope,
  proc: string,
): Promise<Leftover[]> {
  const own = await ancestors(proc)
  const tools = join(paths.stateDir, 'tools') + sep
  const pids = (await readdir(proc).catch(() => [])).filter((entry) => /^\d+$/.test(entry) && !own.has(entry))
  const found = await Promise.all(
    pids.map(async (pid): Promise<Leftover[]> => {
      const words = (await readFile(join(proc, pid, 'cmdline'), 'utf8').catch(() => '')).split('\0')
      const program = await readlink(join(proc, pid, 'exe')).catch(() => '')
      const ours =
        containerIds.some((id) => words.some((word) => word.includes(id))) ||
        (stateIsFree && program.startsWith(tools))
      return ours ? [{ kind: 'process', name: `${pid} (${words.join(' ').trim().slice(0, 120)})` }] : []
    }),
  )
  return found.flat()
}

async function ancestors(proc: string): Promise<Set<string>> {
  const known = new Set<string>()
  let pid = String(process.pid)
  while (pid !== '0' && pid !== '' && !known.has(pid)) {
    known.add(pid)
    const status = await readFile(join(proc, pid, 'status'), 'utf8').catch(() => '')
    pid = /^PPid:\s*(\d+)$/m.exec(status)?.[1] ?? ''
  }
  return known
}

async function files({ paths, clusters, stateIsFree, purged }: LeftoverScope): Promise<Leftover[]> {
  const below = async (...parts: string[]): Promise<string[]> => {
    const folder = join(paths.stateDir, ...parts)
    return (await readdir(folder).catch(() => [])).map((entry) => join(folder, entry))
  }
  // A state directory of the user's choice may hold files of others; the default one is all ours.
  const allOurs = paths.stateDir === join(paths.repo, '.local-cloud')
  const ours = (path: string): boolean => allOurs || stateFolders.includes(basename(path))
  const kept = (path: string): boolean => keptFolders.includes(basename(path)) || path === paths.cacheDir
  const found = stateIsFree
    ? (await below()).filter((path) => ours(path) && (purged || !kept(path)))
    : [...(await below('clusters')), ...(await below('lock'))].filter((path) =>
        clusters.includes(basename(path)),
      )
  return found.map((name) => ({ kind: 'file', name }))
}
