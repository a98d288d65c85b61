import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { lacksPort } from '../../engine/container-cli.ts'
import { clusterLabel, managedLabel, type ContainerInfo, type Engine } from '../../engine/engine.ts'
import { LocalCloudError } from '../../errors/local-cloud-error.ts'
import { adaptations as findAdaptations, type Adaptation } from '../../host/adaptations.ts'
import { detectHostLimits } from '../../host/host-limits.ts'
import { requireIngressPorts } from '../../host/ingress-ports.ts'
import type { Paths } from '../../plan/options.ts'
import { nodeNames } from '../../plan/plan.ts'
import { runCommand, throwIfAborted, type CommandOptions } from '../../process/run-command.ts'
import type { Emit } from '../../report/events.ts'
import type { StepRun } from '../../steps/step.ts'
import { kindPath } from '../../tools/kind.ts'
import { adaptsContainerd, completedMark, deriveNodeImage, requireNodeImage } from '../cluster-image.ts'
import { isWhole } from '../found-nodes.ts'
import { loadIntoNodes, runInNode } from '../in-node.ts'
import { removeEmptyFolder } from '../remove-empty-folder.ts'
import { removeNetworksAndImages } from '../remove-labelled.ts'
import { requireNames } from '../require-names.ts'
import type { ClusterProvider, ClusterSpec, FoundCluster, LoadableImage } from '../provider.ts'
import { waitForApi } from '../wait-for-api.ts'
import { writeContainerLogs } from '../write-container-logs.ts'
import { controlPlanePatches, patchesFolder } from './control-plane-patches.ts'
import { kindEvidence, nodeEvidence } from './kind-failure.ts'
import { kindConfig } from './kind-config.ts'
import { clustersOf, isOurs, kindClusterLabel } from './kind-nodes.ts'
import { kindProgress } from './kind-progress.ts'
import { ensureLibModules, removeLibModules } from './lib-modules.ts'

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

/** Nodes that a cluster can have. */
const mostNodes = 4
/** Milliseconds that the clean-up after a failed creation may take. */
const cleanUpMs = 60_000

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
      if (isWhole(found, spec.nodes)) {
        await ready(name, run)
        return
      }
      run.progress(`removing what is left of an earlier ${name}`)
      await remove(name, signal)
    }
    requireNames(engine, spec.nodes)
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
    const source = await requireNodeImage(engine, spec.nodeImage, signal)
    const [image] = await Promise.all([
      deriveNodeImage(engine, {
        cluster: name,
        nodeImage: spec.nodeImage,
        folder: folder(name),
        files: { folder: patchesFolder, texts: controlPlanePatches() },
        signal,
      }),
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
        patches: patchesFolder,
      }),
    )
    await createNodes(spec, config, run)
    chmodSync(kubeconfigFile(name), 0o600)
    await ready(name, run, readFileSync(kubeconfigFile(name), 'utf8'))
    await engine.tag(image, completedMark(name), signal)
  }

  /** Failed nodes are kept until they were asked why, then removed; interrupted ones stay, labelled, for the next `up` or `down`. */
  async function createNodes(spec: ClusterSpec, config: string, run: StepRun): Promise<void> {
    const { name } = spec
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
      if (!(error instanceof LocalCloudError) || !['COMMAND_FAILED', 'NO_DISK_SPACE'].includes(error.code))
        throw error
      const cleanUp = AbortSignal.timeout(cleanUpMs)
      const evidence = await evidenceOf(name, cleanUp)
      await remove(name, cleanUp)
      if (lacksPort(error)) await requireIngressPorts(spec)
      const full = error.code === 'NO_DISK_SPACE'
      throw new LocalCloudError(error.code, {
        message: `kind could not create the cluster ${name}${full ? ': no space is left on a disk' : ''}.`,
        ...(full
          ? {}
          : { hint: 'Read the last lines of kind and of the nodes; the half-made nodes were removed.' }),
        evidence: [...error.evidence.slice(0, 1), ...kindEvidence(lines), ...evidence],
        cause: error,
      })
    }
  }

  async function evidenceOf(name: string, signal: AbortSignal): Promise<string[]> {
    const containers = await containersOf(name, signal)
    return (await Promise.all(containers.map((container) => nodeEvidence(engine, container, signal)))).flat()
  }

  const ready = (name: string, run: StepRun, known?: string): Promise<void> =>
    waitForApi({
      name,
      run,
      known,
      kubeconfig: (signal) => kubeconfig(name, signal),
      evidence: (signal) => evidenceOf(name, signal),
    })

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
    await ready(name, run)
  }

  async function loadImages(name: string, images: readonly LoadableImage[], run: StepRun): Promise<void> {
    if (images.length === 0) return
    const found = await find(name, run.signal)
    if (found === undefined)
      throw new LocalCloudError('NO_CLUSTER', { message: `There is no kind cluster ${name}.` })
    if (found.owner === 'foreign') throw foreign(name)
    await loadIntoNodes(engine, found.nodes, images, run)
  }

  /** From labels alone: kind itself is not needed, nor is anything in the state directory. */
  async function remove(name: string, signal: AbortSignal): Promise<void> {
    const labelled = await engine.listContainers(`${clusterLabel}=${name}`, signal)
    const ours = labelled.filter((container) => isOurs(container, name))
    await Promise.all(ours.map((container) => engine.remove(container.id, signal)))
    // kind gives podman nodes a volume with the node's name as its label; docker removes volumes with their containers.
    if (engine.kind === 'podman') {
      const nodes = new Set([
        ...nodeNames(name, mostNodes).map((node) => node.name),
        ...ours.map((container) => container.name),
      ])
      const volumes = await Promise.all([...nodes].map((node) => engine.listVolumes(node, signal)))
      await Promise.all(volumes.flat().map((volume) => engine.removeVolume(volume, signal)))
    }
    await removeNetworksAndImages(engine, name, signal)
    for (const file of ['kind.yaml', 'kubeconfig', 'kubeconfig.lock', 'node-image']) {
      rmSync(path.join(folder(name), file), { recursive: true, force: true })
    }
    removeEmptyFolder(folder(name))
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
    const containers = await containersOf(name, signal)
    await writeContainerLogs(engine, containers, directory, signal)
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
    runInNode: (node, argv, options) => runInNode(engine, node, argv, options),
    start,
    delete: deleteCluster,
    exportLogs,
  }
}
