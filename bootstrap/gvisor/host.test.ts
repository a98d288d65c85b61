import { describe, expect, it } from 'vitest'
import type { HostWorld } from '../host/host-limits.ts'
import { judgeGvisorHost, readGvisorHost } from './host.ts'

const files: Record<string, string> = {
  '/proc/sys/kernel/osrelease': '6.1.0-13-amd64\n',
  '/proc/sys/kernel/seccomp/actions_avail':
    'kill_process kill_thread trap errno user_notif trace log allow\n',
  '/proc/sys/kernel/yama/ptrace_scope': '1\n',
  '/proc/sys/user/max_user_namespaces': '96365\n',
  '/proc/self/status': 'Name:\tnode\nCapBnd:\t000001fffeffffff\n',
}

const world = (
  changed: Record<string, string | undefined> = {},
  other: Partial<HostWorld> = {},
): HostWorld => ({
  platform: 'linux',
  arch: 'x64',
  uid: 0,
  memory: 1,
  cpus: 2,
  read: (file) => (file in changed ? changed[file] : files[file]),
  exists: () => true,
  fileSystemType: () => undefined,
  ...other,
})
const judge = (
  changed: Record<string, string | undefined> = {},
  other: Partial<HostWorld> = {},
  engine: 'docker' | 'podman' | undefined = 'podman',
) => judgeGvisorHost(readGvisorHost(engine, world(changed, other)))

describe('a machine on which gVisor can run', () => {
  it.each([
    ['as most are', {}, {}],
    ['without Yama', { '/proc/sys/kernel/yama/ptrace_scope': undefined }, {}],
    ['that lets only administrators attach', { '/proc/sys/kernel/yama/ptrace_scope': '2\n' }, {}],
    ['of ARM', {}, { arch: 'arm64' }],
    ['with the oldest kernel', { '/proc/sys/kernel/osrelease': '4.14.77' }, {}],
  ])('%s', (_what, changed, other) => {
    expect(judge(changed, other)).toBeUndefined()
  })

  it('of which only the processor is known, for nodes run in a machine of the engine', () => {
    const nothing = { read: () => undefined, platform: 'darwin' as const }
    expect(judge({}, nothing, undefined)).toBeUndefined()
    expect(judge({}, { ...nothing, arch: 'ia32' })).toBeDefined()
  })

  it('whose docker has rights that this process lacks', () => {
    const without = { '/proc/self/status': 'CapBnd:\t00000000a80425fb\n' }
    expect(judge(without, {}, 'docker')).toBeUndefined()
    expect(judge(without, {}, undefined)?.message).toContain('CAP_SYS_PTRACE')
  })
})

describe('a machine on which it cannot', () => {
  it.each<[string, Record<string, string | undefined>, Partial<HostWorld>, string]>([
    ['another processor', {}, { arch: 'riscv64' }, 'it runs on x86-64 and ARM64, and this is riscv64'],
    [
      'an old kernel',
      { '/proc/sys/kernel/osrelease': '4.14.76-generic' },
      {},
      'it needs Linux 4.14.77 or newer, and this is 4.14.76-generic',
    ],
    ['no seccomp', { '/proc/sys/kernel/seccomp/actions_avail': undefined }, {}, 'has no seccomp filters'],
    [
      'a seccomp that cannot trap',
      { '/proc/sys/kernel/seccomp/actions_avail': 'kill_thread errno' },
      {},
      'filters cannot trap here',
    ],
    ['ptrace for nobody', { '/proc/sys/kernel/yama/ptrace_scope': '3\n' }, {}, 'ptrace_scope is 3'],
    ['no user namespaces', { '/proc/sys/user/max_user_namespaces': '0\n' }, {}, 'max_user_namespaces is 0'],
    ['no CAP_SYS_PTRACE', { '/proc/self/status': 'CapBnd:\t00000000a80425fb\n' }, {}, 'CAP_SYS_PTRACE'],
  ])('%s', (_what, changed, other, words) => {
    const error = judge(changed, other)
    expect(error).toMatchObject({ code: 'GVISOR_HOST', exitCode: 3 })
    expect(error?.message).toContain(words)
    expect(error?.hint).not.toBe('')
    expect(error?.evidence).toEqual([])
  })

  it('tells further reasons as evidence', () => {
    const error = judge({
      '/proc/sys/kernel/yama/ptrace_scope': '3',
      '/proc/sys/user/max_user_namespaces': '1',
    })
    expect(error?.message).toContain('ptrace_scope')
    expect(error?.evidence).toEqual([expect.stringContaining('sysctl -w user.max_user_namespaces=256')])
  })
})
