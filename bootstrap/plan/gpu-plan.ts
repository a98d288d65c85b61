/** How much a result about GPUs is worth: `real` is a card with NVIDIA's driver, `mock` NVIDIA's device plugin on a mock driver of ours. */
export type GpuTier = 'real' | 'mock'

/** How the device plugin tells the runtime which devices a container gets (DEVICE_LIST_STRATEGY of NVIDIA's plugin). */
export const gpuStrategies = ['cdi-cri', 'envvar'] as const
export type GpuStrategy = (typeof gpuStrategies)[number]

/** What `--gpu` asks for. `auto` takes the card where there is one, else the mock. */
export interface GpuChoice {
  tier: 'auto' | GpuTier
  /** GPUs of the mock; the card has as many as it has. */
  count: number
  strategy: GpuStrategy
  replicas: number
}

/** GPUs of a cluster, decided. They are on its last node, so that a cluster of several nodes has some without. */
export interface GpuPlan {
  tier: GpuTier
  count: number
  strategy: GpuStrategy
  /** As how many GPUs each one is advertised (time-slicing); 1 is the GPU itself. */
  replicas: number
}

/** Labels of a node with GPUs; the ones of nvidia.com are those that the specifications' nodeSelectors name. */
export const gpuLabels = {
  present: 'nvidia.com/gpu.present',
  product: 'nvidia.com/gpu.product',
  tier: 'io.local-cloud.gpu-tier',
  /** How many the plugin must advertise. */
  advertised: 'io.local-cloud.gpu-advertised',
} as const

/** What a reader of a result must be told of its tier; empty for the real one. */
export const tierWarning = (tier: GpuTier): string =>
  tier === 'real'
    ? ''
    : 'GPUs are of tier mock: NVIDIA’s own device plugin on a mock driver. Scheduling, allocation and isolation are real; nothing computes on a GPU, and nothing here proves CUDA.'

/** What a pod asks for to get one. */
export const gpuResource = 'nvidia.com/gpu'
