import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../kube/client.ts'
import { asksForNodes, fit, type FitInput, type NodeFacts } from './resources.ts'
import { shortageLines } from './shortage.ts'

const gib = 2 ** 30
const object = (kind: string, name: string, spec: object): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, namespace: 'slate' },
  spec,
})
const pod = (requests: object, more: object = {}) => ({
  template: { spec: { containers: [{ name: 'c', resources: { requests } }], ...more } },
})
const deployment = (name: string, replicas: number, requests: object, more: object = {}): KubeObject =>
  object('Deployment', name, { replicas, ...pod(requests, more) })
const node: NodeFacts = { labels: { 'kubernetes.io/os': 'linux' }, extended: {} }
const judge = (system: KubeObject[], more: Partial<FitInput> = {}) =>
  fit({
    system,
    addons: [],
    machine: { cores: 2, memory: 8 * gib },
    nodes: [node],
    labelsKnown: true,
    ...more,
  })
const rows = (system: KubeObject[], more: Partial<FitInput> = {}): string[] =>
  judge(system, more).shortages.map(({ who, asks, has }) => [who.trim(), asks, has].join(' | '))

describe('fit', () => {
  it('is content with what the machine has, to the last core beside the control plane', () => {
    expect(judge([deployment('a', 1, { cpu: '1575m', memory: '2Gi' })])).toEqual({
      shortages: [],
      cores: 2,
      memory: 2 * gib + 100 * 2 ** 20,
    })
    expect(rows([deployment('a', 1, { cpu: '1576m' })])[0]).toContain('the machine has 2 cores')
  })

  it('tells who asks for most when it is too much', () => {
    const system = [
      deployment('small', 1, { cpu: '100m' }),
      deployment('large', 3, { cpu: '1', memory: '4Gi' }),
    ]
    const addons = [deployment('addon', 1, { cpu: '200m' })]
    expect(rows(system, { addons })).toEqual([
      'all pods together | 3.73 cores (the system 3.1 cores, add-ons 0.2 cores, the control plane 0.43 cores) | the machine has 2 cores',
      'Deployment slate/large | 3 cores, 3 pods | ',
      'Deployment slate/small | 0.1 cores | ',
      'all pods together | 12.1 GiB (the system 12.0 GiB, add-ons 0.0 GiB, the control plane 0.1 GiB) | the machine has 8.0 GiB',
      'Deployment slate/large | 12.0 GiB, 3 pods | ',
    ])
  })

  it.each([
    ['a pod of its own', object('Pod', 'p', { containers: [{ resources: { requests: { cpu: '1' } } }] }), 1],
    ['a set', object('StatefulSet', 's', { replicas: 2, ...pod({ cpu: '1' }) }), 2],
    ['one for each node', object('DaemonSet', 'd', pod({ cpu: '1' })), 3],
    ['a job', object('Job', 'j', pod({ cpu: '1' })), 1],
    ['a parallel job', object('Job', 'j', { parallelism: 4, completions: 2, ...pod({ cpu: '1' }) }), 2],
    [
      'nothing that runs by a schedule',
      object('CronJob', 'c', { jobTemplate: { spec: pod({ cpu: '1' }) } }),
      0,
    ],
    ['the stated replicas, not the autoscaler’s', deployment('a', 2, { cpu: '1' }), 2],
  ])('counts %s', (_, one, cores) => {
    const nodes = [node, node, node]
    expect(judge([one], { nodes, machine: { cores: 99, memory: 99 * gib } }).cores).toBeCloseTo(0.425 + cores)
  })

  it('fills in what the limit range of the namespace gives', () => {
    const range = object('LimitRange', 'l', {
      limits: [
        { type: 'Container', defaultRequest: { cpu: '100m' }, default: { cpu: '500m' } },
        { type: 'Pod' },
      ],
    })
    expect(judge([range, deployment('a', 10, {})]).cores).toBeCloseTo(1.425)
  })

  it('finds a device that no node has, also for what runs by a schedule', () => {
    const gpu = { 'nvidia.com/gpu': '1' }
    const limits = { containers: [{ resources: { limits: gpu } }] }
    const scheduled = object('CronJob', 'train', { jobTemplate: { spec: { template: { spec: limits } } } })
    const system = [deployment('ollama', 1, {}, limits), scheduled]
    expect(rows(system)).toEqual([
      'Deployment slate/ollama | nvidia.com/gpu: 1 | no node has any',
      'CronJob slate/train | nvidia.com/gpu: 1 | no node has any',
    ])
    expect(rows(system, { nodes: [{ ...node, extended: { 'nvidia.com/gpu': 1 } }] })).toEqual([])
    expect(
      rows([deployment('ollama', 2, {}, limits)], {
        nodes: [{ ...node, extended: { 'nvidia.com/gpu': 1 } }],
      }),
    ).toEqual(['Deployment slate/ollama | nvidia.com/gpu: 1 | the nodes have 1, 2 asked for'])
  })

  it('finds a node selector that no node satisfies', () => {
    const on = (key: string, value: string): KubeObject[] => [
      deployment('a', 1, {}, { nodeSelector: { [key]: value } }),
    ]
    expect(rows(on('nvidia.com/gpu.present', 'true'))).toEqual([
      'Deployment slate/a | a node with nvidia.com/gpu.present=true | no node has that label',
    ])
    expect(rows(on('kubernetes.io/os', 'linux'))).toEqual([])
    expect(rows(on('x', 'y'), { labelsKnown: false })).toEqual([])
    expect(asksForNodes(on('x', 'y'))).toBe(true)
    expect(asksForNodes([deployment('a', 1, { cpu: '1', 'ephemeral-storage': '1Gi' })])).toBe(false)
  })
})

describe('shortageLines', () => {
  it('puts the columns below each other', () => {
    expect(
      shortageLines([
        { who: 'a', asks: 'xx', has: '1' },
        { who: 'bbb', asks: 'y', has: '2' },
      ]),
    ).toEqual(['a    xx  1', 'bbb  y   2'])
  })
})
