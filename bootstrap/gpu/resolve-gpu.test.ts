import { describe, expect, it } from 'vitest'
import type { Card } from './find-cards.ts'
import { tierWarning, type GpuChoice } from '../plan/gpu-plan.ts'
import { resolveGpu } from './resolve-gpu.ts'

const choice = (tier: GpuChoice['tier']): GpuChoice => ({ tier, count: 5, strategy: 'envvar', replicas: 3 })
const card = (index: number): Card => ({
  index,
  uuid: `GPU-${String(index)}`,
  name: 'NVIDIA H200',
  memoryMib: 143_771,
  driver: '570.172.08',
})
const cards = { cards: [card(0), card(1)] as [Card, Card] }
const none = { reason: 'nvidia-smi finds no devices' }
const mockPlan = { tier: 'mock', count: 5, strategy: 'envvar', replicas: 3 }
const realPlan = { ...mockPlan, tier: 'real', count: 2 }

describe('resolveGpu', () => {
  it.each(['auto', 'real'] as const)('%s takes all cards there are, without a notice', (tier) => {
    expect(resolveGpu(choice(tier), cards)).toEqual({ plan: realPlan })
  })

  it('auto without a card takes the mock, and says why and what it is worth', () => {
    expect(resolveGpu(choice('auto'), none)).toEqual({
      plan: mockPlan,
      notice: `No NVIDIA card can be used: nvidia-smi finds no devices. ${tierWarning('mock')}`,
    })
  })

  it('real without a card is refused with the reason', () => {
    expect(() => resolveGpu(choice('real'), none)).toThrow(
      expect.objectContaining({
        code: 'GPU_NO_CARD',
        message: 'No NVIDIA card can be used: nvidia-smi finds no devices.',
      }) as Error,
    )
  })

  it.each([cards, none])('mock is the mock whatever there is, and says what it is worth', (found) => {
    expect(resolveGpu(choice('mock'), found)).toEqual({ plan: mockPlan, notice: tierWarning('mock') })
  })
})
