import { expect, it } from 'vitest'
import { gpuLabels } from '../plan/gpu-plan.ts'
import { offersOf, offerWords } from './gpu-offer.ts'

const node = (name: string, labels: Record<string, string>, status?: object) => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels },
  ...(status === undefined ? {} : { status }),
})
const given = (tier: string) => ({
  [gpuLabels.present]: 'true',
  [gpuLabels.tier]: tier,
  [gpuLabels.advertised]: '4',
})

it('tells what each node with GPUs is to offer and does offer, and nothing of other nodes', () => {
  const offers = offersOf([
    node('plain', {}, { capacity: { 'nvidia.com/gpu': '8' } }),
    node('fresh', given('mock')),
    node('gpus', given('real'), {
      capacity: { cpu: '2', 'nvidia.com/gpu': '4' },
      allocatable: { cpu: '2', 'nvidia.com/gpu': '3' },
    }),
  ])
  expect(offers).toEqual([
    { node: 'fresh', tier: 'mock', advertised: 4, capacity: 0, allocatable: 0 },
    { node: 'gpus', tier: 'real', advertised: 4, capacity: 4, allocatable: 3 },
  ])
  expect(offers.map(offerWords)).toEqual([
    'fresh offers 0 of 4 GPUs, tier mock',
    'gpus offers 3 of 4 GPUs, tier real',
  ])
})

it('takes no label of another tool for a tier', () => {
  expect(offersOf([node('foreign', { [gpuLabels.present]: 'true' })])).toEqual([])
  expect(offersOf([node('odd', given('imagined'))])).toEqual([])
})
