import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type * as k3sContainers from '@testcontainers/k3s'
import type * as testcontainers from 'testcontainers'
import type { StartedTestContainer } from 'testcontainers'
import { isPortTaken } from '../../engine/engine-answers.ts'
import { clusterLabel, managedLabel, type Engine } from '../../engine/engine.ts'
import { LocalCloudError } from '../../errors/local-cloud-error.ts'
import { requireIngressPorts } from '../../host/ingress-ports.ts'
import type { Paths } from '../../plan/options.ts'
import { nodeNames } from '../../plan/plan.ts'
import { throwIfAborted } from '../../process/run-command.ts'
import { untilAborted } from '../../process/until-aborted.ts'
import type { StepRun } from '../../steps/step.ts'
import { requireNodeImage } from '../cluster-image.ts'
import { controlPlaneFirst } from '../found-nodes.ts'
import { loadIntoNodes, runInNode } from '../in-node.ts'
import type { ClusterProvider, ClusterSpec, FoundCluster } from '../provider.ts'
import { removeNetworksAndImages } from '../remove-labelled.ts'
import { requireNames } from '../require-names.ts'
import { writeContainerLogs } from '../write-container-logs.ts'
import { isAbandoned, ownLabels } from './ephemeral-owner.ts'
import { k3sArguments } from './k3s-arguments.ts'
import { apiPort, compatibleLines, flavourOf, ingressPorts, type K3sFlavour } from './k3s-image.ts'
import { k3sKubeconfig } from './k3s-kubeconfig.ts'
import { nodeInfo, providerLabel, roleLabel } from './k3s-nodes.ts'
import { readyLine, startFailure, startState } from './k3s-start.ts'

export interface EphemeralProviderOptions {
  engine: Engine
  paths: Paths
  /** For DOCKER_HOST while a cluster is made. */
  socket: string
  /** The process whose end makes what is left of a cluster nobody's; default this one. */
  owner?: number
}

export interface EphemeralProvider extends ClusterProvider {
  /** Begins to load the library, where that is not done, and to find its engine, for a caller who waits for something else first. */
  load(): void
}

/** Milliseconds until a node that was started has to be complete. */
const startMs = 120_000
/** Milliseconds that the clean-up after a failed start may take. */
const cleanUpMs = 60_000
/** Lines of a node's log that are read when it did not start. */
const logLines = 80
/** What a network of ours and its containers are labelled with, beside the cluster's name. */
const ephemeral = 'ephemeral'
/** Where the library has ports of containers bound. */
const everywhere = '0.0.0.0'
const compatibleName = 'localhost/local-cloud/k3s-compatible'

/**
 * Disposable clusters through @testcontainers/k3s, for one process. They are no clusters of the provider k3s: `status` and `down` of named clusters do
 * not see them. Without Ryuk, whose image may not be there, they are found by their labels when their process is gone.
 */
