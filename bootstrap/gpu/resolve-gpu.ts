import { noCard, type FoundCards } from './find-cards.ts'
import { tierWarning, type GpuChoice, type GpuPlan } from '../plan/gpu-plan.ts'

/**
 * What `--gpu` comes to on this machine. `auto` takes the cards where there are any, else the mock; the mock always comes with a
 * notice that must be shown. Does not judge whether the cards can reach a cluster (preflight.ts). Pure.
 * @throws LocalCloudError GPU_NO_CARD with the reason when a real card is asked for and there is none.
 */
export function resolveGpu(choice: GpuChoice, found: FoundCards): { plan: GpuPlan; notice?: string } {
  const { tier, count, strategy, replicas } = choice
  if (tier !== 'mock' && 'cards' in found)
    return { plan: { tier: 'real', count: found.cards.length, strategy, replicas } }
  if (tier === 'real' && 'reason' in found) throw noCard(found.reason)
  const why = tier === 'auto' && 'reason' in found ? `No NVIDIA card can be used: ${found.reason}. ` : ''
  return {
    plan: { tier: 'mock', count, strategy, replicas },
    notice: `${why}${tierWarning('mock')}`,
  }
}
