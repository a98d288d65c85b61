import { describe, expect, it } from 'vitest'
import { quantity } from '../../bootstrap/manifests/quantity.ts'
import { containersFor, least } from './quota-fill.ts'

const limits = { min: { cpu: '50m', memory: '64Mi' }, max: { cpu: '8', memory: '32Gi' } }

describe('containersFor', () => {
  it.each([
    ['requests.cpu', '16', 2, '8000m'],
    ['limits.cpu', '32', 4, '8000m'],
    ['requests.memory', '48Gi', 2, String(24 * 2 ** 30)],
    ['limits.memory', '96Gi', 3, String(32 * 2 ** 30)],
  ] as const)('%s %s is %i containers of %s', (key, amount, count, share) => {
    const containers = containersFor(key, amount, limits)
    expect(containers).toHaveLength(count)
    const [side, resource] = key.split('.') as ['requests' | 'limits', 'cpu' | 'memory']
    for (const container of containers) expect(container[side]?.[resource]).toBe(share)
    const sum = containers.reduce((total, one) => total + quantity(one[side]?.[resource]), 0)
    expect(sum).toBe(quantity(amount))
  })

  it('asks for the least of everything else', () => {
    const [container] = containersFor('limits.memory', '32Gi', limits)
    expect(container).toEqual({
      requests: { cpu: '50m', memory: '64Mi' },
      limits: { cpu: '50m', memory: String(32 * 2 ** 30) },
    })
  })

  it('asks for a device in its limits, which are its requests', () => {
    expect(containersFor('requests.nvidia.com/gpu', '2', limits)).toEqual([
      { requests: limits.min, limits: { ...limits.min, 'nvidia.com/gpu': '2' } },
    ])
  })

  it('refuses an amount that is none', () => {
    expect(() => containersFor('requests.cpu', 'much', limits)).toThrow(RangeError)
  })
})

it('least is the minimum of the limit range', () => {
  expect(least(limits)).toEqual({ requests: limits.min, limits: limits.min })
})
