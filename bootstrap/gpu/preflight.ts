import { parse } from 'yaml'
import type { Engine } from '../engine/engine.ts'
import { findProgram } from '../engine/find-program.ts'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { detectHostLimits, realHostWorld, type HostLimits } from '../host/host-limits.ts'
import { runCommand, throwIfAborted } from '../process/run-command.ts'
import { findCards, noCard, type FoundCards } from './find-cards.ts'
import { versionAtLeast } from '../host/version-at-least.ts'

/** What the links between a card and a kind cluster look like on this machine. */
export interface GpuHostFacts {
  cards: FoundCards
  /** What `nvidia-ctk --version` says, empty when it fails; undefined where there is none. */
  toolkit: string | undefined
  /** Undefined where there is no engine: then its links are not judged. */
  engine: EngineFacts | undefined
  /** Whether NVIDIA's runtime takes mounts below /var/run/nvidia-container-devices for devices. */
  volumeMounts: boolean
  /** Undefined where nothing limits it. */
  inotify: HostLimits['inotify']
}

export type EngineFacts =
  | { kind: 'podman' }
  /** Undefined when docker does not tell. */
  | { kind: 'docker'; defaultRuntime: string | undefined }

/** Where the facts are read from; replaced in tests. */
export interface GpuWorld {
  /** Folder that stands for `/`. */
  root: string
  /** Where programs are looked for, as PATH has it. */
  searchPath: string
}

/**
 * The oldest driver on which programs of every CUDA 12.x run: NVIDIA, "CUDA Compatibility", minor version compatibility, and the
 * CUDA 12 toolkit's release notes, table of minimum drivers (Linux x86_64).
 */
const oldestDriver = '525.60.13'

/**
 * The oldest toolkit that makes CDI specs, and makes them anew with every driver, by itself (nvidia-cdi-refresh): NVIDIA Container
 * Toolkit documentation, "Support for Container Device Interface".
 */
const oldestToolkit = '1.18'

/**
 * Instances: kind's documentation, known issues, "Pod errors due to too many open files", which also sets 524288 watches; 65536
 * watches are the floor that the doctor has for every cluster.
 */
const fewestInotify = { instances: 512, watches: 65_536 }

const runtimeConfig = '/etc/nvidia-container-runtime/config.toml'

/** Milliseconds within which a program answers, also on a busy machine. */
const answerMs = 20_000

/**
 * The first broken link of the chain from a card to a kind cluster: driver, toolkit, engine, mounts, inotify limits; undefined
 * when the chain holds. The further broken ones are in the error's `evidence`, one line each with its code and remedy. Pure.
 */
export function judgeGpuHost(facts: GpuHostFacts): LocalCloudError | undefined {
  const [first, ...further] = [driver, toolkit, engine, mounts, inotify].flatMap((link) => link(facts) ?? [])
  if (first === undefined) return undefined
  return new LocalCloudError(first.code, {
    message: first.message,
    hint: first.hint,
    evidence: further.map(({ code, message, hint }) => `${code}: ${message} ${hint}`),
  })
}

type Link = (facts: GpuHostFacts) => LocalCloudError | undefined

const driver: Link = ({ cards: found }) => {
  if ('reason' in found) return noCard(found.reason)
  const [card] = found.cards
  if (versionAtLeast(card.driver, oldestDriver)) return undefined
  return new LocalCloudError('GPU_DRIVER_TOO_OLD', {
    message: `The NVIDIA driver is ${card.driver}; programs of CUDA 12 need ${oldestDriver} or newer.`,
  })
}

const toolkit: Link = ({ toolkit: version }) => {
  if (version === undefined)
    return new LocalCloudError('GPU_TOOLKIT_MISSING', {
      message: 'nvidia-ctk of the NVIDIA Container Toolkit is not on PATH.',
    })
  if (versionAtLeast(version, oldestToolkit)) return undefined
  const seen = version === '' ? 'does not tell its version' : `says "${version}"`
  return new LocalCloudError('GPU_TOOLKIT_TOO_OLD', {
    message: `nvidia-ctk ${seen}; ${oldestToolkit} or newer is needed.`,
  })
}

const hasRuntime = ({ engine: known }: GpuHostFacts): boolean =>
  known?.kind === 'docker' && known.defaultRuntime === 'nvidia'

/**
 * kind asks its engine for no devices, so that a card must come without being asked for: by NVIDIA's runtime, which reads a mount. A CDI
 * specification is not enough, and podman (seen with 4.3) takes CDI names on its command line only, not from containers.conf.
 */
