import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { HostLimits } from '../host/host-limits.ts'
import { runCommand } from '../process/run-command.ts'
import type { Emit } from '../report/events.ts'

export interface InstallOptions {
  limits: Pick<HostLimits, 'distribution' | 'root' | 'platform'>
  /** Whether the user allows packages to be installed. */
  allowed: boolean
  emit: Emit
  signal: AbortSignal
}

/**
 * What podman needs on Debian and Ubuntu when recommendations are left out: a runtime that accepts every cgroup layout, networks
 * (netavark, with iptables for published ports), names between containers (aardvark-dns), and the roots of trust for registries.
 */
const podmanPackages = ['podman', 'runc', 'netavark', 'aardvark-dns', 'iptables', 'ca-certificates']
/** Instead of netavark and aardvark-dns on releases that do not have them (podman 3). */
const cniPackages = ['containernetworking-plugins', 'golang-github-containernetworking-plugin-dnsname']

const isDebianLike = ({ distribution }: InstallOptions['limits']): boolean =>
  distribution !== undefined &&
  [distribution.id, ...distribution.like].some((name) => name === 'debian' || name === 'ubuntu')

/** Whether `installPodman` and `installNetavark` would do anything but refuse. */
export const canInstall = ({ limits, allowed }: Pick<InstallOptions, 'limits' | 'allowed'>): boolean =>
  allowed && limits.root && isDebianLike(limits)

/**
 * Installs podman and what it needs from the distribution's packages, saying so first.
 * @throws LocalCloudError NO_ENGINE with the commands for this platform when that may not or cannot be done; COMMAND_FAILED when apt fails.
 */
export async function installPodman(options: InstallOptions): Promise<void> {
  if (!canInstall(options)) throw noEngine(options)
  await aptInstall(options, async (available) =>
    (await available('netavark'))
      ? podmanPackages
      : [...podmanPackages.filter((name) => name !== 'netavark' && name !== 'aardvark-dns'), ...cniPackages],
  )
}

/**
 * Adds the network programs that make container names resolve to a podman that was installed without them.
 * @throws LocalCloudError COMMAND_FAILED when apt fails.
 */
export async function installNetavark(options: InstallOptions): Promise<void> {
  await aptInstall(options, () => Promise.resolve(['netavark', 'aardvark-dns', 'iptables']))
}

/** NO_ENGINE with what to type on this platform. */
export function noEngine({ limits, allowed }: Pick<InstallOptions, 'limits' | 'allowed'>): LocalCloudError {
  const why = !allowed
    ? 'installing one was ruled out (--no-install)'
    : isDebianLike(limits)
      ? 'only root may install one'
      : 'one is installed automatically on Debian and Ubuntu only'
  return new LocalCloudError('NO_ENGINE', {
    message: `There is no container engine on this machine, and ${why}.`,
    hint: `Install one and run the command again: ${installCommand(limits)}`,
  })
}

function installCommand(limits: InstallOptions['limits']): string {
  if (limits.platform === 'darwin')
    return 'brew install podman && podman machine init && podman machine start'
  if (limits.platform === 'win32')
    return 'winget install RedHat.Podman, then podman machine init and podman machine start'
  const sudo = limits.root ? '' : 'sudo '
  const names = [limits.distribution?.id ?? '', ...(limits.distribution?.like ?? [])]
  if (isDebianLike(limits)) {
    return `${sudo}apt-get update && ${sudo}apt-get install --no-install-recommends ${podmanPackages.join(' ')}`
  }
  if (names.some((name) => ['fedora', 'rhel', 'centos'].includes(name))) return `${sudo}dnf install podman`
  if (names.some((name) => name.includes('suse'))) return `${sudo}zypper install podman`
  if (names.includes('arch')) return `${sudo}pacman -S podman`
  if (names.includes('alpine')) return `${sudo}apk add podman`
  return 'Docker or Podman, as your distribution documents it'
}

async function aptInstall(
  { emit, signal }: InstallOptions,
  choose: (available: (name: string) => Promise<boolean>) => Promise<string[]>,
): Promise<void> {
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  // Another package manager at work is waited for, five minutes at most.
  const apt = (argv: readonly string[]) =>
    runCommand('apt-get', ['-o', 'DPkg::Lock::Timeout=300', ...argv], { signal, env })
  emit({
    type: 'notice',
    level: 'info',
    message: 'Reading the distribution’s list of packages (apt-get update).',
  })
  await apt(['update', '--quiet'])
  const packages = await choose(async (name) => {
    const shown = await runCommand('apt-cache', ['show', name], { signal, acceptExitCodes: 'any' })
    return shown.exitCode === 0
  })
  emit({
    type: 'notice',
    level: 'info',
    message: `Installing ${packages.join(', ')} from the distribution’s packages (--no-install forbids it).`,
  })
  await apt(['install', '--yes', '--quiet', '--no-install-recommends', ...packages])
}
