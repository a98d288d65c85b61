import { accessSync, constants, readFileSync, statfsSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'

export type CgroupLayout = 'v1' | 'v2' | 'hybrid' | 'none'

/** What this machine allows, as far as containers and clusters are concerned. Sizes are bytes, counts may be Infinity. */
export interface HostLimits {
  platform: NodeJS.Platform
  arch: string
  root: boolean
  /** From os-release; undefined where there is none (macOS, Windows). */
  distribution: { id: string; version: string; like: readonly string[] } | undefined
  /** Whether this process may raise hard limits and lower OOM scores; children inherit the answer. */
  capSysResource: boolean
  nofileHard: number
  nprocHard: number
  /** `hybrid`: controllers in v1 hierarchies, with an additional v2 mount. `none`: not Linux, or no cgroup mount. */
  cgroup: CgroupLayout
  /** Where the v2 hierarchy is mounted. */
  cgroupV2Root: string | undefined
  /** The file system below the engine's storage is itself an overlay (a container without a volume for it). */
  storageIsOverlay: boolean
  inotify: { maxUserInstances: number; maxUserWatches: number } | undefined
  memory: number
  cpus: number
}

/** Where the facts are read from; replaced in tests. */
export interface HostWorld {
  platform: NodeJS.Platform
  arch: string
  uid: number | undefined
  memory: number
  cpus: number
  /** Content of a file, undefined when it cannot be read. */
  read(file: string): string | undefined
  exists(file: string): boolean
  /** `statfs` type of the file system that holds the path or its nearest existing parent. */
  fileSystemType(file: string): number | undefined
}

/** The machine as it is, seen through a root folder (`/` unless a test says otherwise). */
export function realHostWorld(root = '/'): HostWorld {
  const at = (file: string) => path.join(root, file)
  return {
    platform: process.platform,
    arch: process.arch,
    uid: process.getuid?.(),
    memory: os.totalmem(),
    cpus: os.availableParallelism(),
    read(file) {
      try {
        return readFileSync(at(file), 'utf8')
      } catch {
        return undefined
      }
    },
    exists(file) {
      try {
        accessSync(at(file), constants.F_OK)
        return true
      } catch {
        return false
      }
    },
    fileSystemType(file) {
      for (let place = file; ; place = path.dirname(place)) {
        try {
          return statfsSync(at(place)).type
        } catch {
          if (place === path.dirname(place)) return undefined
        }
      }
    },
  }
}

/** CAP_SYS_RESOURCE in linux/capability.h. */
const capSysResourceBit = 24n
/** OVERLAYFS_SUPER_MAGIC in linux/magic.h. */
const overlayMagic = 0x794c7630
/** Where rootful podman and docker keep layers unless told otherwise. */
const engineStorage = '/var/lib/containers/storage'

/** Reads the limits; changes nothing. Elsewhere than on Linux the engine runs in a machine of its own, so nothing limits it. */
export function detectHostLimits(world: HostWorld = realHostWorld()): HostLimits {
  const { platform, arch, memory, cpus } = world
  const general = { platform, arch, memory, cpus, root: world.uid === 0 }
  if (platform !== 'linux') {
    return {
      ...general,
      distribution: undefined,
      capSysResource: true,
      nofileHard: Infinity,
      nprocHard: Infinity,
      cgroup: 'none',
      cgroupV2Root: undefined,
      storageIsOverlay: false,
      inotify: undefined,
    }
  }
  const limits = parseProcLimits(world.read('/proc/self/limits') ?? '')
  return {
    ...general,
    distribution: parseOsRelease(world.read('/etc/os-release') ?? world.read('/usr/lib/os-release')),
    capSysResource: hasCapSysResource(world.read('/proc/self/status') ?? ''),
    nofileHard: limits.nofile,
    nprocHard: limits.nproc,
    ...parseCgroupMounts(world.read('/proc/self/mounts') ?? ''),
    storageIsOverlay: world.fileSystemType(engineStorage) === overlayMagic,
    inotify: inotifyLimits(world),
  }
}

function parseOsRelease(text: string | undefined): HostLimits['distribution'] {
  if (text === undefined) return undefined
  const fields = new Map(
    text.split('\n').flatMap((line): [string, string][] => {
      const match = /^([A-Z_]+)=["']?(.*?)["']?$/.exec(line.trim())
      return match ? [[match[1] ?? '', match[2] ?? '']] : []
    }),
  )
  const id = fields.get('ID')
  if (id === undefined) return undefined
  return {
    id,
    version: fields.get('VERSION_ID') ?? '',
    like: (fields.get('ID_LIKE') ?? '').split(/\s+/).filter((word) => word !== ''),
  }
}

function parseProcLimits(text: string): { nofile: number; nproc: number } {
  const hard = (name: string) => {
    const match = new RegExp(`^${name}\\s+\\S+\\s+(\\S+)`, 'm').exec(text)
    return match?.[1] === undefined || match[1] === 'unlimited' ? Infinity : Number(match[1])
  }
  return { nofile: hard('Max open files'), nproc: hard('Max processes') }
}

/** A process without root's capabilities is judged by its bounding set: that is what a rootful engine would get. */
function hasCapSysResource(status: string): boolean {
  const match = /^CapBnd:\s*([0-9a-f]+)/im.exec(status)
  return match?.[1] === undefined || ((BigInt(`0x${match[1]}`) >> capSysResourceBit) & 1n) === 1n
}

function parseCgroupMounts(mounts: string): Pick<HostLimits, 'cgroup' | 'cgroupV2Root'> {
  const entries = mounts.split('\n').map((line) => line.split(' '))
  const v1 = entries.some(([, , type, options]) => {
    return type === 'cgroup' && /\b(cpu|memory|pids|cpuset)\b/.test(options ?? '')
  })
  const cgroupV2Root = entries.find(([, , type]) => type === 'cgroup2')?.[1]
  return {
    cgroup: v1 ? (cgroupV2Root === undefined ? 'v1' : 'hybrid') : cgroupV2Root === undefined ? 'none' : 'v2',
    cgroupV2Root,
  }
}

function inotifyLimits(world: HostWorld): HostLimits['inotify'] {
  const read = (name: string) => Number(world.read(`/proc/sys/fs/inotify/${name}`) ?? Number.NaN)
  const limits = { maxUserInstances: read('max_user_instances'), maxUserWatches: read('max_user_watches') }
  return Number.isNaN(limits.maxUserInstances) || Number.isNaN(limits.maxUserWatches) ? undefined : limits
}
