import { describe, expect, it } from 'vitest'
import { adaptations, effectsOf } from './adaptations.ts'
import { detectHostLimits, realHostWorld, type HostWorld } from './host-limits.ts'

const gib = 2 ** 30

function world(files: Record<string, string>, changes: Partial<HostWorld> = {}): HostWorld {
  return {
    platform: 'linux',
    arch: 'x64',
    uid: 0,
    memory: 8 * gib,
    cpus: 2,
    read: (file) => files[file],
    exists: (file) => file in files,
    fileSystemType: () => 0xef53,
    ...changes,
  }
}

const limitsTable = (nofile: string, nproc: string) =>
  [
    'Limit                     Soft Limit           Hard Limit           Units     ',
    `Max processes             1024                 ${nproc}                processes `,
    `Max open files            1024                 ${nofile}              files     `,
  ].join('\n')

const ubuntu = {
  '/etc/os-release': 'PRETTY_NAME="Ubuntu 24.04.2 LTS"\nVERSION_ID="24.04"\nID=ubuntu\nID_LIKE=debian\n',
  '/proc/self/limits': limitsTable('1048576', '63127'),
  '/proc/self/status': 'Name:\tnode\nCapEff:\t0000000000000000\nCapBnd:\t000001ffffffffff\n',
  '/proc/self/mounts': 'proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n',
  '/proc/sys/fs/inotify/max_user_instances': '128\n',
  '/proc/sys/fs/inotify/max_user_watches': '65536\n',
}

/** A machine that withholds CAP_SYS_RESOURCE and has v1 controllers beside a v2 mount. */
const sandbox = {
  '/etc/os-release': 'ID=debian\nVERSION_ID="12"\n',
  '/proc/self/limits': limitsTable('20000', '96365'),
  '/proc/self/status': 'CapBnd:\t000001fffeffffff\nCapEff:\t000001fffeffffff\n',
  '/proc/self/mounts': [
    'tmpfs /sys/fs/cgroup tmpfs rw 0 0',
    'cgroup /sys/fs/cgroup/cpu cgroup rw,relatime,cpu 0 0',
    'cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0',
    'cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,name=systemd 0 0',
    'cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0',
  ].join('\n'),
}

describe('an ordinary Ubuntu', () => {
  const limits = detectHostLimits(world(ubuntu, { uid: 1000 }))

  it('is seen as it is', () => {
    expect(limits).toEqual({
      platform: 'linux',
      arch: 'x64',
      root: false,
      memory: 8 * gib,
      cpus: 2,
      distribution: { id: 'ubuntu', version: '24.04', like: ['debian'] },
      capSysResource: true,
      nofileHard: 1_048_576,
      nprocHard: 63_127,
      cgroup: 'v2',
      cgroupV2Root: '/sys/fs/cgroup',
      storageIsOverlay: false,
      inotify: { maxUserInstances: 128, maxUserWatches: 65_536 },
    })
  })

  it('needs nothing', () => {
    expect(adaptations(limits)).toEqual([])
  })
})

it('systemd’s named v1 hierarchy alone does not make a host hybrid', () => {
  const mounts = `${ubuntu['/proc/self/mounts']}cgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0\n`
  expect(detectHostLimits(world({ ...ubuntu, '/proc/self/mounts': mounts })).cgroup).toBe('v2')
})

it('macOS needs nothing: its engine runs in a machine of its own', () => {
  const limits = detectHostLimits(world({}, { platform: 'darwin', arch: 'arm64', uid: 501 }))
  expect(limits).toMatchObject({
    capSysResource: true,
    nofileHard: Infinity,
    cgroup: 'none',
    distribution: undefined,
  })
  expect(adaptations(limits)).toEqual([])
})

describe('a sandbox without CAP_SYS_RESOURCE and with hybrid cgroups', () => {
  const limits = detectHostLimits(world(sandbox))

  it('is seen as it is', () => {
    expect(limits).toMatchObject({
      root: true,
      distribution: { id: 'debian', version: '12', like: [] },
      capSysResource: false,
      nofileHard: 20_000,
      nprocHard: 96_365,
      cgroup: 'hybrid',
      cgroupV2Root: '/sys/fs/cgroup/unified',
      inotify: undefined,
    })
  })

  it('gets limits that it can grant, runc with cgroupfs, kubelets that accept v1, and unchanged OOM scores', () => {
    const list = adaptations(limits)
    expect(list.map(({ effect }) => effect)).toEqual([
      { kind: 'engine-ulimits', nofile: 20_000, nproc: 30_000 },
      { kind: 'restrict-oom-scores' },
      { kind: 'engine-cgroups', runtime: 'runc', cgroupManager: 'cgroupfs' },
      { kind: 'kubelet', fields: { failCgroupV1: false, cgroupDriver: 'cgroupfs' } },
    ])
    expect(new Set(list.map(({ id }) => id)).size).toBe(list.length)
    expect(list.every(({ message }) => message.endsWith('.') || message.endsWith(')'))).toBe(true)
  })

  it('gets no more than its own hard limits', () => {
    const tight = detectHostLimits(world({ ...sandbox, '/proc/self/limits': limitsTable('4096', '500') }))
    expect(effectsOf(adaptations(tight), 'engine-ulimits')).toEqual([
      { kind: 'engine-ulimits', nofile: 4096, nproc: 500 },
    ])
    const open = detectHostLimits(
      world({ ...sandbox, '/proc/self/limits': limitsTable('unlimited', 'unlimited') }),
    )
    expect(effectsOf(adaptations(open), 'engine-ulimits')).toEqual([
      { kind: 'engine-ulimits', nofile: 1_048_576, nproc: 30_000 },
    ])
  })
})

it('plain cgroup v1 is told from hybrid', () => {
  const mounts = sandbox['/proc/self/mounts'].replace(/\ncgroup2.*/, '')
  const limits = detectHostLimits(world({ ...sandbox, '/proc/self/mounts': mounts }))
  expect(limits).toMatchObject({ cgroup: 'v1', cgroupV2Root: undefined })
  expect(effectsOf(adaptations(limits), 'kubelet')).toHaveLength(1)
})

it('storage on an overlay, and too few inotify instances, are told as warnings', () => {
  const limits = detectHostLimits(
    world(
      { ...ubuntu, '/proc/sys/fs/inotify/max_user_instances': '16' },
      { fileSystemType: () => 0x794c7630 },
    ),
  )
  expect(limits.storageIsOverlay).toBe(true)
  expect(adaptations(limits).map(({ id, effect }) => [id, effect.kind])).toEqual([
    ['nested-overlay', 'warning'],
    ['low-inotify', 'warning'],
  ])
})

it('the machine that runs this test can be looked at', () => {
  const limits = detectHostLimits(realHostWorld())
  expect(limits.cpus).toBeGreaterThan(0)
  expect(limits.memory).toBeGreaterThan(0)
  expect(adaptations(limits)).toBeInstanceOf(Array)
})
