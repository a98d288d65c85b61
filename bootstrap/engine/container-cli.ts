import { randomUUID } from 'node:crypto'
import { rename, rm } from 'node:fs/promises'
import { saysDiskFull } from '../errors/disk-full.ts'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { removable } from '../host/disk.ts'
import {
  runCommand,
  throwIfAborted,
  type CommandOptions,
  type CommandOutput,
} from '../process/run-command.ts'
import {
  managedLabel,
  type BuildSpec,
  type ContainerInfo,
  type Engine,
  type ImageInfo,
  type RunSpec,
} from './engine.ts'
import {
  classifyPullFailure,
  isContainerUnusable,
  isEngineDead,
  isGone,
  isPortTaken,
} from './engine-answers.ts'

/** Where podman and docker differ, as far as this tool uses them. */
export interface CliDialect {
  kind: Engine['kind']
  /** Absolute path of the program. */
  program: string
  version: string
  env: Readonly<Record<string, string>>
  resolvesNames: boolean
  buildFlags: readonly string[]
  saveFlags: readonly string[]
  /** Added to `rm --force`, so that it does not wait for the container to stop by itself. */
  removeFlags: readonly string[]
  deadHint: string
}

/** Milliseconds that clean-up after an aborted or failed command may take. */
const cleanUpMs = 30_000

const flags = (name: string, values: Readonly<Record<string, string>> = {}): string[] =>
  Object.entries(values).flatMap(([key, value]) => [name, `${key}=${value}`])

const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '')

/** An image id as both engines and containerd mean it, with its algorithm. */
const withAlgorithm = (id: string): string => (id.includes(':') ? id : `sha256:${id}`)

interface InspectedImage {
  Id: string
  RepoTags?: string[] | null
  Labels?: Record<string, string> | null
  Config?: { Labels?: Record<string, string> | null } | null
  Size?: number
}

interface InspectedContainer {
  Id: string
  Name: string
  State: { Status: string }
  Config: { Image: string; Labels?: Record<string, string> | null }
  Mounts?: { Destination: string }[] | null
}

