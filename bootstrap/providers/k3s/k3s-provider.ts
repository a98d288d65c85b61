import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isNameTaken, lacksPort } from '../../engine/container-cli.ts'
import { clusterLabel, managedLabel, type ContainerInfo, type Engine } from '../../engine/engine.ts'
import { LocalCloudError } from '../../errors/local-cloud-error.ts'
import { freePort } from '../../host/free-port.ts'
import { requireIngressPorts } from '../../host/ingress-ports.ts'
import type { Paths } from '../../plan/options.ts'
import { nodeNames } from '../../plan/plan.ts'
import { throwIfAborted } from '../../process/run-command.ts'
import type { StepRun } from '../../steps/step.ts'
import { completedMark, deriveNodeImage, requireNodeImage } from '../cluster-image.ts'
import { isWhole } from '../found-nodes.ts'
import { loadIntoNodes, runInNode } from '../in-node.ts'
import type { ClusterProvider, ClusterSpec, FoundCluster, LoadableImage } from '../provider.ts'
import { removeEmptyFolder } from '../remove-empty-folder.ts'
import { removeNetworksAndImages } from '../remove-labelled.ts'
import { requireNames } from '../require-names.ts'
import { waitForApi } from '../wait-for-api.ts'
import { writeContainerLogs } from '../write-container-logs.ts'
import { k3sArguments } from './k3s-arguments.ts'
import {
  apiPort,
  compatibleLines,
  flavourOf,
  ingressPorts,
  kubeconfigInNode,
  programOf,
  type K3sFlavour,
} from './k3s-image.ts'
import { k3sKubeconfig } from './k3s-kubeconfig.ts'
import { apiPortLabel, clustersOf, k3sLabel, providerLabel, roleLabel } from './k3s-nodes.ts'
import { startFailure, startState } from './k3s-start.ts'

export interface K3sProviderOptions {
  engine: Engine
  paths: Paths
  /** Where the host keeps kernel modules, mounted into nodes when it is there; replaced in tests. */
  libModules?: string
}

/** Milliseconds until a node that was started has to be complete. */
const startMs = 180_000
/** Milliseconds between two looks at a node that starts. */
const lookMs = 150
/** Milliseconds that the clean-up after a failed creation may take. */
const cleanUpMs = 60_000
/** How often another port is tried when the one for the API was taken meanwhile. */
const portTries = 3
/** Lines of a node's log that are read while it starts. */
const logLines = 80
const flavourLabel = 'io.local-cloud.k3s'

/**
 * Clusters whose nodes are k3s containers: k3s itself where its image could be had, else the k3s-compatible image from packages. Known as ours
 * by the labels of their containers.
 */
