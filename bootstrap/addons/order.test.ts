import { describe, expect, it } from 'vitest'
import type { Addon } from './addon.ts'
import { orderAddons } from './order.ts'

const addon = (name: string, needs: string[] = []): Addon => ({
  name,
  needs,
  version: '1',
  title: name,
  promise: '',
  images: [],
  timeoutMs: 1_000,
  objects: [],
  probe: async () => ({ result: 'pass', seen: '' }),
})

describe('orderAddons', () => {
  it('puts each after what it needs, otherwise by name', () => {
    const ordered = orderAddons([addon('a', ['net']), addon('z'), addon('net', ['z']), addon('b', ['a'])])
    expect(ordered.map(({ name }) => name)).toEqual(['z', 'net', 'a', 'b'])
  })

  it('refuses a need that is no add-on, and a circle', () => {
    expect(() => orderAddons([addon('a', ['nothing'])])).toThrow(/there is no add-on nothing/)
    expect(() => orderAddons([addon('a', ['b']), addon('b', ['a'])])).toThrow(/circle: a, b/)
  })
})