export function createEphemeralProvider(options: EphemeralProviderOptions): EphemeralProvider {
  const { engine, paths, socket, owner = process.pid } = options
  const network = (name: string) => `local-cloud-${name}`
  const kubeconfigs = new Map<string, string>()
  let loading: Promise<Testcontainers> | undefined
  const library = (): Promise<Testcontainers> => (loading ??= loadTestcontainers(socket))

  const labels = (name: string): Record<string, string> => ({
    [managedLabel]: 'true',
    [clusterLabel]: name,
    [providerLabel]: ephemeral,
    ...ownLabels(owner),
  })

  const containersOf = async (name: string, signal: AbortSignal) =>
    (await engine.listContainers(`${clusterLabel}=${name}`, signal)).filter(
      (container) => container.labels[providerLabel] === ephemeral,
    )

  async function find(name: string, signal: AbortSignal): Promise<FoundCluster | undefined> {
    const containers = await containersOf(name, signal)
    if (containers.length === 0) return undefined
    const nodes = containers.map((container) => nodeInfo(container)).sort(controlPlaneFirst)
    return { name, owner: 'ours', nodes, complete: kubeconfigs.has(name) }
  }

  async function create(spec: ClusterSpec, run: StepRun): Promise<void> {
    const { signal } = run
    const { name } = spec
    requireNames(engine, spec.nodes)
    const flavour = flavourOf(await requireNodeImage(engine, spec.nodeImage, signal))
    const image =
      flavour === 'k3s-compatible' ? await compatibleImage(spec.nodeImage, signal) : spec.nodeImage
    if (spec.nodes > 1) await engine.ensureNetwork(network(name), labels(name), signal)
    const token = randomBytes(16).toString('hex')
    const names = nodeNames(name, spec.nodes).map((node) => node.name)
    const starts: Promise<unknown>[] = []
    try {
      const started = await Promise.all(
        names.map((node, index) =>
          startNode(spec, { image, flavour, token, names, index, starts }, node, run),
        ),
      )
      const server = started[0]
      if (server === undefined) throw new Error('a cluster without nodes')
      kubeconfigs.set(name, kubeconfigOf(name, server.container))
    } catch (error) {
      const cleanUp = AbortSignal.timeout(cleanUpMs)
      await remove(name, cleanUp)
      // A start that was given up goes on until it meets its missing container, and may have made it only now.
      await Promise.race([Promise.allSettled(starts), delay(cleanUpMs, undefined, { ref: false })])
      await remove(name, cleanUp)
      throw error
    }
  }

  interface Member {
    image: string
    flavour: K3sFlavour
    token: string
    names: readonly string[]
    index: number
    /** Every start that was begun is put in here. */
    starts: Promise<unknown>[]
  }

  async function startNode(
    spec: ClusterSpec,
    { image, flavour, token, names, index, starts }: Member,
    node: string,
    run: StepRun,
  ): Promise<{ container: StartedTestContainer }> {
    const role = index === 0 ? 'server' : 'agent'
    const { GenericContainer, K3sContainer, Wait } = await library()
    const log: string[] = []
    let complete: () => void = () => undefined
    let end: () => void = () => undefined
    const completed = new Promise<void>((resolve, reject) => {
      complete = resolve
      end = () => {
        reject(new Error('its container ended'))
      }
    })
    completed.catch(() => undefined)
    const container =
      role === 'server'
        ? new K3sContainer(image).withExposedPorts(
            { container: ingressPorts.http, host: spec.httpPort },
            { container: ingressPorts.https, host: spec.httpsPort },
          )
        : // An agent has no kubeconfig, which the start of a K3sContainer reads.
          new GenericContainer(image)
            .withPrivilegedMode()
            .withTmpFs({ '/run': 'rw', '/var/run': 'rw' })
            .withWaitStrategy(Wait.forLogMessage(readyLine(flavour, role)))
    container
      .withName(node)
      .withHostname(node)
      .withLabels({ ...labels(spec.name), [roleLabel]: role === 'server' ? 'control-plane' : 'worker' })
      .withCommand(k3sArguments(spec, index, names[0] ?? ''))
      .withStartupTimeout(startMs)
      .withLogConsumer((stream) => {
        // It ends with the service that gave it, which is no failure of anybody's.
        stream.on('error', () => undefined)
        stream.on('data', (chunk: Buffer | string) => {
          log.push(...String(chunk).split('\n'))
          if (startState(log.join('\n'), flavour, role).kind === 'ready') complete()
        })
        stream.on('end', end)
      })
    if (spec.nodes > 1) container.withNetworkMode(network(spec.name)).withEnvironment({ K3S_TOKEN: token })
    run.progress(`starting ${node}`)
    try {
      throwIfAborted(run.signal)
      const starting = container.start()
      starts.push(starting)
      // What was begun goes on until its container is removed.
      const started: StartedTestContainer = await untilAborted(starting, run.signal)
      if (flavour === 'k3s-compatible')
        await untilAborted(completed, AbortSignal.any([run.signal, AbortSignal.timeout(startMs)]))
      return { container: started }
    } catch (error) {
      throwIfAborted(run.signal)
      if (isPortTaken(String(error))) await requireIngressPorts({ ...spec, listenAddress: everywhere })
      const said = log.join('\n')
      // One that ends at once is not listened to yet, and still there; one that is listened to has been removed by the library.
      const text =
        startState(said, flavour, role).kind === 'failed'
          ? said
          : await engine.logs(node, { tail: logLines, signal: run.signal }).catch(() => said)
      const failure = startFailure(
        node,
        text,
        startState(text, flavour, role),
        'its container ended or was not complete in time',
      )
      throw new LocalCloudError('NODE_START_FAILED', {
        message: failure.message,
        evidence: [...failure.evidence, String(error)],
        cause: error,
      })
    }
  }

  /** A node image with k3s's contract, made once and kept for other clusters: its layers are those of the node image. */
  async function compatibleImage(nodeImage: string, signal: AbortSignal): Promise<string> {
    const key = createHash('sha256')
      .update(`${nodeImage}\n${compatibleLines.join('\n')}`)
      .digest('hex')
      .slice(0, 16)
    const tag = `${compatibleName}:${key}`
    if (await engine.imageExists(tag, signal)) return tag
    const context = path.join(paths.stateDir, 'ephemeral', `image-${key}-${String(process.pid)}`)
    mkdirSync(context, { recursive: true })
    try {
      const containerfile = path.join(context, 'Containerfile')
      writeFileSync(containerfile, [`FROM ${nodeImage}`, ...compatibleLines, ''].join('\n'))
      await engine.build({ containerfile, context, tag, labels: { [managedLabel]: 'true' } }, signal)
    } finally {
      rmSync(context, { recursive: true, force: true })
    }
    for (const old of await engine.listImages(managedLabel, signal))
      for (const ref of old.refs.filter((one) => one.startsWith(`${compatibleName}:`) && one !== tag))
        await engine.removeImage(ref, signal).catch(() => undefined)
    return tag
  }

  /** The library has read it out of the node, and left its address for us. */
  function kubeconfigOf(name: string, server: StartedTestContainer): string {
    if (!('getKubeConfig' in server)) throw new Error('a server that is no K3sContainer')
    const text = (server as k3sContainers.StartedK3sContainer).getKubeConfig()
    return k3sKubeconfig(text, name, `https://${server.getHost()}:${String(server.getMappedPort(apiPort))}`)
  }

  async function remove(name: string, signal: AbortSignal): Promise<void> {
    const containers = await containersOf(name, signal)
    await Promise.all(containers.map((container) => engine.remove(container.id, signal)))
    await removeNetworksAndImages(engine, name, signal)
    kubeconfigs.delete(name)
  }

  const noCluster = (name: string): LocalCloudError =>
    new LocalCloudError('NO_CLUSTER', { message: `There is no ephemeral cluster ${name} of this process.` })

  return {
    kind: 'k3s',
    load() {
      library().catch(() => undefined)
    },
    find,
    async list(signal) {
      const all = await engine.listContainers(`${providerLabel}=${ephemeral}`, signal)
      const names = [...new Set(all.map((container) => container.labels[clusterLabel] ?? ''))]
      const found = await Promise.all(names.map((name) => find(name, signal)))
      return found.filter((cluster) => cluster !== undefined)
    },
    create,
    kubeconfig(name) {
      const text = kubeconfigs.get(name)
      return text === undefined ? Promise.reject(noCluster(name)) : Promise.resolve(text)
    },
    async loadImages(name, images, run) {
      const found = await find(name, run.signal)
      if (found === undefined) throw noCluster(name)
      await loadIntoNodes(engine, found.nodes, images, run)
    },
    runInNode: (node, argv, how) => runInNode(engine, node, argv, how),
    start: (name) => Promise.reject(noCluster(name)),
    delete: (name, run) => remove(name, run.signal),
    async exportLogs(name, directory, signal) {
      await writeContainerLogs(engine, await containersOf(name, signal), directory, signal)
    },
  }
}

