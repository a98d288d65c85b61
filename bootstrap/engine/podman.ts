import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { effectsOf, type Adaptation } from '../host/adaptations.ts'
import { cannotWrite } from '../errors/disk-full.ts'
import type { Paths } from '../plan/options.ts'
import { runCommand } from '../process/run-command.ts'
import type { Emit } from '../report/events.ts'
import { containerCli } from './container-cli.ts'
import type { Engine } from './engine.ts'
import { askWhetherAlive } from './engine-answers.ts'
import { findProgram } from './find-program.ts'
import {
  canLearnNames,
  containersConf,
  mustNameNetavark,
  needsConfiguration,
  resolvesNames,
  type PodmanFacts,
} from './podman-config.ts'

export interface PodmanOptions {
  program: string
  paths: Pick<Paths, 'stateDir'>
  /** What this host needs; those that concern podman are announced. */
  adaptations: readonly Adaptation[]
  /** registries.conf to use instead of the system's, for mirrors (containers-registries.conf(5)). */
  registriesConf?: string
  emit: Emit
  signal: AbortSignal
  /** Installs netavark and aardvark-dns; given when the cluster needs container names and packages may be installed. */
  installNames?: () => Promise<void>
  /** Whether a file of podman's installation exists; replaced in tests. */
  exists?: (file: string) => boolean
}

interface PodmanInfo {
  host: { networkBackend?: string; security?: { rootless?: boolean } }
  store?: { containerStore?: { number?: number } }
  version?: { Version?: string }
}

/** Variables that name a containers.conf. */
const ownVariables = ['CONTAINERS_CONF', 'CONTAINERS_CONF_OVERRIDE']
const deadHint =
  'Run "podman info" to see why (macOS and Windows: podman machine start), then run the command again.'
/** Milliseconds within which a working podman describes itself, also on a busy machine. */
const answerMs = 30_000

/**
 * Speaks to podman, with a configuration of our own (below `<stateDir>/engine`, handed over in the environment; /etc/containers is never
 * touched). Podman before version 5 reads one configuration only: the user's then stays in force where the host needs no other.
 * @throws LocalCloudError ENGINE_DEAD with podman's own words; MISSING_TOOL when the host needs runc and it is not installed.
 */
export async function openPodman(options: PodmanOptions): Promise<Engine> {
  const { program, adaptations, emit, signal } = options
  const file = path.join(options.paths.stateDir, 'engine', 'containers.conf')
  const base: Record<string, string> = {
    KIND_EXPERIMENTAL_PROVIDER: 'podman',
    ...(options.registriesConf === undefined ? {} : { CONTAINERS_REGISTRIES_CONF: options.registriesConf }),
  }
  requireRuntime(adaptations)
  // Podman's own choices, also when this process was started with ours.
  const ours = ownVariables.filter((variable) => process.env[variable] === file)
  const info = await podmanInfo(
    program,
    { ...base, ...Object.fromEntries(ours.map((variable) => [variable, undefined])) },
    signal,
  )
  const version = info.version?.Version ?? '0'
  const exists = options.exists ?? existsSync
  let facts = podmanFacts(info, exists)
  if (options.installNames !== undefined && canLearnNames(facts)) {
    await options.installNames()
    facts = podmanFacts(info, exists)
  }
  const netavark = mustNameNetavark(facts)
  const wanted = containersConf(adaptations, netavark)
  const configured = useConfiguration(wanted, Number.parseInt(version, 10), netavark)
  const env = { ...base, ...configured }
  if (Object.keys(configured).length > 0) await podmanInfo(program, env, signal)
  return containerCli({
    kind: 'podman',
    program,
    version,
    env,
    resolvesNames: resolvesNames(facts),
    buildFlags: ['--format', 'docker', '--pull=never', '--layers=false'],
    saveFlags: ['--format', 'docker-archive', '--multi-image-archive'],
    removeFlags: Number.parseInt(version, 10) >= 4 ? ['--time', '0'] : [],
    deadHint,
  })

  function useConfiguration(text: string, major: number, namesNetavark: boolean): Record<string, string> {
    const given = ownVariables.map((variable) => process.env[variable]).find((value) => value !== undefined)
    if (given !== undefined && given !== file) {
      emit({
        type: 'notice',
        level: 'warning',
        message: `podman keeps the configuration ${given} that the environment names, although this host needs: ${text
          .split('\n')
          .filter((line) => line.includes('='))
          .join(', ')}`,
      })
      return {}
    }
    const theirs = major >= 5 ? undefined : userConfigurations().find(exists)
    if (theirs !== undefined && !needsConfiguration(adaptations, netavark)) {
      emit({
        type: 'notice',
        level: 'info',
        message: `podman before version 5 reads one configuration only, and ${theirs} is there: it should say "pids_limit = 0" below [containers], for a node has all processes of its pods.`,
      })
      return {}
    }
    for (const { effect, message } of adaptations) {
      if (effect.kind === 'engine-ulimits' || effect.kind === 'engine-cgroups') {
        emit({ type: 'notice', level: 'info', message })
      }
    }
    if (namesNetavark) {
      emit({
        type: 'notice',
        level: 'info',
        message:
          'podman on this machine uses CNI networks, where container names do not resolve: ours use netavark.',
      })
    }
    writeIfChanged(file, text)
    // From version 5 on the system's configuration stays in force below ours; before, ours takes its place.
    if (major >= 5) return { CONTAINERS_CONF_OVERRIDE: file }
    if (theirs !== undefined) {
      emit({
        type: 'notice',
        level: 'warning',
        message: `podman before version 5 reads one configuration only: ${theirs} does not count for our containers.`,
      })
    }
    return { CONTAINERS_CONF: file }
  }
}

