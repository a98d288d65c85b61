import { stringify } from 'yaml'
import type { GpuPlan } from '../plan/gpu-plan.ts'

/**
 * The configuration file of NVIDIA's device plugin (its README, "Configuration Option Details" and "Shared Access to GPUs"): with more
 * than one replica each GPU is advertised that often, and a container that asks for more than one is refused, for it would get no more.
 */
export function pluginConfig({ replicas }: Pick<GpuPlan, 'replicas'>): string {
  const sharing = {
    timeSlicing: {
      failRequestsGreaterThanOne: true,
      resources: [{ name: 'nvidia.com/gpu', replicas }],
    },
  }
  return stringify({ version: 'v1', ...(replicas > 1 ? { sharing } : {}) })
}
