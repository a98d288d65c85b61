import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { clusterLabel, managedLabel, type ContainerInfo, type Engine } from '../../engine/engine.ts'
import { LocalCloudError } from '../../errors/local-cloud-error.ts'
import { adaptations as findAdaptations, type Adaptation } from '../../host/adaptations.ts'
import { detectHostLimits } from '../../host/host-limits.ts'
import type { Paths } from '../../plan/options.ts'
import { redact } from '../../process/redact.ts'
import { runCommand, throwIfAborted, type CommandOptions } from '../../process/run-command.ts'
import type { Emit } from '../../report/events.ts'
import type { StepRun } from '../../steps/step.ts'
import { kindPath } from '../../tools/kind.ts'
import type { ClusterProvider, ClusterSpec, FoundCluster, LoadableImage } from '../provider.ts'
import { whyNotReady } from './api-ready.ts'
import { kindEvidence, nodeEvidence } from './kind-failure.ts'
import { kindConfig } from './kind-config.ts'
import { clustersOf, isOurs, kindClusterLabel, nodeNames } from './kind-nodes.ts'
import { kindProgress } from './kind-progress.ts'
import { ensureLibModules, removeLibModules } from './lib-modules.ts'
import { missingArchives, parseCrictlImages } from './loaded-images.ts'
import { adaptsContainerd, completedMark, deriveNodeImage } from './node-image.ts'

export interface KindProviderOptions {
  engine: Engine
  paths: Paths
  emit: Emit
  /** What this host needs; default: what is detected. */
  adaptations?: readonly Adaptation[]
  /** Path of the kind program, asked for only when something is done that needs it; default: the pinned one, built when needed. */
  kind?: (signal: AbortSignal) => Promise<string>
  /** The folder of the host that kind mounts into every node; replaced in tests. */
  libModules?: string
}

/** Milliseconds that an API server may take to come back after its node was started. */
const restartMs = 120_000
/** Milliseconds between two looks at the API server. */
const lookMs = 300
/** Milliseconds that the clean-up after a failed creation may take. */
const cleanUpMs = 60_000
/** Lines of a node's log that explain a failure. */
const evidenceLines = 15

