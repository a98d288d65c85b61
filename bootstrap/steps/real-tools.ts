import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { detectHostLimits } from '../host/host-limits.ts'
import { managedLabel, type Engine } from '../engine/engine.ts'
import type { UpOptions } from '../plan/options.ts'
import { nodeNames } from '../plan/plan.ts'
import type { Emit } from '../report/events.ts'
import type { Tools } from './tools.ts'

export interface RealToolsOptions
  extends
    Pick<UpOptions, 'paths' | 'engine' | 'install'>,
    Partial<Pick<UpOptions, 'name' | 'nodes' | 'provider'>> {
  emit: Emit
  /** Where nodes have the cgroup v2 hierarchy that is theirs; default: where systemd mounts it on a host like this one. */
  cgroupV2Root?: string
}

/** Where kubeadm has the API server listen in a node. */
const apiServerPort = '6443'
/** kind's default pod network. */
const podCidr = '10.244.0.0/16'
/** Where a node has the cgroup v2 hierarchy when the host has v2 only. */
const cgroupRoot = '/sys/fs/cgroup'

/** How long one registry is asked, milliseconds; as long as for images that are made ready here. */
const registryMs = 6_000

/** The tools that work on this machine. Every module is loaded when it is first needed, so that a look at nothing costs nothing. */
export function realTools(options: RealToolsOptions): Tools {
  const { paths, engine: choice, nodes = 1, name = 'local-cloud', provider = 'kind' } = options
  // Where the cluster is there already nothing makes one; what lists clusters does not care.
  const wanted = provider === 'existing' ? 'kind' : provider
  const emit = eachNoticeOnce(options.emit)
  let opened: Engine | undefined
  const open = async (install: boolean, signal: AbortSignal): Promise<Engine> => {
    const { openEngine } = await import('../engine/detect-engine.ts')
    opened ??= await openEngine({ choice, paths, install, needsNames: nodes > 1, emit, signal })
    return opened
  }
  let unpacking: Promise<string> | undefined
  /** Kustomizations are rendered side by side; the program that does it is unpacked before the first one, once. */
  const renderer = async (signal: AbortSignal): Promise<void> => {
    const { kubectlPath } = await import('../tools/kubectl.ts')
    await (unpacking ??= kubectlPath({ paths, signal }))
  }
  return {
    async findEngine(signal) {
      try {
        return await open(false, signal)
      } catch (error) {
        if (!(error instanceof LocalCloudError)) throw error
        // Opening it may help against a dead one too: another is installed, where that is allowed.
        if (error.code === 'NO_ENGINE' || (error.code === 'ENGINE_DEAD' && options.install)) return undefined
        throw error
      }
    },
    openEngine: (signal) => open(options.install, signal),
    async provider(engine) {
      const { createKindProvider } = await import('../providers/kind/kind-provider.ts')
      const { createK3sProvider } = await import('../providers/k3s/k3s-provider.ts')
      const { everyProvider } = await import('../providers/every-provider.ts')
      return everyProvider(
        [createKindProvider({ engine, paths, emit }), createK3sProvider({ engine, paths })],
        wanted,
      )
    },
    async prepareProvider(signal) {
      if (wanted !== 'kind') return
      const { kindPath } = await import('../tools/kind.ts')
      await kindPath({ paths, emit, signal })
    },
    async imageSource(images, engine, signal) {
      const { chooseImageSource } = await import('../images/choose-source.ts')
      return chooseImageSource({
        options: { images, paths, install: options.install, provider: wanted },
        engine,
        emit,
        signal,
      })
    },
    async kube(kubeconfigFile) {
      const { connect } = await import('../kube/connect.ts')
      return connect({ kubeconfigFile, signal: new AbortController().signal })
    },
    async existing(kubeconfig) {
      const { connect } = await import('../kube/connect.ts')
      return connect({ kubeconfig, signal: new AbortController().signal })
    },
    async askRegistries(refs, signal) {
      const { askRegistry } = await import('../images/ask-registry.ts')
      const ask = async (ref: string) =>
        [ref, await askRegistry(ref, { timeoutMs: registryMs, signal })] as const
      return new Map(await Promise.all(refs.map(ask)))
    },
    async addons(signal, { gpu, runtimeClasses = [], hostPolicies = false, choose } = {}) {
      const { loadAddons } = await import('../addons/load-addon.ts')
      const { gpuVariables } = await import('../gpu/gpu-variables.ts')
      const { renderKustomization } = await import('../manifests/render.ts')
      const { cgroup } = detectHostLimits()
      const variables = {
        API_SERVER_HOST: nodeNames(name, 1)[0]?.name ?? '',
        API_SERVER_PORT: apiServerPort,
        CGROUP_V2_ROOT: options.cgroupV2Root ?? (cgroup === 'hybrid' ? `${cgroupRoot}/unified` : cgroupRoot),
        POD_CIDR: podCidr,
        NODE_COUNT: nodes,
        SOCKET_LB_HOST_ONLY: flag(runtimeClasses.length > 0),
        HOST_FIREWALL: flag(hostPolicies),
        ...(gpu === undefined ? {} : gpuVariables(gpu)),
      }
      return loadAddons(paths, variables, signal, {
        async render(directory, how) {
          await renderer(how.signal)
          return renderKustomization(directory, how)
        },
        has: [...(gpu === undefined ? [] : (['gpu'] as const)), ...runtimeClasses],
        ...(choose === undefined ? {} : { choose }),
      })
    },
    async probe(addon, { kube, ...context }) {
      const { runProbe } = await import('../addons/run-probe.ts')
      return runProbe(addon, kube, context)
    },
    async system(choice, signal) {
      const { validateSystem } = await import('../manifests/validate.ts')
      await renderer(signal)
      return validateSystem(choice, { paths, signal })
    },
    async gpuCards(signal) {
      const { findCards } = await import('../gpu/find-cards.ts')
      return findCards(signal)
    },
    async requireGpuHost(engine, cluster, signal) {
      const { judgeGpuHost, readGpuHost } = await import('../gpu/preflight.ts')
      const { requireUnusedCards } = await import('../gpu/cards-in-use.ts')
      const [facts, nodes] = await Promise.all([
        readGpuHost(engine.kind, signal),
        engine.listContainers(managedLabel, signal),
      ])
      const broken = judgeGpuHost(facts)
      if (broken) throw broken
      requireUnusedCards(nodes, cluster)
    },
    async demandsOf(system) {
      const { readSystemFile } = await import('../manifests/system-file.ts')
      return readSystemFile(paths.repo, system)
    },
    async requireRuntimeClassHost(runtimeClass, engine) {
      const { judgeGvisorHost, readGvisorHost } = await import('../gvisor/host.ts')
      const judges: Record<typeof runtimeClass, () => LocalCloudError | undefined> = {
        gvisor: () => judgeGvisorHost(readGvisorHost(engine)),
      }
      const broken = judges[runtimeClass]()
      if (broken) throw broken
    },
    machine() {
      const { cpus, memory } = detectHostLimits()
      return { cores: cpus, memory }
    },
    async variants({ system, choices }) {
      const { readSystemFile, variantsOf } = await import('../manifests/system-file.ts')
      return variantsOf(await readSystemFile(paths.repo, system), system, choices)
    },
  }
}

const flag = (on: boolean): 'true' | 'false' => (on ? 'true' : 'false')

function eachNoticeOnce(emit: Emit): Emit {
  const told = new Set<string>()
  return (event) => {
    if (event.type === 'notice') {
      if (told.has(event.message)) return
      told.add(event.message)
    }
    emit(event)
  }
}
