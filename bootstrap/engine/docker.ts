import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { runCommand } from '../process/run-command.ts'
import { containerCli } from './container-cli.ts'
import { askWhetherAlive } from './engine-answers.ts'
import type { Engine } from './engine.ts'

const deadHint =
  'Start it (Linux: systemctl start docker; macOS and Windows: start Docker Desktop) and run the command again.'

/** Milliseconds within which a living daemon answers a version request, also on a busy machine. */
const answerMs = 20_000

/**
 * Speaks to the docker daemon that the `docker` program is set up for (DOCKER_HOST and contexts are honoured).
 * @throws LocalCloudError ENGINE_DEAD with the client's own words when no daemon answers.
 */
export async function openDocker(options: { program: string; signal: AbortSignal }): Promise<Engine> {
  const { program, signal } = options
  const version = await askWhetherAlive('docker', deadHint, () =>
    runCommand(program, ['version', '--format', '{{.Server.Version}}'], { signal, timeoutMs: answerMs }),
  )
  const server = version.stdout.trim()
  if (server === '' || server === '<no value>') {
    throw new LocalCloudError('ENGINE_DEAD', { message: 'docker has no server to speak to.', hint: deadHint })
  }
  return containerCli({
    kind: 'docker',
    program,
    version: server,
    env: { KIND_EXPERIMENTAL_PROVIDER: 'docker', BUILDX_NO_DEFAULT_ATTESTATIONS: '1' },
    resolvesNames: true,
    buildFlags: [],
    saveFlags: [],
    removeFlags: [],
    deadHint,
  })
}

/** Whether a `docker` program is podman's stand-in of that name (package podman-docker). */
export async function isPodmanInDisguise(program: string, signal: AbortSignal): Promise<boolean> {
  const output = await runCommand(program, ['--version'], {
    signal,
    timeoutMs: answerMs,
    acceptExitCodes: 'any',
  })
  return /podman/i.test(output.stdout + output.stderr)
}