/** Clusters made by the kind program, known as ours by the labels of their node image. */
export function createKindProvider(options: KindProviderOptions): ClusterProvider {
  const { engine, paths, emit } = options
  let program: string | undefined
  const kind = async (signal: AbortSignal): Promise<string> =>
    (program ??= await (options.kind?.(signal) ?? kindPath({ paths, emit, signal })))
  const hostNeeds = () => options.adaptations ?? findAdaptations(detectHostLimits())
  const network = (name: string) => `local-cloud-${name}`
  const folder = (name: string) => path.join(paths.stateDir, 'clusters', name)
  const kubeconfigFile = (name: string) => path.join(folder(name), 'kubeconfig')
  const labels = (name: string) => ({ [managedLabel]: 'true', [clusterLabel]: name })

  async function runKind(
    argv: readonly string[],
    name: string,
    options: Pick<CommandOptions, 'signal' | 'onLine'>,
  ): Promise<string> {
    const output = await runCommand(await kind(options.signal), argv, {
      ...options,
      env: {
        ...engine.env,
        [`KIND_EXPERIMENTAL_${engine.kind.toUpperCase()}_NETWORK`]: network(name),
        // kind would add to the file of the user's choice.
        KUBECONFIG: kubeconfigFile(name),
      },
    })
    return output.stdout
  }

  const containersOf = (name: string, signal: AbortSignal): Promise<ContainerInfo[]> =>
    engine.listContainers(`${kindClusterLabel}=${name}`, signal)

  async function find(name: string, signal: AbortSignal): Promise<FoundCluster | undefined> {
    const containers = await containersOf(name, signal)
    const complete = containers.length > 0 && (await engine.imageExists(completedMark(name), signal))
    return clustersOf(containers, () => complete)[0]
  }

  const foreign = (name: string): LocalCloudError =>
    new LocalCloudError('FOREIGN_CLUSTER', {
      message: `The kind cluster ${name} on this machine was not made by local-cloud; it is left alone.`,
    })

  async function create(spec: ClusterSpec, run: StepRun): Promise<void> {
    const { signal } = run
    const { name } = spec
    const found = await find(name, signal)
    if (found?.owner === 'foreign') throw foreign(name)
    if (found !== undefined) {
      if (
        found.complete === true &&
        found.nodes.length === spec.nodes &&
        found.nodes.every((node) => node.running)
      ) {
        await waitForApi(name, run)
        return
      }
      run.progress(`removing what is left of an earlier ${name}`)
      await remove(name, signal)
    }
    if (spec.nodes > 1 && !engine.resolvesNames) throw noNames(spec.nodes)
    const adaptations = hostNeeds()
    for (const { effect, message } of adaptations) {
      if (effect.kind === 'kubelet' || effect.kind === 'restrict-oom-scores' || effect.kind === 'warning') {
        emit({ type: 'notice', level: effect.kind === 'warning' ? 'warning' : 'info', message })
      }
    }
    if (engine.kind === 'podman' && process.platform === 'linux')
      ensureLibModules(paths.stateDir, emit, options.libModules)
    mkdirSync(folder(name), { recursive: true })
    run.progress('preparing the node image')
    const source = await engine.inspectImage(spec.nodeImage, signal)
    if (source === undefined) {
      throw new LocalCloudError('IMAGE_MISSING', {
        message: `The node image ${spec.nodeImage} is not in ${engine.kind}.`,
      })
    }
    const [image] = await Promise.all([
      deriveNodeImage(engine, { cluster: name, nodeImage: spec.nodeImage, folder: folder(name), signal }),
      engine.ensureNetwork(network(name), labels(name), signal),
      kind(signal),
    ])
    const config = path.join(folder(name), 'kind.yaml')
    writeFileSync(
      config,
      kindConfig(spec, {
        image,
        adaptations,
        imageAdaptsContainerd: adaptsContainerd(source.labels),
      }),
    )
    await createNodes(name, config, run)
    chmodSync(kubeconfigFile(name), 0o600)
    await waitForApi(name, run, readFileSync(kubeconfigFile(name), 'utf8'))
    await engine.tag(image, completedMark(name), signal)
  }

  /** Failed nodes are kept until they were asked why, then removed; interrupted ones stay, labelled, for the next `up` or `down`. */
  async function createNodes(name: string, config: string, run: StepRun): Promise<void> {
    const argv = [
      'create',
      'cluster',
      '--name',
      name,
      '--config',
      config,
      '--kubeconfig',
      kubeconfigFile(name),
    ]
    const lines: string[] = []
    try {
      await runKind([...argv, '--wait', '0s', '--retain'], name, {
        signal: run.signal,
        onLine: (line) => {
          lines.push(line)
          const progress = kindProgress(line)
          if (progress !== undefined) run.progress(progress)
        },
      })
    } catch (error) {
      if (!(error instanceof LocalCloudError) || error.code !== 'COMMAND_FAILED') throw error
      const cleanUp = AbortSignal.timeout(cleanUpMs)
      const evidence = await evidenceOf(name, cleanUp)
      await remove(name, cleanUp)
      throw new LocalCloudError('COMMAND_FAILED', {
        message: `kind could not create the cluster ${name}.`,
        hint: 'Read the last lines of kind and of the nodes; the half-made nodes were removed.',
        evidence: [...error.evidence.slice(0, 1), ...kindEvidence(lines), ...evidence],
        cause: error,
      })
    }
  }

  async function evidenceOf(name: string, signal: AbortSignal): Promise<string[]> {
    const containers = await containersOf(name, signal)
    return (await Promise.all(containers.map((container) => nodeEvidence(engine, container, signal)))).flat()
  }

  function noNames(nodes: number): LocalCloudError {
    return new LocalCloudError('MISSING_TOOL', {
      message: `A cluster of ${String(nodes)} nodes needs container names to resolve, and ${engine.kind} on this machine does not do that.`,
      hint: 'Remove all podman containers, install netavark and aardvark-dns (Debian, Ubuntu: apt-get install netavark aardvark-dns) and run the command again, or use one node.',
    })
  }

  /** `config`: a kubeconfig that is known already; else the node is asked for it. */
  async function waitForApi(name: string, run: StepRun, config?: string): Promise<void> {
    const { signal } = run
    const deadline = AbortSignal.timeout(restartMs)
    const either = AbortSignal.any([signal, deadline])
    let known = config
    let why: string | undefined
    for (;;) {
      known ??= await nodeKubeconfig(name, either)
      const seen = known === undefined ? 'its node gives no kubeconfig yet' : await whyNotReady(known, either)
      throwIfAborted(signal)
      if (seen === undefined) return
      if (deadline.aborted) {
        throw new LocalCloudError('API_UNREACHABLE', {
          message: `The API server of ${name} did not answer within ${String(restartMs / 1000)} s: ${why ?? seen}.`,
          hint: 'Run the command again with --recreate, which makes the cluster anew.',
          evidence: await evidenceOf(name, signal),
        })
      }
      if (seen !== why) run.progress(`waiting for the API server: ${seen}`)
      why = seen
      await delay(lookMs, undefined, { signal: either }).catch(() => undefined)
    }
  }

  /** Undefined while the node cannot give it. */
  async function nodeKubeconfig(name: string, signal: AbortSignal): Promise<string | undefined> {
    try {
      return await kubeconfig(name, signal)
    } catch (error) {
      if (signal.aborted || (error instanceof LocalCloudError && error.code === 'COMMAND_FAILED'))
        return undefined
      throw error
    }
  }

  const kubeconfig = (name: string, signal: AbortSignal): Promise<string> =>
    runKind(['get', 'kubeconfig', '--name', name], name, { signal })

  async function start(name: string, run: StepRun): Promise<void> {
    const found = await find(name, run.signal)
    if (found === undefined)
      throw new LocalCloudError('NO_CLUSTER', { message: `There is no kind cluster ${name}.` })
    if (found.owner === 'foreign') throw foreign(name)
    const stopped = found.nodes.filter((node) => !node.running)
    for (const role of ['control-plane', 'worker'] as const) {
      await Promise.all(
        stopped
          .filter((node) => node.role === role)
          .map(async (node) => {
            run.progress(`starting ${node.name}`)
            await engine.start(node.name, run.signal)
          }),
      )
    }
    await waitForApi(name, run)
  }

  async function loadImages(name: string, images: readonly LoadableImage[], run: StepRun): Promise<void> {
    if (images.length === 0) return
    const found = await find(name, run.signal)
    if (found === undefined)
      throw new LocalCloudError('NO_CLUSTER', { message: `There is no kind cluster ${name}.` })
    if (found.owner === 'foreign') throw foreign(name)
    await Promise.all(found.nodes.map((node) => loadIntoNode(node.name, images, run)))
  }

  async function loadIntoNode(node: string, images: readonly LoadableImage[], run: StepRun): Promise<void> {
    const { signal } = run
    const listed = await inNode(node, ['crictl', 'images', '--output', 'json'], { signal })
    for (const archive of missingArchives(images, parseCrictlImages(listed))) {
      run.progress(`loading ${path.basename(archive)} into ${node}`)
      await inNode(
        node,
        ['ctr', '--namespace=k8s.io', 'images', 'import', '--local', '--snapshotter', 'overlayfs', '-'],
        { signal, stdinFile: archive },
      )
    }
  }

  async function inNode(
    node: string,
    argv: readonly string[],
    options: { signal: AbortSignal; stdinFile?: string },
  ): Promise<string> {
    const result = await engine.exec(node, argv, options)
    if (result.exitCode === 0) return result.stdout
    throw new LocalCloudError('COMMAND_FAILED', {
      message: `${argv[0] ?? ''} in node ${node} ended with exit code ${String(result.exitCode)}.`,
      evidence: [
        `$ ${engine.kind} exec ${node} ${argv.join(' ')}${options.stdinFile === undefined ? '' : ` < ${options.stdinFile}`}`,
        ...redact(result.stderr).trimEnd().split('\n').slice(-evidenceLines),
      ],
    })
  }

  /** From labels alone: kind itself is not needed, nor is anything in the state directory. */
  async function remove(name: string, signal: AbortSignal): Promise<void> {
    const labelled = await engine.listContainers(`${clusterLabel}=${name}`, signal)
    const ours = labelled.filter((container) => isOurs(container, name))
    await Promise.all(ours.map((container) => engine.remove(container.id, signal)))
    // kind gives podman nodes a volume with the node's name as its label; docker removes volumes with their containers.
    if (engine.kind === 'podman') {
      const nodes = new Set([...nodeNames(name), ...ours.map((container) => container.name)])
      const volumes = await Promise.all([...nodes].map((node) => engine.listVolumes(node, signal)))
      await Promise.all(volumes.flat().map((volume) => engine.removeVolume(volume, signal)))
    }
    const [networks, images] = await Promise.all([
      engine.listNetworks(`${clusterLabel}=${name}`, signal),
      engine.listImages(`${clusterLabel}=${name}`, signal),
    ])
    for (const found of networks) await engine.removeNetwork(found, signal)
    for (const { id, refs } of images) {
      for (const ref of refs.length === 0 ? [id] : refs) await engine.removeImage(ref, signal)
    }
    for (const file of ['kind.yaml', 'kubeconfig', 'kubeconfig.lock', 'node-image']) {
      rmSync(path.join(folder(name), file), { recursive: true, force: true })
    }
  }

  async function deleteCluster(name: string, run: StepRun): Promise<void> {
    const found = await find(name, run.signal)
    if (found?.owner === 'foreign') throw foreign(name)
    if (found !== undefined) run.progress(`removing ${found.nodes.map((node) => node.name).join(', ')}`)
    await remove(name, run.signal)
    if ((await list(run.signal)).length === 0) removeLibModules(paths.stateDir, options.libModules)
  }

  async function list(signal: AbortSignal): Promise<FoundCluster[]> {
    const [containers, images] = await Promise.all([
      engine.listContainers(kindClusterLabel, signal),
      engine.listImages(clusterLabel, signal),
    ])
    const refs = new Set(images.flatMap((image) => image.refs))
    return clustersOf(containers, (name) => refs.has(completedMark(name)))
  }

  async function exportLogs(name: string, directory: string, signal: AbortSignal): Promise<void> {
    mkdirSync(directory, { recursive: true })
    const containers = await containersOf(name, signal)
    await Promise.all(
      containers.map(async (container) => {
        mkdirSync(path.join(directory, container.name), { recursive: true })
        const text = await engine.logs(container.name, { tail: 20_000, signal })
        writeFileSync(path.join(directory, container.name, 'container.log'), text)
      }),
    )
    if (!containers.some((container) => container.state === 'running')) return
    try {
      await runKind(['export', 'logs', directory, '--name', name], name, { signal })
    } catch (error) {
      throwIfAborted(signal)
      // Diagnosis of a broken cluster is as good as it gets.
      if (!(error instanceof LocalCloudError)) throw error
      writeFileSync(
        path.join(directory, 'export-error.txt'),
        [error.message, ...error.evidence, ''].join('\n'),
      )
    }
  }

  return {
    kind: 'kind',
    find,
    list,
    create,
    async kubeconfig(name, signal) {
      return kubeconfig(name, signal)
    },
    loadImages,
    start,
    delete: deleteCluster,
    exportLogs,
  }
}
