import { expect, it } from 'vitest'
import { ephemeralName, ephemeralValues, type EphemeralOptions } from './ephemeral-values.ts'

const ports = [1001, 1002] as const

it.each<[string, EphemeralOptions, Record<string, unknown>]>([
  ['nothing', {}, { system: 'none', addons: [], cni: 'basic', nodes: 1 }],
  ['a system', { system: 'slate' }, { system: 'slate', addons: 'all', cni: 'cilium' }],
  ['a system without policies', { system: 'slate', cni: 'basic' }, { addons: 'all', cni: 'basic' }],
  ['add-ons', { addons: ['coredns'] }, { system: 'none', addons: ['coredns'], cni: 'cilium' }],
  ['policies alone', { cni: 'cilium' }, { addons: ['cilium'], cni: 'cilium' }],
  ['several nodes', { nodes: 3 }, { nodes: 3, addons: ['cilium'], cni: 'cilium' }],
  ['an overlay', { system: 'slate', overlay: 'dev' }, { environment: 'dev' }],
  [
    'no add-ons for a system, which up refuses',
    { system: 'slate', addons: [] },
    { system: 'slate', addons: [] },
  ],
])('%s', (_, options, wanted) => {
  expect(ephemeralValues(options, 'mine', ports)).toMatchObject({
    name: 'mine',
    provider: 'k3s',
    httpPort: 1001,
    httpsPort: 1002,
    ...wanted,
  })
})

it('each has a name of its own that a cluster can have', () => {
  const [one, other] = [ephemeralName(), ephemeralName()]
  expect(one).toMatch(/^ephemeral-[0-9a-f]{10}$/)
  expect(one).not.toBe(other)
})
