import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { Session } from './session.ts'
import type { Step } from './step.ts'

/**
 * Finds out before anything is made whether nodes can have GPUs: their image must bring NVIDIA's container toolkit, which kind's own does not.
 * @throws LocalCloudError GPU_NODE_RUNTIME, from `observe`
 */
export function gpuSupplyStep(session: Session, needs: readonly string[]): Step {
  return {
    id: 'gpu-supply',
    title: 'A node image for GPUs',
    needs,
    timeoutMs: 60_000,
    async observe() {
      const { engine } = await session.look()
      if (!engine) return { state: 'absent', reason: 'no container engine yet' }
      const { kind, why } = await session.imageSource()
      if (kind !== 'registry') return { state: 'done', reason: `to be had from ${kind}` }
      throw new LocalCloudError('GPU_NODE_RUNTIME', {
        message: `Images come from a registry (${why}), and kind’s node image has no NVIDIA container toolkit; nothing was changed.`,
        hint: 'Add --images packages, whose node image has it.',
      })
    },
    apply: () => Promise.resolve(),
    verify: () => Promise.resolve('to be had'),
  }
}
