import { mockDeviceNodes, mockDriverRoot } from '../../fixtures/gpu/node-files.ts'
import { mockGpuState, mockGpuStateDirectory, type MockGpu } from '../../fixtures/gpu/mock-gpu-state.ts'
import type { GpuPlan } from '../plan/gpu-plan.ts'

/** What a mock GPU says it is: a card that SLATE's models would fit on. */
export const mockProduct = 'NVIDIA A100-SXM4-40GB'

/** Where a node has NVIDIA's driver: its own place on a real card, a folder of its own for the mock. */
export const driverRoot = ({ tier }: Pick<GpuPlan, 'tier'>): string =>
  tier === 'real' ? '/' : mockDriverRoot

/**
 * Text files of a node with these GPUs, by path; `null` is a file that must not be there. The node's service `local-cloud-gpu` works from
 * them, and the mock driver reads its hardware out of those below /var/lib. Pure.
 */
export function gpuNodeFiles(plan: GpuPlan, node: string): Record<string, string | null> {
  const settings = `TIER=${plan.tier}\nDRIVER_ROOT=${driverRoot(plan)}\n`
  if (plan.tier === 'real') return { '/etc/local-cloud/gpu': settings }
  const gpus: MockGpu[] = Array.from({ length: plan.count }, () => ({ product: mockProduct }))
  const state = Object.entries(mockGpuState({ seed: node, gpus }))
  return {
    ...Object.fromEntries(state.map(([file, text]) => [`${mockGpuStateDirectory}/${file}`, text])),
    '/etc/local-cloud/gpu-devices': mockDeviceNodes(gpus)
      .map(({ path, major, minor }) => `${path} ${String(major)} ${String(minor)}\n`)
      .join(''),
    '/etc/local-cloud/gpu': settings,
  }
}
