import type { AddonVariables } from '../addons/addon-variables.ts'
import type { GpuPlan } from '../plan/gpu-plan.ts'
import { driverRoot } from './node-files.ts'
import { pluginConfig } from './plugin-config.ts'

/** What the manifests of the device plugin name of the cluster's GPUs. */
export const gpuVariables = (
  gpu: GpuPlan,
): Required<Pick<AddonVariables, 'GPU_DRIVER_ROOT' | 'GPU_STRATEGY' | 'GPU_CONFIG' | 'GPU_PLAN'>> => ({
  GPU_DRIVER_ROOT: driverRoot(gpu),
  GPU_STRATEGY: gpu.strategy,
  GPU_CONFIG: pluginConfig(gpu),
  GPU_PLAN: `${String(gpu.count)} ${gpu.tier}`,
})
