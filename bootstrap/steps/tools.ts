import type { Addon, ProbeResult } from '../addons/addon.ts'
import type { Engine } from '../engine/engine.ts'
import type { ImageSource } from '../images/image-source.ts'
import type { KubeClient, KubeObject } from '../kube/client.ts'
import type { SystemChoice } from '../manifests/system-choice.ts'
import type { Variant } from '../manifests/system-file.ts'
import type { ImagesChoice } from '../plan/options.ts'
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
  /** Every add-on under manifests/addons, rendered and checked. */
  addons(signal: AbortSignal): Promise<Addon[]>
  probe(
    addon: Addon,
    context: { kube: KubeClient; ingressUrl: string; shellImage: string; signal: AbortSignal },
  ): Promise<ProbeResult>
  /**
   * The objects of overlays/SYSTEM/ENVIRONMENT with the chosen options, rendered and validated without a cluster: RENDER_FAILED,
   * MANIFEST_INVALID, BAD_SYSTEM_FILE, BAD_VALUE.
   */
  system(choice: SystemChoice, signal: AbortSignal): Promise<KubeObject[]>
  /** Cores and bytes of memory of this machine. */
  machine(): { cores: number; memory: number }
  /** What the chosen options change in the system. */
  variants(choice: SystemChoice): Promise<Variant[]>
}