/** Where users configure podman (containers.conf(5)). */
const userConfigurations = (): string[] => [
  path.join(
    process.env['XDG_CONFIG_HOME'] ?? path.join(homedir(), '.config'),
    'containers',
    'containers.conf',
  ),
  '/etc/containers/containers.conf',
]

function requireRuntime(adaptations: readonly Adaptation[]): void {
  const [cgroups] = effectsOf(adaptations, 'engine-cgroups')
  if (cgroups === undefined || findProgram(cgroups.runtime, undefined, runtimeFolders) !== undefined) return
  throw new LocalCloudError('MISSING_TOOL', {
    message: `podman needs the runtime ${cgroups.runtime} on this host (crun refuses its cgroups), and it is not installed.`,
    hint: `Install it (Debian, Ubuntu: apt-get install ${cgroups.runtime}) and run the command again.`,
  })
}

async function podmanInfo(
  program: string,
  env: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<PodmanInfo> {
  const output = await askWhetherAlive('podman', deadHint, () =>
    runCommand(program, ['info', '--format', 'json'], { signal, env, timeoutMs: answerMs }),
  )
  try {
    return JSON.parse(output.stdout) as PodmanInfo
  } catch (error) {
    throw new LocalCloudError('ENGINE_DEAD', {
      message: 'podman info gave no readable answer.',
      hint: deadHint,
      evidence: output.stdout.split('\n').slice(0, 5),
      cause: error,
    })
  }
}

/** Where podman looks for runtimes besides PATH. */
const runtimeFolders = ['/usr/bin', '/usr/sbin', '/usr/local/bin', '/usr/local/sbin', '/sbin', '/bin']
/** Where distributions put podman's helper programs and CNI plugins. */
const helperFolders = [
  '/usr/lib/podman',
  '/usr/libexec/podman',
  '/usr/local/libexec/podman',
  '/usr/local/lib/podman',
  '/opt/homebrew/libexec/podman',
]
const pluginFolders = [
  '/usr/lib/cni',
  '/usr/libexec/cni',
  '/usr/local/lib/cni',
  '/usr/local/libexec/cni',
  '/opt/cni/bin',
]
/** Name of every network of ours starts like this. */
const ownNetworkPrefix = 'local-cloud-'

function podmanFacts(info: PodmanInfo, exists: (file: string) => boolean): PodmanFacts {
  const home = process.env['HOME']
  const installed = (folders: readonly string[], name: string) =>
    folders.some((folder) => exists(path.join(folder, name)))
  const networks =
    info.host.security?.rootless === true && home !== undefined
      ? path.join(home, '.local/share/containers/storage/networks')
      : '/etc/containers/networks'
  // Before version 4 podman knew CNI only and did not say so.
  const backend = info.host.networkBackend === 'netavark' ? 'netavark' : 'cni'
  return {
    backend,
    dnsnamePlugin: installed(pluginFolders, 'dnsname'),
    // Outside Linux podman runs in a machine that brings both.
    netavark:
      process.platform !== 'linux' ||
      (installed(helperFolders, 'netavark') && installed(helperFolders, 'aardvark-dns')),
    ownNetavarkNetworks:
      existsSync(networks) && readdirSync(networks).some((file) => file.startsWith(ownNetworkPrefix)),
    containers: info.store?.containerStore?.number ?? 0,
  }
}

function writeIfChanged(file: string, text: string): void {
  const partial = `${file}.partial-${String(process.pid)}`
  try {
    if (existsSync(file) && readFileSync(file, 'utf8') === text) return
    mkdirSync(path.dirname(file), { recursive: true })
    writeFileSync(partial, text)
    renameSync(partial, file)
  } catch (error) {
    rmSync(partial, { force: true })
    throw cannotWrite(file, error)
  }
}
