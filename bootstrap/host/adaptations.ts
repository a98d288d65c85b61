import type { HostLimits } from './host-limits.ts'

/** What an adaptation changes. Whoever makes that thing reads the effects that concern it. */
export type AdaptationEffect =
  /** Limits that the engine gives containers by default; podman asks for more than the host allows. */
  | { kind: 'engine-ulimits'; nofile: number; nproc: number }
  /** Runtime and cgroup manager that podman is told to use. */
  | { kind: 'engine-cgroups'; runtime: 'runc'; cgroupManager: 'cgroupfs' }
  /** Fields merged into every node's KubeletConfiguration. */
  | { kind: 'kubelet'; fields: { failCgroupV1: false; cgroupDriver: 'cgroupfs' } }
  /** Containers in nodes may not ask for a lower OOM score than containerd has. */
  | { kind: 'restrict-oom-scores' }
  /** Nothing can be adapted; the user is told what may go wrong. */
  | { kind: 'warning' }

export interface Adaptation {
  id: string
  /** Told to the user once. */
  message: string
  effect: AdaptationEffect
}

/** 30000 worked on a host where 63000 was refused (guide: hosts without CAP_SYS_RESOURCE). */
const nprocCeiling = 30_000
/** What podman asks for when nothing is configured. */
const nofileCeiling = 1_048_576
/** Below this a node's components run out of inotify instances with two nodes (kind's known-issues page names 512). */
const inotifyInstances = 512

/** What has to be done differently on this host, and what the user is told about it. Empty on ordinary hosts. */
export function adaptations(limits: HostLimits): Adaptation[] {
  if (limits.platform !== 'linux') return []
  const found: Adaptation[] = []
  if (!limits.capSysResource) {
    const nofile = Math.min(limits.nofileHard, nofileCeiling)
    const nproc = Math.min(limits.nprocHard, nprocCeiling)
    found.push(
      {
        id: 'engine-ulimits',
        message: `This host lacks CAP_SYS_RESOURCE: podman's containers get at most ${String(nofile)} open files and ${String(nproc)} processes.`,
        effect: { kind: 'engine-ulimits', nofile, nproc },
      },
      {
        id: 'restrict-oom-scores',
        message: 'This host lacks CAP_SYS_RESOURCE: containers in the nodes keep their inherited OOM scores.',
        effect: { kind: 'restrict-oom-scores' },
      },
    )
  }
  if (limits.cgroup === 'v1' || limits.cgroup === 'hybrid') {
    const words = limits.cgroup === 'v1' ? 'cgroup v1' : 'cgroup v1 controllers beside a v2 mount (hybrid)'
    found.push(
      {
        id: 'engine-cgroups',
        message: `This host has ${words}: podman uses runc with the cgroupfs manager.`,
        effect: { kind: 'engine-cgroups', runtime: 'runc', cgroupManager: 'cgroupfs' },
      },
      {
        id: 'kubelet-cgroup-v1',
        message: `This host has ${words}: the kubelets are told to accept it (failCgroupV1: false, cgroupDriver: cgroupfs).`,
        effect: { kind: 'kubelet', fields: { failCgroupV1: false, cgroupDriver: 'cgroupfs' } },
      },
    )
  }
  if (limits.storageIsOverlay) {
    found.push({
      id: 'nested-overlay',
      message:
        'The container storage lies on an overlay file system (a container in a container?): layers may have to be copied, which is slower and takes more space.',
      effect: { kind: 'warning' },
    })
  }
  if (limits.inotify !== undefined && limits.inotify.maxUserInstances < 128) {
    found.push({
      id: 'low-inotify',
      message: `fs.inotify.max_user_instances is ${String(limits.inotify.maxUserInstances)}; nodes may fail with "too many open files". To raise it: sysctl fs.inotify.max_user_instances=${String(inotifyInstances)}`,
      effect: { kind: 'warning' },
    })
  }
  return found
}

/** The effects of one kind, typed. */
export function effectsOf<Kind extends AdaptationEffect['kind']>(
  list: readonly Adaptation[],
  kind: Kind,
): Extract<AdaptationEffect, { kind: Kind }>[] {
  return list
    .map(({ effect }) => effect)
    .filter((effect): effect is Extract<AdaptationEffect, { kind: Kind }> => effect.kind === kind)
}
