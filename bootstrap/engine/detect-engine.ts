import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { adaptations } from '../host/adaptations.ts'
import { detectHostLimits, type HostLimits } from '../host/host-limits.ts'
import type { Paths } from '../plan/options.ts'
import type { Emit } from '../report/events.ts'
import { isPodmanInDisguise, openDocker } from './docker.ts'
import type { Engine } from './engine.ts'
import { findProgram } from './find-program.ts'
import { canInstall, installNetavark, installPodman, noEngine } from './install-engine.ts'
import { openPodman } from './podman.ts'

export interface OpenEngineOptions {
  choice: 'auto' | 'podman' | 'docker'
  paths: Pick<Paths, 'stateDir'>
  /** Whether distribution packages may be installed. */
  install: boolean
  /** The cluster will have several nodes, which find each other by container names. */
  needsNames?: boolean
  /** registries.conf with mirrors for podman. Docker takes mirrors from its daemon's configuration only. */
  registriesConf?: string
  emit: Emit
  signal: AbortSignal
  /** Facts about this machine; replaced in tests. */
  limits?: HostLimits
  exists?: (file: string) => boolean
}

/**
 * Finds a working engine: with `auto` a docker daemon that answers, else podman, else podman newly installed.
 * @throws LocalCloudError ENGINE_DEAD with the reason when the chosen engine, or every one there is, does not answer;
 * NO_ENGINE with the commands for this platform when there is none and none may be installed.
 */
export async function openEngine(options: OpenEngineOptions): Promise<Engine> {
  const { choice, emit, signal } = options
  const limits = options.limits ?? detectHostLimits()
  const installing = { limits, allowed: options.install, emit, signal }

  const docker = choice === 'podman' ? undefined : await findDocker(signal)
  let dockerFailure: LocalCloudError | undefined
  if (docker !== undefined) {
    try {
      const engine = await openDocker({ program: docker, signal })
      if (options.registriesConf !== undefined) {
        emit({
          type: 'notice',
          level: 'warning',
          message: `Docker does not read ${options.registriesConf}; registry mirrors belong into its daemon.json ("registry-mirrors").`,
        })
      }
      return engine
    } catch (error) {
      if (!(error instanceof LocalCloudError) || error.code !== 'ENGINE_DEAD') throw error
      dockerFailure = error
    }
  }
  if (choice === 'docker') throw dockerFailure ?? notInstalled()

  if (findProgram('podman') === undefined) {
    if (!canInstall(installing)) throw dockerFailure ?? noEngine(installing)
    await installPodman(installing)
  }
  const program = findProgram('podman')
  if (program === undefined) {
    throw new LocalCloudError('NO_ENGINE', { message: 'podman was installed but is not on PATH.' })
  }
  if (dockerFailure !== undefined) {
    emit({
      type: 'notice',
      level: 'info',
      message: 'docker is installed, but its daemon does not answer: podman is used.',
    })
  }
  return openPodman({
    program,
    paths: options.paths,
    adaptations: adaptations(limits),
    ...(options.registriesConf === undefined ? {} : { registriesConf: options.registriesConf }),
    ...(options.needsNames === true && canInstall(installing)
      ? { installNames: () => installNetavark(installing) }
      : {}),
    ...(options.exists === undefined ? {} : { exists: options.exists }),
    emit,
    signal,
  })
}

async function findDocker(signal: AbortSignal): Promise<string | undefined> {
  const program = findProgram('docker')
  return program === undefined || (await isPodmanInDisguise(program, signal)) ? undefined : program
}

const notInstalled = (): LocalCloudError =>
  new LocalCloudError('NO_ENGINE', {
    message: 'docker was chosen (--engine docker) and is not installed.',
    hint: 'Install Docker and run the command again, or leave --engine at auto.',
  })
