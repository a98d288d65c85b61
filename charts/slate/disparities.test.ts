import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { disparities } from './disparities.ts'

const pod = (spec: object, name = 'one', namespace = 'slate'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, ...(namespace === '' ? {} : { namespace }) },
  spec,
})
const env = (...names: string[]) => ({ env: names.map((name) => ({ name, value: name.toLowerCase() })) })

describe('disparities', () => {
  it('are none between the same objects in another order', () => {
    expect(
      disparities(
        [pod({ a: 1, b: { c: [1, 2] } }), pod(env('A', 'B'), 'two')],
        [pod(env('B', 'A'), 'two'), pod({ b: { c: [1, 2] }, a: 1 })],
      ),
    ).toEqual([])
  })

  it.each([
    ['another value', { replicas: 1 }, { replicas: 2 }, 'spec.replicas: 1 in kustomize, 2 in the chart'],
    ['another type', { port: '80' }, { port: 80 }, 'spec.port: "80" in kustomize, 80 in the chart'],
    ['a missing field', { a: 1 }, {}, 'spec.a: 1 in kustomize, nothing in the chart'],
    ['an added field', {}, { a: null }, 'spec.a: nothing in kustomize, null in the chart'],
    ['an empty field', { a: {} }, {}, 'spec.a: {} in kustomize, nothing in the chart'],
    [
      'the order of a list',
      { a: ['x', 'x', 'y'] },
      { a: ['x', 'y', 'y'] },
      'spec.a.1: "x" in kustomize, "y" in the chart',
    ],
    ['the length of a list', { a: [1] }, { a: [1, 2] }, 'spec.a: [1] in kustomize, [1,2] in the chart'],
    ['a list for a map', { a: [] }, { a: {} }, 'spec.a: [] in kustomize, {} in the chart'],
    ['a key with dots', { 'a.b/c': 1 }, { 'a.b/c': 2 }, 'spec.[a.b/c]: 1 in kustomize, 2 in the chart'],
    [
      'a variable',
      env('A', 'B'),
      { env: [{ name: 'B', value: 'x' }, ...env('A').env] },
      'spec.env.B.value: "b" in kustomize, "x" in the chart',
    ],
    [
      'a variable too many',
      env('A'),
      env('A', 'B'),
      'spec.env.B: nothing in kustomize, {"name":"B","value":"b"} in the chart',
    ],
  ])('tell %s', (_, ours, theirs, line) => {
    expect(disparities([pod(ours)], [pod(theirs)])).toEqual([`v1 Pod/one in slate: ${line}`])
  })

  it('tell the order of variables that refer to each other, and of two of one name', () => {
    const refers = { name: 'B', value: '$(A)' }
    const [a] = env('A').env
    expect(disparities([pod({ env: [a, refers] })], [pod({ env: [refers, a] })])).not.toEqual([])
    const twice = [
      { name: 'A', value: '1' },
      { name: 'A', value: '2' },
    ]
    expect(disparities([pod({ env: twice })], [pod({ env: twice.toReversed() })])).not.toEqual([])
  })

  it('tell objects that only one side has, those of another namespace and version included', () => {
    expect(
      disparities([pod({}), pod({}, 'all', '')], [pod({}, 'one', 'other'), { ...pod({}), apiVersion: 'v2' }]),
    ).toEqual([
      'v1 Pod/all: only in kustomize',
      'v1 Pod/one in other: only in the chart',
      'v1 Pod/one in slate: only in kustomize',
      'v2 Pod/one in slate: only in the chart',
    ])
  })

  it('cannot be told when one side has an object twice', () => {
    expect(() => disparities([pod({})], [pod({}), pod({ a: 1 })])).toThrow(
      'twice in the chart: v1 Pod/one in slate',
    )
  })
})
