import type { Addon, ProbeResult } from '../addons/addon.ts'
import type { LoadAddons } from '../addons/load-addon.ts'
import type { Engine } from '../engine/engine.ts'
import type { FoundCards } from '../gpu/find-cards.ts'
import type { GpuPlan } from '../plan/gpu-plan.ts'
import type { RegistryAnswer } from '../images/ask-registry.ts'
import type { ImageSource } from '../images/image-source.ts'
import type { KubeClient, KubeObject, ListingKube } from '../kube/client.ts'
import type { SystemChoice } from '../manifests/system-choice.ts'
import type { SystemDemands, Variant } from '../manifests/system-file.ts'
import type { ImagesChoice } from '../plan/options.ts'
import type { RuntimeClassName } from '../plan/runtime-classes.mjs'
import type { ClusterProvider } from '../providers/provider.ts'

/**
 * Everything the steps use of the outside world, each opened only when it is needed. `real-tools.ts` gives the real
 * ones; tests give fakes. All methods throw `LocalCloudError` only.
 */
export interface Tools {
  /** The engine on this machine, nothing installed or started; undefined when there is none. ENGINE_DEAD when it does not answer. */
  findEngine(signal: AbortSignal): Promise<Engine | undefined>
  /** The same, but where it is allowed and possible an engine is installed first. NO_ENGINE otherwise. */
  openEngine(signal: AbortSignal, progress: (message: string) => void): Promise<Engine>
  provider(engine: Engine): Promise<ClusterProvider>
  /** Has the programs that making a cluster needs, so that it need not wait for them; quick when they are there. */
  prepareProvider(signal: AbortSignal): Promise<void>
  imageSource(choice: ImagesChoice, engine: Engine, signal: AbortSignal): Promise<ImageSource>
  /** A client for the cluster that this kubeconfig file names; nothing is sent yet. */
  kube(kubeconfig: string): Promise<KubeClient>
  /** The same for an existing cluster, by the text of a kubeconfig. */
  existing(kubeconfig: string): Promise<ListingKube>
  /** Whether the registries of these images answer for them to this machine. */
  askRegistries(refs: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, RegistryAnswer>>
  /** Every add-on under manifests/addons, rendered and checked; those for GPUs and RuntimeClasses only when there are to be some. */
  addons(
    signal: AbortSignal,
    has?: {
      gpu?: GpuPlan
      runtimeClasses?: readonly RuntimeClassName[]
      hostPolicies?: boolean
      /** Which of them are to be rendered; default all. */
      choose?: LoadAddons['choose']
    },
  ): Promise<Addon[]>
  /** NVIDIA's cards of this machine, or why there are none. */
  gpuCards(signal: AbortSignal): Promise<FoundCards>
  /** Passes when a node of the cluster can be given this machine's cards; else the error of the first broken link, or GPU_IN_USE. */
  requireGpuHost(engine: Engine, cluster: string, signal: AbortSignal): Promise<void>
  probe(
    addon: Addon,
    context: {
      kube: KubeClient
      ingressUrl: string
      shellImage: string
      /** Of every namespace that the probe makes. */
      labels?: Readonly<Record<string, string>>
      /** Whether what is probed is somebody else's. */
      theirs?: boolean
      signal: AbortSignal
    },
  ): Promise<ProbeResult>
  /**
   * The objects of overlays/SYSTEM/ENVIRONMENT with the chosen options, rendered and validated without a cluster: RENDER_FAILED,
   * MANIFEST_INVALID, BAD_SYSTEM_FILE, BAD_VALUE.
   */
  system(choice: SystemChoice, signal: AbortSignal): Promise<KubeObject[]>
  /** Cores and bytes of memory of this machine. */
  machine(): { cores: number; memory: number }
  /** What the system says that it wants of a cluster: BAD_SYSTEM_FILE. */
  demandsOf(system: string): Promise<SystemDemands>
  /** Passes when nothing is known that keeps this machine's nodes from running pods of the RuntimeClass; else GVISOR_HOST. */
  requireRuntimeClassHost(name: RuntimeClassName, engine: Engine['kind'] | undefined): Promise<void>
  /** What the chosen options change in the system. */
  variants(choice: SystemChoice): Promise<Variant[]>
}
