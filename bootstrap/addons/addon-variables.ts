/**
 * What an add-on's manifests may name as `$(NAME)`. A value that is a number here stays one where it is the whole field
 * (`replicas: $(NODE_COUNT)`).
 */
export interface AddonVariables {
  /** Name or address under which every node reaches the API server without kube-proxy. */
  API_SERVER_HOST: string
  API_SERVER_PORT: string
  /** Mount point of the cgroup v2 hierarchy in a node: `/sys/fs/cgroup`, on hybrid hosts `/sys/fs/cgroup/unified`. */
  CGROUP_V2_ROOT: string
  POD_CIDR: string
  NODE_COUNT: number
  /**
   * `true` where pods may have a network stack of their own, as in gVisor: Cilium then finds Services in their packets, not at their sockets
   * (docs.cilium.io, "Socket LoadBalancer Bypass in Pod Namespace").
   */
  SOCKET_LB_HOST_ONLY: 'true' | 'false'
  /** `true` where a system has policies for nodes (docs.cilium.io, "Host Firewall"). */
  HOST_FIREWALL: 'true' | 'false'
  /** Where the device plugin and its containers find NVIDIA's driver in a node; this and the next only with GPUs. */
  GPU_DRIVER_ROOT?: string
  /** DEVICE_LIST_STRATEGY of NVIDIA's plugin. */
  GPU_STRATEGY?: string
  /** The plugin's configuration file. */
  GPU_CONFIG?: string
  /** How many GPUs of which tier: the plugin looks for them once, at its start. */
  GPU_PLAN?: string
}
