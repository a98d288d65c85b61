/** Labels that mark everything of ours, on images, containers, networks, volumes and Kubernetes objects. */
export const managedLabel = 'io.local-cloud.managed'
export const clusterLabel = 'io.local-cloud.cluster'

export interface ContainerInfo {
  id: string
  name: string
  /** As the engine says it: running, exited, created, paused, dead … */
  state: string
  image: string
  labels: Record<string, string>
  /** Paths in it on which something is mounted. */
  mounts: string[]
}

export interface CommandResult {
  exitCode: number
  stdout: string
  stderr: string
}

export interface RunSpec {
  image: string
  /** argv; the image's entrypoint is replaced by the first word. */
  command: readonly string[]
  name?: string
  hostname?: string
  privileged?: boolean
  /** `private`: the container sees its own cgroup as the root, also where the engine's default is the host's. */
  cgroupNamespace?: 'private' | 'host'
  network?: string
  env?: Record<string, string>
  labels?: Record<string, string>
  mounts?: readonly { source: string; target: string; readOnly?: boolean }[]
  tmpfs?: readonly string[]
  /** Host ports that lead into the container. */
  ports?: readonly { listenAddress: string; hostPort: number; containerPort: number }[]
}

export interface BuildSpec {
  /** Path of the Containerfile. */
  containerfile: string
  context: string
  tag: string
  labels?: Record<string, string>
  args?: Record<string, string>
  /** Whether RUN instructions may use the network; default false. Base images are never pulled. */
  network?: boolean
}

export interface ImageInfo {
  /** Config digest, `sha256:…`. */
  id: string
  refs: string[]
  labels: Record<string, string>
  /** Of its layers unpacked, which is what an archive of it takes. */
  bytes?: number
}

/**
 * A container engine on this machine, spoken to through its command line. Every method throws `LocalCloudError`
 * (COMMAND_FAILED with the pasteable command, ENGINE_DEAD) and stops at once when `signal` aborts.
 */
export interface Engine {
  readonly kind: 'podman' | 'docker'
  /** Absolute path of its program. */
  readonly program: string
  readonly version: string
  /** Environment that every child which talks to this engine (kind, testcontainers) needs; includes CONTAINERS_CONF and the kind provider choice. */
  readonly env: Readonly<Record<string, string>>
  /** Whether containers on one network find each other by name; a cluster of several nodes needs that. */
  readonly resolvesNames: boolean

  imageExists(ref: string, signal: AbortSignal): Promise<boolean>
  /** Id and labels of one local image, undefined when it is not there. */
  inspectImage(ref: string, signal: AbortSignal): Promise<ImageInfo | undefined>
  /** Pulls within `timeoutMs`; REGISTRY_UNREACHABLE when no answer comes, IMAGE_MISSING when the registry says no. */
  pull(ref: string, options: { timeoutMs: number; signal: AbortSignal }): Promise<void>
  /** Loads a docker or OCI archive and returns the references it held. */
  loadArchive(path: string, signal: AbortSignal): Promise<string[]>
  /** Writes the images into one docker-format archive, uncompressed. */
  saveArchive(refs: readonly string[], path: string, signal: AbortSignal): Promise<void>
  tag(ref: string, as: string, signal: AbortSignal): Promise<void>
  /** Removes a reference, and the image with its last one; an image that is gone already is success. */
  removeImage(ref: string, signal: AbortSignal): Promise<void>
  /** Local images that carry `label` (`key` or `key=value`), also those without a reference. */
  listImages(label: string, signal: AbortSignal): Promise<ImageInfo[]>
  /** Builds a Containerfile from local base images, without network unless `network` says so. */
  build(spec: BuildSpec, signal: AbortSignal): Promise<void>

  listContainers(label: string, signal: AbortSignal): Promise<ContainerInfo[]>
  start(container: string, signal: AbortSignal): Promise<void>
  stop(container: string, signal: AbortSignal): Promise<void>
  /** Removes with its anonymous volumes; a container that is gone already is success. */
  remove(container: string, signal: AbortSignal): Promise<void>
  /** Runs a new container to its end and removes it. A non-zero exit is returned, not thrown. */
  run(spec: RunSpec, signal: AbortSignal): Promise<CommandResult>
  /** Starts a container that stays until it is removed, and returns its id. Nothing is left when it cannot be started. */
  runDetached(spec: RunSpec, signal: AbortSignal): Promise<string>
  /** Runs argv in a running container; `stdin` is a file path that is streamed in. A non-zero exit is returned, not thrown. */
  exec(
    container: string,
    argv: readonly string[],
    options: { signal: AbortSignal; stdinFile?: string },
  ): Promise<CommandResult>
  /** The last lines of a container's log; with `since`, of what it wrote after that. */
  logs(container: string, options: { tail: number; since?: Date; signal: AbortSignal }): Promise<string>

  /** Makes a bridge network. FOREIGN_NETWORK when one of that name exists without these labels. */
  ensureNetwork(name: string, labels: Record<string, string>, signal: AbortSignal): Promise<void>
  listNetworks(label: string, signal: AbortSignal): Promise<string[]>
  /** Labels of a network; undefined when it is not there. */
  networkLabels(name: string, signal: AbortSignal): Promise<Record<string, string> | undefined>
  /** A network that is gone already is success; one in use is an error. */
  removeNetwork(name: string, signal: AbortSignal): Promise<void>
  listVolumes(label: string, signal: AbortSignal): Promise<string[]>
  removeVolume(name: string, signal: AbortSignal): Promise<void>
}
