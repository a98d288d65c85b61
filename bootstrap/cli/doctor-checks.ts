import { kindProgram } from '../tools/kind.ts'
import { accessSync, constants, existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { managedLabel, type Engine } from '../engine/engine.ts'
import { findProgram } from '../engine/find-program.ts'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { judgeGpuHost, readGpuHost, type GpuHostFacts } from '../gpu/preflight.ts'
import { judgeGvisorHost, readGvisorHost, type GvisorHostFacts } from '../gvisor/host.ts'
import { freeBytes, gibibytes } from '../host/disk.ts'
import { findPortHolder, portHolderWords } from '../host/free-ports.ts'
import type { HostLimits } from '../host/host-limits.ts'
import { isNewEnoughGo, minimumGo } from '../images/minimum-go.ts'
import type { Paths } from '../plan/options.ts'

/** What the doctor says about one prerequisite. `fail`: `up` cannot work; `warn`: it can, with the named limit. */
export interface Finding {
  check: string
  verdict: 'ok' | 'warn' | 'fail'
  seen: string
  /** What to do about it; empty when it is ok. */
  remedy: string
}

/** What the checks look at; gathered by doctor.ts, replaced in tests. */
export interface DoctorFacts {
  paths: Paths
  nodeVersion: string
  limits: HostLimits
  /** The engine, the error that opening it gave, or neither when there is none. */
  engine?: Engine
  engineError?: LocalCloudError
  /** Whether `up` may install an engine here: none of the kind that it installs is there. */
  canInstallEngine: boolean
  freeOnState: number
  /** Undefined where there is no Go. */
  goVersion: string | undefined
  /** Programs for building from packages that are not there, of those asked for. */
  missingTools: string[]
  gpu: GpuHostFacts
  gvisor: GvisorHostFacts
  /** The version of kind that is there, and the one that is wanted. */
  kind: { found: string | undefined; wanted: string }
  registry: { available: boolean; reason: string }
  /** Whether components are built already. */
  cached: boolean
  portHolders: { port: number; holder: string | undefined; ours: boolean }[]
}

const gib = 2 ** 30
/** The local overlay's requests fit 2 cores and 8 GiB; 4 GiB is the floor (decision A38). */
const memoryFloor = 3.5 * gib
const memoryWanted = 7.5 * gib
/** Free space that a build of everything takes, and what a cluster of built images takes. */
const buildSpace = 28 * gib
const runSpace = 8 * gib

const ok = (check: string, seen: string): Finding => ({ check, verdict: 'ok', seen, remedy: '' })
const warn = (check: string, seen: string, remedy: string): Finding => ({
  check,
  verdict: 'warn',
  seen,
  remedy,
})
const fail = (check: string, seen: string, remedy: string): Finding => ({
  check,
  verdict: 'fail',
  seen,
  remedy,
})

/** Judges every prerequisite. Pure. */
export function judge(facts: DoctorFacts): Finding[] {
  const { limits } = facts
  return [
    Number.parseInt(facts.nodeVersion.slice(1), 10) >= 24
      ? ok('Node.js', facts.nodeVersion)
      : fail(
          'Node.js',
          facts.nodeVersion,
          'Node 20 or newer starts the commands, which then bring Node 24 themselves.',
        ),
    system(limits),
    limits.root || facts.engine?.kind === 'docker'
      ? ok('rights', limits.root ? 'root' : 'a user who may use docker')
      : warn(
          'rights',
          'not root',
          'Rootless podman is not proven, and nothing can be installed: run as root.',
        ),
    engine(facts),
    cgroup(limits),
    limits.capSysResource
      ? ok('CAP_SYS_RESOURCE', 'there')
      : warn('CAP_SYS_RESOURCE', 'missing', 'Adapted to: containers get the limits of this process.'),
    limits.nofileHard >= 65_536
      ? ok('open files', words(limits.nofileHard))
      : warn(
          'open files',
          words(limits.nofileHard),
          'Adapted to; raise it with ulimit -Hn 1048576 if pods run out.',
        ),
    limits.nprocHard >= 30_000
      ? ok('processes', words(limits.nprocHard))
      : warn('processes', words(limits.nprocHard), 'Adapted to; raise it with ulimit -Hu if pods run out.'),
    inotify(limits),
    memory(limits.memory),
    limits.cpus >= 2
      ? ok('processors', String(limits.cpus))
      : warn('processors', String(limits.cpus), 'Two are what the time-outs are made for; raise --timeout.'),
    disk(facts),
    gpu(facts),
    gvisor(facts),
    ...facts.portHolders.map(({ port, holder, ours }) =>
      holder === undefined || ours
        ? ok(`port ${String(port)}`, ours ? 'held by our cluster' : 'free')
        : warn(`port ${String(port)}`, `in use by ${holder}`, 'Stop it, or pass --http-port/--https-port.'),
    ),
    ...images(facts),
  ]
}

function system({ platform, arch, distribution }: HostLimits): Finding {
  const seen = `${platform} ${arch}${distribution ? `, ${distribution.id} ${distribution.version}` : ''}`
  if (platform !== 'linux')
    return warn('system', seen, 'Proven on Linux only; a container engine with its own machine may work.')
  return arch === 'x64' ? ok('system', seen) : warn('system', seen, 'Proven on x86-64 only.')
}

function engine({ engine: found, engineError, canInstallEngine }: DoctorFacts): Finding {
  if (found) return ok('container engine', `${found.kind} ${found.version} answers`)
  if (engineError && engineError.code !== 'NO_ENGINE') {
    return canInstallEngine
      ? warn('container engine', engineError.message, 'up installs podman and runc beside it.')
      : fail('container engine', engineError.message, engineError.hint)
  }
  return canInstallEngine
    ? warn('container engine', 'none', 'up installs podman and runc from the distribution.')
    : fail('container engine', 'none', engineError?.hint ?? 'Install Docker or Podman.')
}

function cgroup({ platform, cgroup: layout }: HostLimits): Finding {
  if (platform !== 'linux' || layout === 'v2') return ok('cgroup', layout)
  return layout === 'none'
    ? fail('cgroup', 'not mounted', 'Mount it: mount -t cgroup2 none /sys/fs/cgroup')
    : warn('cgroup', layout, 'Adapted to: runc with cgroupfs, and kubelets that accept version 1.')
}

function inotify({ inotify: limit }: HostLimits): Finding {
  if (!limit) return ok('inotify', 'not limited here')
  const seen = `${String(limit.maxUserInstances)} instances, ${String(limit.maxUserWatches)} watches`
  return limit.maxUserInstances >= 128 && limit.maxUserWatches >= 65_536
    ? ok('inotify', seen)
    : warn('inotify', seen, 'sysctl fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288')
}

function memory(bytes: number): Finding {
  if (bytes < memoryFloor)
    return fail('memory', gibibytes(bytes), 'A cluster with SLATE needs 4 GiB at least.')
  return bytes < memoryWanted
    ? warn('memory', gibibytes(bytes), 'The local overlay is made for 8 GiB.')
    : ok('memory', gibibytes(bytes))
}

function disk({ freeOnState, paths, cached, registry }: DoctorFacts): Finding {
  const seen = `${gibibytes(freeOnState)} free below ${paths.stateDir}`
  const remedy = 'Free some, or use another disk with --state-dir and --cache-dir.'
  if (freeOnState < runSpace) return fail('disk', seen, remedy)
  return cached || registry.available || freeOnState >= buildSpace
    ? ok('disk', seen)
    : warn('disk', seen, `Building everything from packages takes ${gibibytes(buildSpace)}. ${remedy}`)
}

/** A card that a cluster cannot use is worth a word; no card is not: there is the mock. */
function gpu({ gpu: facts }: DoctorFacts): Finding {
  const { cards: found } = facts
  if ('reason' in found) return ok('GPU', `none; --gpu gives a mock (${found.reason})`)
  const { length } = found.cards
  const names = [...new Set(found.cards.map(({ name }) => name))].join(', ')
  const seen = `${String(length)} ${length === 1 ? 'card' : 'cards'}: ${names}`
  const broken = judgeGpuHost(facts)
  return broken === undefined ? ok('GPU', seen) : warn('GPU', `${seen}. ${broken.message}`, broken.hint)
}

/** Needed only by who asks for it. */
function gvisor({ gvisor: facts }: DoctorFacts): Finding {
  const broken = judgeGvisorHost(facts)
  return broken === undefined
    ? ok('gVisor', 'nothing is in its way; --runtime-class gvisor')
    : warn('gVisor', broken.message, [broken.hint, ...broken.evidence].join(' '))
}

/** Images need one source: a registry, or all that building them takes, or what was built before. */
function images(facts: DoctorFacts): Finding[] {
  const { registry, cached, goVersion, missingTools, kind, limits } = facts
  const other = registry.available || cached
  const problem = other ? warn : fail
  const goIsFine = isNewEnoughGo(goVersion)
  const debian = [limits.distribution?.id, ...(limits.distribution?.like ?? [])].some((id) =>
    ['debian', 'ubuntu'].includes(id ?? ''),
  )
  return [
    registry.available
      ? ok('container registry', 'answers')
      : warn('container registry', registry.reason, 'Images are built from packages, or come from a bundle.'),
    goIsFine
      ? ok('Go', goVersion ?? '')
      : problem('Go', goVersion ?? 'none', `Go ${minimumGo} or newer builds the images and kind: go.dev/dl`),
    missingTools.length === 0
      ? ok('build tools', 'there')
      : debian && limits.root
        ? warn(
            'build tools',
            `missing: ${missingTools.join(', ')}`,
            'up installs them from the distribution.',
          )
        : problem(
            'build tools',
            `missing: ${missingTools.join(', ')}`,
            `Install them: apt-get install ${missingTools.join(' ')}`,
          ),
    kind.found === kind.wanted
      ? ok('kind', kind.wanted)
      : goIsFine
        ? ok('kind', `${kind.found ?? 'none'}; up builds ${kind.wanted}`)
        : fail('kind', kind.found ?? 'none', `Install kind ${kind.wanted} or Go.`),
    cached ? ok('cache', 'components are built already') : ok('cache', 'empty'),
  ]
}

const words = (limit: number): string => (limit === Infinity ? 'unlimited' : String(limit))

/** Looks at the machine; changes nothing. */
export async function gatherFacts(options: {
  paths: Paths
  signal: AbortSignal
  limits: HostLimits
  openEngine: () => Promise<Engine>
}): Promise<DoctorFacts> {
  const { paths, signal, limits } = options
  const engineResult = options.openEngine().then(
    (engine) => ({ engine }),
    (error: unknown) => {
      if (error instanceof LocalCloudError) return { engineError: error }
      throw error
    },
  )
  const [
    { canInstall },
    { goVersion },
    { askRegistry },
    { upstreamNodeImage },
    { readVersions },
    { pinnedKindVersion },
  ] = await Promise.all([
    import('../engine/install-engine.ts'),
    import('../images/builders/go.ts'),
    import('../images/ask-registry.ts'),
    import('../images/sources/registry.ts'),
    import('../images/versions.ts'),
    import('../tools/kind.ts'),
  ])
  const versions = await readVersions(paths.repo)
  const [opened, gpuHost, go, wantedKind, registry, freeOnState] = await Promise.all([
    engineResult,
    engineResult.then((result) => readGpuHost('engine' in result ? result.engine.kind : undefined, signal)),
    goVersion(signal),
    pinnedKindVersion(paths.repo),
    askRegistry(upstreamNodeImage(versions), { timeoutMs: 3_000, signal }),
    freeBytes(paths.stateDir),
  ])
  const engine = 'engine' in opened ? opened.engine : undefined
  const ours = engine ? await engine.listContainers(managedLabel, signal).catch(() => []) : []
  const running = ours.some((container) => container.state === 'running')
  return {
    paths,
    nodeVersion: process.version,
    limits,
    ...opened,
    canInstallEngine: findProgram('podman') === undefined && canInstall({ limits, allowed: true }),
    freeOnState,
    goVersion: go,
    missingTools: ['mmdebstrap', 'g++', 'tar'].filter((tool) => findProgram(tool) === undefined),
    gpu: gpuHost,
    gvisor: readGvisorHost(engine?.kind),
    kind: { found: installedKind(paths, wantedKind), wanted: wantedKind },
    registry: registry.available ? { available: true, reason: '' } : registry,
    cached: existsSync(join(paths.cacheDir, 'components')),
    portHolders: await Promise.all(
      [8080, 8443].map(async (port) => {
        const holder = await findPortHolder(port, '127.0.0.1')
        return {
          port,
          holder: holder && portHolderWords(holder),
          ours: holder !== undefined && running && byEngine(holder.program),
        }
      }),
    ),
  }
}

/** Programs with which engines hold published ports. */
const byEngine = (program: string | undefined): boolean =>
  ['conmon', 'docker-proxy', 'podman', 'rootlessport', 'exe', 'netavark'].includes(program ?? '')

function installedKind(paths: Paths, version: string): string | undefined {
  const built = kindProgram(paths, version)
  try {
    accessSync(built, constants.X_OK)
    return version
  } catch {
    const found = findProgram('kind')
    return found === undefined ? undefined : `another at ${dirname(found)}`
  }
}