/** Removes clusters whose process is gone, with their networks; nothing that is not labelled as one of them is touched. Returns their names. */
export async function sweepAbandoned(
  engine: Engine,
  signal: AbortSignal,
  now = new Date(),
): Promise<string[]> {
  const label = `${providerLabel}=${ephemeral}`
  const [containers, networks] = await Promise.all([
    engine.listContainers(label, signal),
    engine.listNetworks(label, signal),
  ])
  const abandoned = containers.filter((container) => isAbandoned(container.labels, now))
  await Promise.all(abandoned.map((container) => engine.remove(container.id, signal)))
  // One that was killed before its first container, or after its last, has left a network only.
  const ofNetworks = await Promise.all(networks.map((network) => engine.networkLabels(network, signal)))
  const left = [
    ...abandoned.map(({ labels }) => labels),
    ...ofNetworks.filter((labels) => labels !== undefined && isAbandoned(labels, now)),
  ]
  const names = [...new Set(left.map((labels) => labels?.[clusterLabel] ?? ''))].filter((name) => name !== '')
  for (const name of names) await removeNetworksAndImages(engine, name, signal)
  return names
}

type Testcontainers = Pick<typeof testcontainers, 'GenericContainer' | 'Wait'> & typeof k3sContainers

/**
 * The library looks for the engine in the environment when it is first used, and keeps what it found. DOCKER_HOST is set for that moment only:
 * other programs that this process starts must not inherit a socket that ends with it.
 */
async function loadTestcontainers(socket: string): Promise<Testcontainers> {
  // Its helper's image may not be there; what it would do is done by label.
  process.env['TESTCONTAINERS_RYUK_DISABLED'] ??= 'true'
  process.env['TESTCONTAINERS_HOST_OVERRIDE'] ??= '127.0.0.1'
  const [k3s, { GenericContainer, Wait, getContainerRuntimeClient }] = await Promise.all([
    import('@testcontainers/k3s'),
    import('testcontainers'),
  ])
  const given = process.env['DOCKER_HOST']
  if (given === undefined) {
    process.env['DOCKER_HOST'] = socket
    try {
      await getContainerRuntimeClient()
    } finally {
      delete process.env['DOCKER_HOST']
    }
  }
  return { GenericContainer, Wait, ...k3s }
}
