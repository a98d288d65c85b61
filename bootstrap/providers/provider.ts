import type { MakerName } from '../plan/options.ts'
import type { StepRun } from '../steps/step.ts'

export interface NodeInfo {
  name: string
  role: 'control-plane' | 'worker'
  running: boolean
}

export interface FoundCluster {
  name: string
  /** `foreign`: same name, but without our label; it is never touched. */
  owner: 'ours' | 'foreign'
  nodes: NodeInfo[]
  /** False when its creation was interrupted: `create` starts over. */
  complete?: boolean
}

export interface ClusterSpec {
  name: string
  /** 1 to 4; the first is the control plane. */
  nodes: number
  /** Whether the nodes bring a pod network, or wait for one; k3s only. */
  network?: 'basic'
  nodeImage: string
  /** Host ports that lead to the ingress controller's 80 and 443 on the first node. */
  httpPort: number
  httpsPort: number
  /** Address on the host that the ports are bound to. */
  listenAddress: string
  /** Extra kubeadm patches, YAML documents. */
  kubeadmPatches: string[]
  extraMounts: { hostPath: string; containerPath: string; readOnly: boolean }[]
}

/** Makes and removes clusters as containers. Methods throw `LocalCloudError` only. */
export interface ClusterProvider {
  readonly kind: MakerName
  find(name: string, signal: AbortSignal): Promise<FoundCluster | undefined>
  list(signal: AbortSignal): Promise<FoundCluster[]>
  /**
   * Returns when the API server answers /readyz; nodes may still wait for their CNI. A cluster that is there already and
   * answers is kept as it is, the remains of an interrupted creation are replaced; FOREIGN_CLUSTER when it is not ours.
   */
  create(spec: ClusterSpec, run: StepRun): Promise<void>
  /** Kubeconfig text that works from the host, with context `<provider>-<name>`. */
  kubeconfig(name: string, signal: AbortSignal): Promise<string>
  /** Loads image archives into every node; an image that a node already has is not sent again. */
  loadImages(name: string, images: readonly LoadableImage[], run: StepRun): Promise<void>
  /**
   * Runs argv in a running node and returns what it printed; `stdinFile` is streamed in. COMMAND_FAILED with its last lines when it does
   * not end with 0.
   */
  runInNode(
    node: string,
    argv: readonly string[],
    options: { signal: AbortSignal; stdinFile?: string },
  ): Promise<string>
  /**
   * Starts stopped node containers and returns when the API server answers. NO_CLUSTER when there is none, API_UNREACHABLE with
   * the nodes' last log lines when it does not come back: then only a new cluster helps.
   */
  start(name: string, run: StepRun): Promise<void>
  /** Removes the cluster's containers, volumes, network and images made for it; nothing there is success. */
  delete(name: string, run: StepRun): Promise<void>
  /** Writes node logs below `directory`. */
  exportLogs(name: string, directory: string, signal: AbortSignal): Promise<void>
}

export interface LoadableImage {
  ref: string
  /** Path of a docker or OCI archive that holds it. */
  archive: string
  /** Config digest, `sha256:…`: what containerd calls the image id. */
  id: string
}
