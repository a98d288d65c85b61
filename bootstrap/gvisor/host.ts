import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { realHostWorld, type HostWorld } from '../host/host-limits.ts'
import { versionAtLeast } from '../host/version-at-least.ts'

/** What decides whether gVisor with its platform systrap runs on a machine. What cannot be read is undefined. */
export interface GvisorHostFacts {
  platform: NodeJS.Platform
  arch: string
  /** Release of the kernel, `6.1.0-13-amd64`. */
  kernel: string | undefined
  /** What seccomp filters can do; undefined where the kernel has none. */
  seccompActions: string[] | undefined
  /** Yama's restriction of ptrace, 0 to 3; undefined where Yama is off. */
  ptraceScope: number | undefined
  /** How many user namespaces the kernel allows. */
  userNamespaces: number | undefined
  /** Whether containers can be given CAP_SYS_PTRACE; undefined where the engine's server has rights of its own. */
  capSysPtrace: boolean | undefined
}

/** CAP_SYS_PTRACE in linux/capability.h. */
const capSysPtraceBit = 19n
/** gVisor, "Installation": x86_64 and ARM64, Linux 4.14.77 or newer. */
const architectures = ['x64', 'arm64']
const oldestKernel = '4.14.77'
/** Yama's scope in which nobody may attach (Linux, admin-guide/LSM/Yama). */
const noAttach = 3
/** runsc makes one for its gofer and one for the sandbox (runsc/hostsettings). */
const fewestUserNamespaces = 2

/** Reads them; changes nothing. `engine` is what containers come from, if any: those of docker are no children of this process. */
export function readGvisorHost(
  engine: 'docker' | 'podman' | undefined,
  world: HostWorld = realHostWorld(),
): GvisorHostFacts {
  const number = (file: string): number | undefined => {
    const text = world.read(file)?.trim()
    return text === undefined || !/^\d+$/.test(text) ? undefined : Number(text)
  }
  const bounding = /^CapBnd:\s*([0-9a-f]+)/im.exec(world.read('/proc/self/status') ?? '')?.[1]
  return {
    platform: world.platform,
    arch: world.arch,
    kernel: world.read('/proc/sys/kernel/osrelease')?.trim(),
    seccompActions: world.read('/proc/sys/kernel/seccomp/actions_avail')?.trim().split(/\s+/),
    ptraceScope: number('/proc/sys/kernel/yama/ptrace_scope'),
    userNamespaces: number('/proc/sys/user/max_user_namespaces'),
    capSysPtrace:
      engine === 'docker' || bounding === undefined
        ? undefined
        : ((BigInt(`0x${bounding}`) >> capSysPtraceBit) & 1n) === 1n,
  }
}

/**
 * Why gVisor cannot run here: systrap traps system calls by seccomp filters, and attaches to its threads by ptrace
 * (pkg/sentry/platform/systrap). Undefined when nothing is known to be in its way; further reasons are in the error's `evidence`. Elsewhere
 * than on Linux nodes run in a machine of the engine's, of which only the processor is known. Pure.
 */
export function judgeGvisorHost(facts: GvisorHostFacts): LocalCloudError | undefined {
  const [first, ...further] = [...processorProblems(facts), ...kernelProblems(facts)]
  if (first === undefined) return undefined
  return new LocalCloudError('GVISOR_HOST', {
    message: `gVisor cannot run on this machine: ${first.what}.`,
    hint: first.remedy,
    evidence: further.map(({ what, remedy }) => `${what}. ${remedy}`),
  })
}

interface Problem {
  what: string
  remedy: string
}

const processorProblems = ({ arch }: GvisorHostFacts): Problem[] =>
  architectures.includes(arch)
    ? []
    : [{ what: `it runs on x86-64 and ARM64, and this is ${arch}`, remedy: 'Use another machine.' }]

function kernelProblems(facts: GvisorHostFacts): Problem[] {
  const { platform, kernel, seccompActions, ptraceScope, userNamespaces, capSysPtrace } = facts
  if (platform !== 'linux') return []
  const problems: [boolean, string, string][] = [
    [
      kernel !== undefined && !versionAtLeast(kernel, oldestKernel),
      `it needs Linux ${oldestKernel} or newer, and this is ${kernel ?? ''}`,
      'Install a newer kernel, or use another machine.',
    ],
    [
      !(seccompActions ?? []).includes('trap'),
      seccompActions === undefined
        ? 'the kernel has no seccomp filters (no /proc/sys/kernel/seccomp/actions_avail)'
        : `seccomp filters cannot trap here (/proc/sys/kernel/seccomp/actions_avail: ${seccompActions.join(' ')})`,
      'Use a kernel built with CONFIG_SECCOMP_FILTER.',
    ],
    [
      ptraceScope === noAttach,
      'nobody may attach to a process (kernel.yama.ptrace_scope is 3)',
      'The kernel lets nobody lower it again: set kernel.yama.ptrace_scope to 1 in /etc/sysctl.d and start the machine anew.',
    ],
    [
      userNamespaces !== undefined && userNamespaces < fewestUserNamespaces,
      `it makes ${String(fewestUserNamespaces)} user namespaces, and user.max_user_namespaces is ${String(userNamespaces)}`,
      'Run: sysctl -w user.max_user_namespaces=256',
    ],
    [
      capSysPtrace === false,
      'containers cannot be given CAP_SYS_PTRACE, which this process lacks itself',
      'Start the container or service in which up runs with that capability (--cap-add SYS_PTRACE).',
    ],
  ]
  return problems.flatMap(([is, what, remedy]) => (is ? [{ what, remedy }] : []))
}
