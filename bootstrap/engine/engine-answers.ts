import type { ErrorCode } from '../errors/catalogue.ts'
import { LocalCloudError } from '../errors/local-cloud-error.ts'

/** Whether a line of stderr says that the engine's service does not run. */
export const isEngineDead = (text: string): boolean =>
  /cannot connect to the docker daemon|is the docker daemon running|cannot connect to podman|unable to connect to podman|error during connect/i.test(
    text,
  )

/** Whether a line of stderr says that the thing named is not there (any more). */
export const isGone = (text: string): boolean =>
  /no such (?:container|image|network|volume|object)|no container with (?:name|id)|image not known|failed to find image|unable to find (?:image|network)|network (?:\S+ )?not found|removal of container \S+ is already in progress/i.test(
    text,
  )

/** Whether an engine could not bind a host port, in the words of the kernel, of docker and of its desktop editions. */
export const isPortTaken = (text: string): boolean =>
  /address already in use|port is already allocated|ports are not available/i.test(text)

/** Whether stderr of `exec` says that the container, not the command in it, is the problem. */
export const isContainerUnusable = (stderr: string): boolean =>
  /no such container|no container with (?:name|id)|can only create exec sessions on running containers|container \S+ is not running|container state improper|cannot connect to the docker daemon/i.test(
    stderr,
  )

/**
 * What a registry's refusal means. Registries answer 401 or 403 for repositories that do not exist, so "denied" counts as
 * missing; undefined when neither reading fits and the output has to speak for itself.
 */
export function classifyPullFailure(
  text: string,
): Extract<ErrorCode, 'REGISTRY_UNREACHABLE' | 'IMAGE_MISSING'> | undefined {
  if (
    /no such host|dial tcp|connection refused|connection reset|i\/o timeout|tls:|tls handshake|network is unreachable|deadline exceeded|client\.timeout|x509:|\beof\b|server misbehaving|temporary failure|proxyconnect|http status: 5\d\d|http response to https client|toomanyrequests/i.test(
      text,
    )
  ) {
    return 'REGISTRY_UNREACHABLE'
  }
  if (
    /manifest unknown|name unknown|not found|does not exist|denied|unauthorized|forbidden|no matching manifest/i.test(
      text,
    )
  ) {
    return 'IMAGE_MISSING'
  }
  return undefined
}

/**
 * Runs the first question to an engine; a failure says that the engine is there but does not work, and why.
 * @throws LocalCloudError ENGINE_DEAD
 */
export async function askWhetherAlive<T>(kind: string, hint: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (!(error instanceof LocalCloudError) || error.code !== 'COMMAND_FAILED') throw error
    const reason = error.evidence.slice(1).at(-1) ?? error.message
    throw new LocalCloudError('ENGINE_DEAD', {
      message: `${kind} is installed but does not answer: ${reason.replace(/^error:? /i, '').replace(/\.$/, '')}.`,
      hint,
      evidence: [...error.evidence],
      cause: error,
    })
  }
}