/** An engine that is spoken to by its command line: everything that podman and docker do alike. */
export function containerCli(dialect: CliDialect): Engine {
  const { program, env } = dialect

  async function call(
    argv: readonly string[],
    signal: AbortSignal,
    options: Omit<CommandOptions, 'signal' | 'env'> = {},
  ): Promise<CommandOutput> {
    try {
      return await runCommand(program, argv, { ...options, env, signal })
    } catch (error) {
      throw asKnown(error)
    }
  }

  function asKnown(error: unknown): unknown {
    if (!(error instanceof LocalCloudError)) return error
    if (error.code === 'NO_DISK_SPACE') {
      return new LocalCloudError('NO_DISK_SPACE', {
        message: `${dialect.kind} has no space left on a disk of its own or for the file that it writes.`,
        hint: `Look with "${dialect.kind} system df" and "df"; "${dialect.kind} image prune" removes images without a name, ${removable}.`,
        evidence: [...error.evidence],
        cause: error,
      })
    }
    if (error.code !== 'COMMAND_FAILED') return error
    if (!error.evidence.some((line) => isEngineDead(line))) return error
    return new LocalCloudError('ENGINE_DEAD', {
      message: `${dialect.kind} does not answer.`,
      hint: dialect.deadHint,
      evidence: [...error.evidence],
      cause: error,
    })
  }

  /** Runs a command whose failure because the thing is not there is an answer: undefined. */
  async function callUnlessGone(
    argv: readonly string[],
    signal: AbortSignal,
  ): Promise<CommandOutput | undefined> {
    try {
      return await call(argv, signal)
    } catch (error) {
      if (error instanceof LocalCloudError && error.evidence.slice(1).some((line) => isGone(line)))
        return undefined
      throw error
    }
  }

  const readImages = ({ stdout }: CommandOutput): ImageInfo[] =>
    (JSON.parse(stdout) as InspectedImage[]).map((image) => ({
      id: withAlgorithm(image.Id),
      refs: image.RepoTags ?? [],
      labels: image.Config?.Labels ?? image.Labels ?? {},
      ...(image.Size === undefined ? {} : { bytes: image.Size }),
    }))

  const removeContainer = (container: string, signal: AbortSignal) =>
    callUnlessGone(['rm', '--force', ...dialect.removeFlags, '--volumes', container], signal)

  /** Runs a command that makes the container `name`; when it fails, what it may have left is removed. */
  async function creating<T>(name: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    throwIfAborted(signal)
    try {
      return await work()
    } catch (error) {
      if (!isNameTaken(error)) await removeContainer(name, AbortSignal.timeout(cleanUpMs))
      throw error
    }
  }

  const runArguments = (spec: RunSpec, name: string): string[] => {
    const [entrypoint = '', ...rest] = spec.command
    return [
      '--name',
      name,
      '--pull=never',
      ...(spec.hostname === undefined ? [] : ['--hostname', spec.hostname]),
      ...(spec.privileged === true ? ['--privileged'] : []),
      ...(spec.cgroupNamespace === undefined ? [] : ['--cgroupns', spec.cgroupNamespace]),
      ...(spec.network === undefined ? [] : ['--network', spec.network]),
      ...flags('--env', spec.env),
      ...flags('--label', { [managedLabel]: 'true', ...spec.labels }),
      ...(spec.mounts ?? []).flatMap(({ source, target, readOnly }) => [
        '--volume',
        `${source}:${target}${readOnly === true ? ':ro' : ''}`,
      ]),
      ...(spec.tmpfs ?? []).flatMap((target) => ['--tmpfs', target]),
      ...(spec.ports ?? []).flatMap(({ listenAddress, hostPort, containerPort }) => [
        '--publish',
        `${listenAddress.includes(':') ? `[${listenAddress}]` : listenAddress}:${String(hostPort)}:${String(containerPort)}`,
      ]),
      '--entrypoint',
      entrypoint,
      spec.image,
      ...rest,
    ]
  }

  const engine: Engine = {
    kind: dialect.kind,
    program,
    version: dialect.version,
    env,
    resolvesNames: dialect.resolvesNames,

    async imageExists(ref, signal) {
      return (await callUnlessGone(['image', 'inspect', '--format', '{{.Id}}', ref], signal)) !== undefined
    },

    async inspectImage(ref, signal) {
      const output = await callUnlessGone(['image', 'inspect', ref], signal)
      return output && readImages(output)[0]
    },

    async pull(ref, { timeoutMs, signal }) {
      const registry = ref.split('/')[0] ?? ref
      const tooSlow = (cause?: unknown) =>
        new LocalCloudError('REGISTRY_UNREACHABLE', {
          message: `The registry ${registry} did not deliver ${ref} within ${String(timeoutMs / 1000)} s.`,
          cause,
        })
      try {
        await call(['pull', '--quiet', ref], signal, { timeoutMs })
      } catch (error) {
        if (!(error instanceof LocalCloudError) || error.code !== 'COMMAND_FAILED') throw error
        if ((error.cause as { timedOut?: boolean } | undefined)?.timedOut === true) throw tooSlow(error)
        const verdict = classifyPullFailure(error.evidence.slice(1).join('\n'))
        if (verdict === undefined) throw error
        throw new LocalCloudError(verdict, {
          message:
            verdict === 'IMAGE_MISSING'
              ? `The registry has no image ${ref}, or does not give it to you.`
              : `The registry ${registry} cannot be reached for ${ref}.`,
          evidence: [...error.evidence],
          cause: error,
        })
      }
      // A podman that is told to stop ends with exit code 0.
      if (!(await engine.imageExists(ref, signal))) throw tooSlow()
    },

    async loadArchive(path, signal) {
      const output = await call(['load', '--input', path], signal)
      return parseLoaded(output.stdout)
    },

    async saveArchive(refs, path, signal) {
      const partial = `${path}.partial-${randomUUID()}`
      try {
        await call(['save', ...dialect.saveFlags, '--output', partial, ...refs], signal)
        await rename(partial, path)
      } finally {
        await rm(partial, { force: true })
      }
    },

    async tag(ref, as, signal) {
      await call(['tag', ref, as], signal)
    },

    async removeImage(ref, signal) {
      await callUnlessGone(['image', 'rm', ref], signal)
    },

    async listImages(label, signal) {
      const output = await call(['images', '--quiet', '--no-trunc', '--filter', `label=${label}`], signal)
      const ids = [...new Set(words(output.stdout))]
      return ids.length === 0 ? [] : readImages(await call(['image', 'inspect', ...ids], signal))
    },

    async build(spec: BuildSpec, signal) {
      await call(
        [
          'build',
          ...dialect.buildFlags,
          ...(spec.network === true ? [] : ['--network', 'none']),
          '--file',
          spec.containerfile,
          '--tag',
          spec.tag,
          ...flags('--label', spec.labels),
          ...flags('--build-arg', spec.args),
          spec.context,
        ],
        signal,
      )
    },

    async listContainers(label, signal) {
      const listed = await call(
        ['ps', '--all', '--quiet', '--no-trunc', '--filter', `label=${label}`],
        signal,
      )
      const ids = words(listed.stdout)
      // One by one, so that a container that goes away meanwhile does not hide the others.
      const infos = await Promise.all(
        ids.map(async (id): Promise<ContainerInfo | undefined> => {
          const output = await callUnlessGone(['container', 'inspect', id], signal)
          const found = output && (JSON.parse(output.stdout) as InspectedContainer[])[0]
          return (
            found && {
              id: found.Id,
              name: found.Name.replace(/^\//, ''),
              state: found.State.Status,
              image: found.Config.Image,
              labels: found.Config.Labels ?? {},
              mounts: (found.Mounts ?? []).map(({ Destination }) => Destination).sort(),
            }
          )
        }),
      )
      return infos
        .filter((info) => info !== undefined)
        .sort((one, other) => one.name.localeCompare(other.name, 'en', { numeric: true }))
    },

    async start(container, signal) {
      await call(['start', container], signal)
    },

    async stop(container, signal) {
      await call(['stop', container], signal)
    },

    async remove(container, signal) {
      await removeContainer(container, signal)
    },

    async run(spec, signal) {
      const name = spec.name ?? `local-cloud-run-${randomUUID()}`
      return creating(name, signal, async () => {
        const output = await call(['run', '--rm', '--sig-proxy=false', ...runArguments(spec, name)], signal, {
          acceptExitCodes: 'any',
        })
        // 125: the engine itself failed, nothing ran (podman-run(1), docker run reference).
        if (output.exitCode === 125) throw refusal(`run ${spec.image}`, output)
        return output
      })
    },

    async runDetached(spec, signal) {
      const name = spec.name ?? `local-cloud-run-${randomUUID()}`
      return creating(name, signal, async () => {
        const output = await call(['run', '--detach', ...runArguments(spec, name)], signal)
        return output.stdout.trim()
      })
    },

    async exec(container, argv, { signal, stdinFile }) {
      const output = await call(
        ['exec', ...(stdinFile === undefined ? [] : ['--interactive']), container, ...argv],
        signal,
        { acceptExitCodes: 'any', ...(stdinFile === undefined ? {} : { inputFile: stdinFile }) },
      )
      if (output.exitCode !== 0 && isContainerUnusable(output.stderr)) {
        throw refusal(`exec in ${container}`, output)
      }
      return output
    },

    async logs(container, { tail, since, signal }) {
      const output = await call(
        [
          'logs',
          '--tail',
          String(tail),
          ...(since === undefined ? [] : ['--since', since.toISOString()]),
          container,
        ],
        signal,
      )
      return output.stdout + output.stderr
    },

    async ensureNetwork(name, labels, signal) {
      if (await networkIsOurs(name, labels, signal)) return
      await call(['network', 'create', '--driver', 'bridge', ...flags('--label', labels), name], signal)
    },

    async listNetworks(label, signal) {
      const output = await call(
        ['network', 'ls', '--filter', `label=${label}`, '--format', '{{.Name}}'],
        signal,
      )
      return words(output.stdout)
    },

    networkLabels,

    async removeNetwork(name, signal) {
      await callUnlessGone(['network', 'rm', name], signal)
    },

    async listVolumes(label, signal) {
      const output = await call(['volume', 'ls', '--quiet', '--filter', `label=${label}`], signal)
      return words(output.stdout)
    },

    async removeVolume(name, signal) {
      await callUnlessGone(['volume', 'rm', name], signal)
    },
  }

  async function networkLabels(
    name: string,
    signal: AbortSignal,
  ): Promise<Record<string, string> | undefined> {
    const output = await callUnlessGone(['network', 'inspect', name], signal)
    if (output === undefined) return undefined
    const found = (
      JSON.parse(output.stdout) as { Labels?: Labels; labels?: Labels; args?: { podman_labels?: Labels } }[]
    )[0]
    // docker, podman with netavark, podman with CNI
    return found?.Labels ?? found?.labels ?? found?.args?.podman_labels ?? {}
  }

  async function networkIsOurs(
    name: string,
    labels: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const present = await networkLabels(name, signal)
    if (present === undefined) return false
    if (Object.entries(labels).every(([key, value]) => present[key] === value)) return true
    throw new LocalCloudError('FOREIGN_NETWORK', {
      message: `The ${dialect.kind} network ${name} exists and is not ours.`,
    })
  }

  function refusal(what: string, output: CommandOutput): LocalCloudError {
    const dead = isEngineDead(output.stderr)
    const failed = saysDiskFull(output.stderr) ? 'NO_DISK_SPACE' : 'COMMAND_FAILED'
    return new LocalCloudError(dead ? 'ENGINE_DEAD' : failed, {
      message: `${dialect.kind} could not ${what}.`,
      ...(dead ? { hint: dialect.deadHint } : {}),
      evidence: output.stderr.trimEnd().split('\n').slice(-10),
    })
  }

  return engine
}

type Labels = Record<string, string> | null

/** The references that `load` names, in the wordings of docker and of podman 3 to 5. */
export function parseLoaded(stdout: string): string[] {
  return stdout.split('\n').flatMap((line) => {
    const match = /^Loaded image(?: ID|\(s\)|s)?: *(.+)$/.exec(line.trim())
    return match?.[1] === undefined ? [] : match[1].split(',').map((ref) => ref.trim())
  })
}

/** Whether a container could not be started because somebody listens on a host port of it. */
export const lacksPort = (error: unknown): boolean =>
  error instanceof LocalCloudError && error.evidence.some((line) => isPortTaken(line))

/** Whether a container could not be made because another one has its name. */
export function isNameTaken(error: unknown): boolean {
  return (
    error instanceof LocalCloudError && error.evidence.some((line) => /name .* is already in use/i.test(line))
  )
}
