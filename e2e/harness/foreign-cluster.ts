import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { networkAddon } from '../../bootstrap/addons/choose-addons.ts'
import { openEngine } from '../../bootstrap/engine/detect-engine.ts'
import type { Engine } from '../../bootstrap/engine/engine.ts'
import { adaptations } from '../../bootstrap/host/adaptations.ts'
import { freePort } from '../../bootstrap/host/free-port.ts'
import { detectHostLimits } from '../../bootstrap/host/host-limits.ts'
import type { ConnectedKube, KubeObject } from '../../bootstrap/kube/client.ts'
import { connect } from '../../bootstrap/kube/connect.ts'
import { nodeReady } from '../../bootstrap/kube/conditions/node-ready.ts'
import type { Paths } from '../../bootstrap/plan/options.ts'
import { runCommand } from '../../bootstrap/process/run-command.ts'
import { loadIntoNodes } from '../../bootstrap/providers/in-node.ts'
import { kindConfig } from '../../bootstrap/providers/kind/kind-config.ts'
import { kindClusterLabel, nodeInfo } from '../../bootstrap/providers/kind/kind-nodes.ts'
import { ensureLibModules, removeLibModules } from '../../bootstrap/providers/kind/lib-modules.ts'
import type { LoadableImage } from '../../bootstrap/providers/provider.ts'
import { waitForApi } from '../../bootstrap/providers/wait-for-api.ts'
import { refOf } from '../../bootstrap/steps/objects.ts'
import { realTools } from '../../bootstrap/steps/real-tools.ts'
import { waitForWorkloads } from '../../bootstrap/steps/wait-for-workloads.ts'
import { kindPath } from '../../bootstrap/tools/kind.ts'
import { builtImages } from './built-images.ts'

/** A cluster that stock kind made, and that nothing but a kubeconfig tells of; on disposal it is gone. */
export interface ForeignCluster extends AsyncDisposable {
  name: string
  /** Context of its kubeconfig. */
  context: string
  /** The user's kubeconfig, as it were. */
  kubeconfigFile: string
  kube: ConnectedKube
  /** Where its ingress answers on this machine. */
  ingressUrl: string
  /** Images that nobody has put into its nodes yet. */
  images: readonly LoadableImage[]
  /** Puts images into its nodes, as its owner would. */
  load(images: readonly LoadableImage[], signal: AbortSignal): Promise<void>
  /** Takes one of its add-ons away, as its owner would, and returns when every object of it is gone. */
  remove(addon: string, signal: AbortSignal): Promise<void>
}

const readyMs = 300_000

/**
 * Makes a cluster by `kind create cluster` with an image that the engine has, and puts a network, names, storage, metrics and an ingress on it
 * by the add-ons' manifests without any label of ours, as an owner with taste would.
 */
export async function startForeignCluster(
  name: string,
  { nodes, paths, signal }: { nodes: number; paths: Paths; signal: AbortSignal },
): Promise<ForeignCluster> {
  const stack = new AsyncDisposableStack()
  try {
    const folder = mkdtempSync(path.join(tmpdir(), `local-cloud-${name}-`))
    stack.defer(() => {
      rmSync(folder, { recursive: true, force: true })
    })
    const emit = (): void => undefined
    const progress = emit
    const engine = await openEngine({
      choice: 'auto',
      paths,
      install: false,
      needsNames: nodes > 1,
      emit,
      signal,
    })
    const { nodeImage, loadable } = await builtImages(engine, paths, signal)
    const kind = await kindPath({ paths, emit, signal })
    ensureLibModules(folder, emit)
    stack.defer(() => {
      removeLibModules(folder)
    })
    const network = `foreign-${name}`
    await engine.ensureNetwork(network, {}, signal)
    stack.defer(() => engine.removeNetwork(network, AbortSignal.timeout(30_000)))
    const kubeconfigFile = path.join(folder, 'kubeconfig')
    const env = {
      ...engine.env,
      [`KIND_EXPERIMENTAL_${engine.kind.toUpperCase()}_NETWORK`]: network,
      KUBECONFIG: kubeconfigFile,
    }
    const [httpPort, httpsPort] = await Promise.all([freePort(), freePort()])
    const spec = {
      name,
      nodes,
      nodeImage,
      httpPort,
      httpsPort,
      listenAddress: '127.0.0.1',
      kubeadmPatches: [],
      extraMounts: [],
    }
    const config = path.join(folder, 'kind.yaml')
    const needs = { adaptations: adaptations(detectHostLimits()), imageAdaptsContainerd: true }
    writeFileSync(config, kindConfig(spec, { image: nodeImage, ...needs }))
    stack.defer(() => deleteCluster(engine, kind, name, env))
    await runCommand(kind, ['create', 'cluster', '--name', name, '--config', config, '--wait', '0s'], {
      signal,
      env,
    })
    const context = `kind-${name}`
    await waitForApi({
      name,
      run: { signal, progress },
      known: undefined,
      kubeconfig: async (stop) =>
        (await runCommand(kind, ['get', 'kubeconfig', '--name', name], { signal: stop, env })).stdout,
      evidence: () => Promise.resolve([]),
    })
    const kube = await connect({ kubeconfigFile, context, signal })
    stack.defer(() => {
      kube.close()
    })
    const load = async (images: readonly LoadableImage[], stop: AbortSignal): Promise<void> => {
      const containers = await engine.listContainers(`${kindClusterLabel}=${name}`, stop)
      await loadIntoNodes(engine, containers.map(nodeInfo), images, { signal: stop, progress })
    }
    const addons = await realTools({ paths, name, nodes, engine: 'auto', install: false, emit }).addons(
      signal,
    )
    const theirs = new Set(addons.flatMap((addon) => addon.images))
    await load(
      loadable.filter(({ ref }) => theirs.has(ref)),
      signal,
    )
    const put = (objects: readonly KubeObject[]): Promise<unknown> => kube.apply(objects, { signal })
    await put(addons.filter((one) => one.name === networkAddon).flatMap((one) => one.objects))
    for (const { metadata } of await kube.list({ apiVersion: 'v1', kind: 'Node' }, signal))
      await kube.waitFor({ apiVersion: 'v1', kind: 'Node', name: metadata.name }, nodeReady, {
        timeoutMs: readyMs,
        signal,
      })
    const all = addons.flatMap((one) => one.objects)
    await put(addons.filter((one) => one.name !== networkAddon).flatMap((one) => one.objects))
    await waitForWorkloads(kube, all.map(refOf), readyMs, { signal, progress })
    const disposal = stack.move()
    return {
      name,
      context,
      kubeconfigFile,
      kube,
      ingressUrl: `http://127.0.0.1:${String(httpPort)}`,
      images: loadable.filter(({ ref }) => !theirs.has(ref)),
      load,
      async remove(name, stop) {
        const objects = addons.filter((one) => one.name === name).flatMap((one) => one.objects)
        await Promise.all(objects.map((object) => kube.delete(refOf(object), { signal: stop, wait: true })))
      },
      [Symbol.asyncDispose]: () => disposal.disposeAsync(),
    }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}

async function deleteCluster(
  engine: Engine,
  kind: string,
  name: string,
  env: Record<string, string>,
): Promise<void> {
  const signal = AbortSignal.timeout(120_000)
  await runCommand(kind, ['delete', 'cluster', '--name', name], { signal, env })
  const left = await engine.listContainers(`${kindClusterLabel}=${name}`, signal)
  if (left.length > 0) throw new Error(`kind left ${left.map((one) => one.name).join(', ')}`)
}
