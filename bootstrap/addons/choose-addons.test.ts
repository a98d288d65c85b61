import { expect, it } from 'vitest'
import type { Addon } from './addon.ts'
import { chooseAddons } from './choose-addons.ts'

const addon = (name: string, needs: string[] = []): Addon => ({
  name,
  version: '1',
  title: name,
  promise: '',
  needs,
  images: [],
  timeoutMs: 1,
  objects: [],
  probe: () => Promise.resolve({ result: 'pass', seen: '' }),
})
const known = [addon('cilium'), addon('coredns', ['cilium']), addon('storage', ['coredns']), addon('gpu')]

it.each([
  ['all', 'cilium', ['cilium', 'coredns', 'storage', 'gpu']],
  ['all', 'basic', ['coredns', 'storage', 'gpu']],
  [[], 'cilium', []],
  [['storage'], 'cilium', ['cilium', 'coredns', 'storage']],
  [['storage'], 'basic', ['coredns', 'storage']],
  [['gpu'], 'cilium', ['cilium', 'gpu']],
] as const)('%j with the network %s is %j', (addons, cni, wanted) => {
  const chosen = chooseAddons(known, { addons: addons === 'all' ? addons : [...addons], cni })
  expect(chosen.map(({ name }) => name)).toEqual(wanted)
})

it.each([
  ['all', ['cilium', 'coredns', 'storage', 'gpu', 'sandbox']],
  [[], ['cilium', 'sandbox']],
  [['storage'], ['cilium', 'coredns', 'storage', 'sandbox']],
] as const)('%j with a runtime class has its add-on as well', (addons, wanted) => {
  const sandbox: Addon = { ...addon('sandbox'), when: 'gvisor' }
  const chosen = chooseAddons([...known, sandbox], {
    addons: addons === 'all' ? addons : [...addons],
    cni: 'cilium',
    runtimeClasses: ['gvisor'],
  })
  expect(chosen.map(({ name }) => name)).toEqual(wanted)
})

it.each([
  [['nothing'], 'cilium'],
  [['cilium'], 'basic'],
] as const)('refuses %j with the network %s, and says what there is', (addons, cni) => {
  expect(() => chooseAddons(known, { addons: [...addons], cni })).toThrow(/there are .*coredns, storage, gpu/)
})