export function createK3sProvider(options: K3sProviderOptions): ClusterProvider {
  const { engine, paths, libModules = '/lib/modules' } = options
  const network = (name: string) => `local-cloud-${name}`
  const folder = (name: string) => path.join(paths.stateDir, 'clusters', name)
  const labels = (name: string) => ({ [managedLabel]: 'true', [clusterLabel]: name })

  const containersOf = async (name: string, signal: AbortSignal): Promise<ContainerInfo[]> =>
    (await engine.listContainers(`${clusterLabel}=${name}`, signal)).filter(
      (container) => container.labels[providerLabel] === 'k3s',
    )

  async function find(name: string, signal: AbortSignal): Promise<FoundCluster | undefined> {
    const containers = await containersOf(name, signal)
    const complete = containers.length > 0 && (await engine.imageExists(completedMark(name), signal))
    return clustersOf(containers, () => complete)[0]
  }

  async function list(signal: AbortSignal): Promise<FoundCluster[]> {
    const [containers, images] = await Promise.all([
      engine.listContainers(k3sLabel, signal),
      engine.listImages(clusterLabel, signal),
    ])
    const refs = new Set(images.flatMap((image) => image.refs))
    return clustersOf(containers, (name) => refs.has(completedMark(name)))
  }

  async function create(spec: ClusterSpec, run: StepRun): Promise<void> {
    const { name } = spec
    const { signal } = run
    if (spec.kubeadmPatches.length > 0) {
      throw new LocalCloudError('BAD_VALUE', {
        message: 'The provider k3s makes no cluster with kubeadm and takes no kubeadm patches.',
        hint: 'Leave --kubeadm-patch out, or take --provider kind.',
      })
    }
    const found = await find(name, signal)
    if (found !== undefined) {
      if (isWhole(found, spec.nodes)) {
        await ready(name, run)
        return
      }
      run.progress(`removing what is left of an earlier ${name}`)
      await remove(name, signal)
    }
    requireNames(engine, spec.nodes)
    mkdirSync(folder(name), { recursive: true })
    run.progress('preparing the node image')
    const flavour = flavourOf(await requireNodeImage(engine, spec.nodeImage, signal))
    const [image] = await Promise.all([
      deriveNodeImage(engine, {
        cluster: name,
        nodeImage: spec.nodeImage,
        folder: folder(name),
        lines: flavour === 'k3s-compatible' ? compatibleLines : [],
        signal,
      }),
      engine.ensureNetwork(network(name), labels(name), signal),
    ])
    const token = randomBytes(16).toString('hex')
    try {
      await startNodes(spec, { image, flavour, token }, run)
    } catch (error) {
      // Interrupted nodes stay, labelled, for the next `up` or `down`.
      if (error instanceof LocalCloudError && error.code === 'INTERRUPTED') throw error
      await remove(name, AbortSignal.timeout(cleanUpMs))
      throw error
    }
    await ready(name, run)
    await engine.tag(image, completedMark(name), signal)
  }

  interface Made {
    image: string
    flavour: K3sFlavour
    token: string
  }

  /** Agents are started beside the server and wait for it themselves. */
  async function startNodes(spec: ClusterSpec, made: Made, run: StepRun): Promise<void> {
    const names = nodeNames(spec.name, spec.nodes).map((node) => node.name)
    const since = new Date()
    for (const [index, node] of names.entries()) {
      throwIfAborted(run.signal)
      if (index === 0) await startServer(spec, made, node, run.signal)
      else await startNode(spec, made, { node, server: names[0] ?? '', index }, run.signal)
      run.progress(`${node} is starting`)
    }
    await Promise.all(
      names.map((node, index) =>
        untilStarted(node, made.flavour, index === 0 ? 'server' : 'agent', since, run),
      ),
    )
  }

  /**
   * The host port that leads to the API is ours to choose: another one is taken when somebody took it meanwhile.
   * @throws LocalCloudError PORT_TAKEN when it was one of the ingress ports
   */
  async function startServer(
    spec: ClusterSpec,
    made: Made,
    node: string,
    signal: AbortSignal,
  ): Promise<void> {
    for (let left = portTries; ; left -= 1) {
      try {
        await startNode(spec, made, { node, server: node, index: 0, hostPort: await freePort() }, signal)
        return
      } catch (error) {
        if (!lacksPort(error)) throw error
        await requireIngressPorts(spec)
        if (left === 0) throw error
      }
    }
  }

  interface Place {
    node: string
    server: string
    index: number
    /** Of the server, for its API. */
    hostPort?: number
  }

  async function startNode(
    spec: ClusterSpec,
    { image, flavour, token }: Made,
    { node, server, index, hostPort }: Place,
    signal: AbortSignal,
  ): Promise<void> {
    const listen = (port: number, containerPort: number, listenAddress = spec.listenAddress) => ({
      listenAddress,
      hostPort: port,
      containerPort,
    })
    try {
      await engine.runDetached(
        {
          image,
          name: node,
          hostname: node,
          command: [programOf[flavour], ...k3sArguments(spec, index, server)],
          env: spec.nodes > 1 ? { K3S_TOKEN: token } : {},
          privileged: true,
          cgroupNamespace: 'private',
          network: network(spec.name),
          labels: {
            ...labels(spec.name),
            [providerLabel]: 'k3s',
            [roleLabel]: index === 0 ? 'control-plane' : 'worker',
            [flavourLabel]: flavour,
            ...(hostPort === undefined ? {} : { [apiPortLabel]: String(hostPort) }),
          },
          tmpfs: ['/run', '/tmp'],
          mounts: [
            ...(existsSync(libModules)
              ? [{ source: libModules, target: '/lib/modules', readOnly: true }]
              : []),
            ...spec.extraMounts.map(({ hostPath, containerPath, readOnly }) => ({
              source: hostPath,
              target: containerPath,
              readOnly,
            })),
          ],
          ports:
            hostPort === undefined
              ? []
              : [
                  listen(spec.httpPort, ingressPorts.http),
                  listen(spec.httpsPort, ingressPorts.https),
                  listen(hostPort, apiPort, '127.0.0.1'),
                ],
        },
        signal,
      )
    } catch (error) {
      if (!isNameTaken(error)) throw error
      throw new LocalCloudError('FOREIGN_CLUSTER', {
        message: `There is a container ${node} on this machine that local-cloud did not make; it is left alone.`,
        cause: error,
      })
    }
  }

  /** @throws LocalCloudError NODE_START_FAILED with its stage and last lines when the node ends or is not complete in time */
  async function untilStarted(
    node: string,
    flavour: K3sFlavour,
    role: 'server' | 'agent',
    since: Date,
    run: StepRun,
  ): Promise<void> {
    const deadline = Date.now() + startMs
    let told = ''
    for (;;) {
      throwIfAborted(run.signal)
      const log = await engine.logs(node, { tail: logLines, since, signal: run.signal })
      const state = startState(log, flavour, role)
      if (state.kind === 'ready') return
      const late = Date.now() > deadline
      if (state.kind === 'failed' || late || !(await isRunning(node, run.signal))) {
        const whole = await engine.logs(node, { tail: logLines, since, signal: run.signal })
        throw startFailure(
          node,
          whole,
          startState(whole, flavour, role),
          late ? `it was not complete within ${String(startMs / 1000)} s` : undefined,
        )
      }
      if (state.last !== told) {
        told = state.last
        run.progress(`${node}: ${told}`)
      }
      await delay(lookMs, undefined, { signal: run.signal }).catch(() => undefined)
    }
  }

  const isRunning = async (node: string, signal: AbortSignal): Promise<boolean> =>
    (await engine.listContainers(k3sLabel, signal)).some(
      (container) => container.name === node && container.state === 'running',
    )

  async function kubeconfig(name: string, signal: AbortSignal): Promise<string> {
    const server = (await containersOf(name, signal)).find(
      (container) => container.labels[apiPortLabel] !== undefined,
    )
    if (server === undefined) throw noCluster(name)
    const text = await runInNode(engine, server.name, ['cat', kubeconfigInNode], { signal })
    return k3sKubeconfig(text, name, `https://127.0.0.1:${String(server.labels[apiPortLabel])}`)
  }

  const ready = (name: string, run: StepRun): Promise<void> =>
    waitForApi({
      name,
      run,
      kubeconfig: (signal) => kubeconfig(name, signal),
      async evidence(signal) {
        const containers = await containersOf(name, signal)
        const logs = await Promise.all(
          containers.map((container) => engine.logs(container.name, { tail: 15, signal })),
        )
        return logs.flatMap((log, index) => [
          `${containers[index]?.name ?? ''}:`,
          ...log.trimEnd().split('\n'),
        ])
      },
    })

  const noCluster = (name: string): LocalCloudError =>
    new LocalCloudError('NO_CLUSTER', { message: `There is no k3s cluster ${name}.` })

  async function start(name: string, run: StepRun): Promise<void> {
    const found = await find(name, run.signal)
    if (found === undefined) throw noCluster(name)
    const flavours = new Map(
      (await containersOf(name, run.signal)).map((container) => [
        container.name,
        (container.labels[flavourLabel] ?? 'k3s-compatible') as K3sFlavour,
      ]),
    )
    const since = new Date()
    const stopped = found.nodes.filter((node) => !node.running)
    for (const role of ['control-plane', 'worker'] as const) {
      await Promise.all(
        stopped
          .filter((node) => node.role === role)
          .map(async (node) => {
            run.progress(`starting ${node.name}`)
            await engine.start(node.name, run.signal)
            await untilStarted(
              node.name,
              flavours.get(node.name) ?? 'k3s-compatible',
              role === 'control-plane' ? 'server' : 'agent',
              since,
              run,
            )
          }),
      )
    }
    await ready(name, run)
  }

  async function loadImages(name: string, images: readonly LoadableImage[], run: StepRun): Promise<void> {
    if (images.length === 0) return
    const found = await find(name, run.signal)
    if (found === undefined) throw noCluster(name)
    await loadIntoNodes(engine, found.nodes, images, run)
  }

  /** From labels alone. */
  async function remove(name: string, signal: AbortSignal): Promise<void> {
    const containers = await containersOf(name, signal)
    await Promise.all(containers.map((container) => engine.remove(container.id, signal)))
    await removeNetworksAndImages(engine, name, signal)
    for (const file of ['kubeconfig', 'node-image'])
      rmSync(path.join(folder(name), file), { recursive: true, force: true })
    removeEmptyFolder(folder(name))
  }

  async function exportLogs(name: string, directory: string, signal: AbortSignal): Promise<void> {
    const containers = await containersOf(name, signal)
    await writeContainerLogs(engine, containers, directory, signal)
    await Promise.all(
      containers
        .filter((container) => container.state === 'running')
        .map(async ({ name: node }) => {
          const script = 'for file in /var/log/k3s/*.log; do echo "=== $file"; tail -n 5000 "$file"; done'
          const { stdout } = await engine.exec(node, ['sh', '-c', script], { signal })
          writeFileSync(path.join(directory, node, 'components.log'), stdout)
        }),
    )
  }

  return {
    kind: 'k3s',
    find,
    list,
    create,
    kubeconfig,
    loadImages,
    runInNode: (node, argv, how) => runInNode(engine, node, argv, how),
    start,
    async delete(name, run) {
      const found = await find(name, run.signal)
      if (found !== undefined) run.progress(`removing ${found.nodes.map((node) => node.name).join(', ')}`)
      await remove(name, run.signal)
    },
    exportLogs,
  }
}