const engine: Link = (facts) => {
  const { engine: known } = facts
  if (known === undefined || hasRuntime(facts)) return undefined
  if (known.kind === 'podman')
    return new LocalCloudError('GPU_ENGINE_RUNTIME', {
      message: 'podman hands out a card only to who asks for it on its command line, which kind does not.',
      hint: 'Use docker with NVIDIA’s runtime as its default: --engine docker; or pass --gpu=mock.',
    })
  const seen =
    known.defaultRuntime === undefined
      ? 'docker info does not tell its runtimes'
      : `its default runtime is ${known.defaultRuntime}, not nvidia`
  return new LocalCloudError('GPU_ENGINE_RUNTIME', { message: `docker cannot hand out the card: ${seen}.` })
}

const mounts: Link = (facts) =>
  !hasRuntime(facts) || facts.volumeMounts
    ? undefined
    : new LocalCloudError('GPU_MOUNTS_OFF', {
        message: `${runtimeConfig} does not say accept-nvidia-visible-devices-as-volume-mounts = true, so a node gets no card.`,
      })

const inotify: Link = ({ inotify: limits }) => {
  if (limits === undefined) return undefined
  const { maxUserInstances, maxUserWatches } = limits
  if (maxUserInstances >= fewestInotify.instances && maxUserWatches >= fewestInotify.watches) return undefined
  return new LocalCloudError('GPU_INOTIFY_LIMITS', {
    message: `inotify allows ${maxUserInstances} instances and ${maxUserWatches} watches; ${fewestInotify.instances} and ${fewestInotify.watches} are needed.`,
  })
}

/**
 * Looks at every link of the chain; changes nothing. What is missing or fails is a fact, not an error.
 * @throws LocalCloudError only when the signal aborts: INTERRUPTED, or its own reason.
 */
export async function readGpuHost(
  engineKind: Engine['kind'] | undefined,
  signal: AbortSignal,
  world: GpuWorld = { root: '/', searchPath: process.env['PATH'] ?? '' },
): Promise<GpuHostFacts> {
  const [cards, toolkitAnswer, dockerAnswer] = await Promise.all([
    findCards(signal, world),
    answerOf('nvidia-ctk', ['--version'], signal, world),
    engineKind === 'docker' ? answerOf('docker', ['info', '--format', '{{json .}}'], signal, world) : '',
  ])
  return {
    cards,
    toolkit: toolkitAnswer?.split('\n')[0]?.trim(),
    engine:
      engineKind === 'docker'
        ? { kind: 'docker', defaultRuntime: defaultRuntimeOf(dockerAnswer) }
        : podmanOrNone(engineKind),
    volumeMounts: takesVolumeMounts(read(runtimeConfig, world)),
    inotify: detectHostLimits(realHostWorld(world.root)).inotify,
  }
}

const podmanOrNone = (kind: 'podman' | undefined): EngineFacts | undefined =>
  kind === undefined ? undefined : { kind }

/** Standard output, empty when the program fails; undefined where there is none. */
async function answerOf(
  name: string,
  argv: readonly string[],
  signal: AbortSignal,
  world: GpuWorld,
): Promise<string | undefined> {
  const program = findProgram(name, world.searchPath)
  if (program === undefined) return undefined
  try {
    return (await runCommand(program, argv, { signal, timeoutMs: answerMs })).stdout
  } catch (error) {
    throwIfAborted(signal)
    if (error instanceof LocalCloudError) return ''
    throw error
  }
}

function defaultRuntimeOf(text = ''): string | undefined {
  const { DefaultRuntime: name } = (parsed(text) ?? {}) as { DefaultRuntime?: unknown }
  return typeof name === 'string' ? name : undefined
}

/** The key is one of the file's own, before its first table; its comment shows the default. */
const takesVolumeMounts = (toml = ''): boolean =>
  /^[ \t]*accept-nvidia-visible-devices-as-volume-mounts[ \t]*=[ \t]*true\b/m.test(
    toml.split(/^[ \t]*\[/m)[0] ?? '',
  )

function read(file: string, world: GpuWorld): string | undefined {
  return realHostWorld(world.root).read(file)
}

/** JSON or YAML; undefined when it is neither. */
function parsed(text: string): unknown {
  try {
    return parse(text)
  } catch {
    return undefined
  }
}
