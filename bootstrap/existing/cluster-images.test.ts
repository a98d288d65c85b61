import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../kube/client.ts'
import { clusterImageShortages, imagesOfNodes, toBePulled } from './cluster-images.ts'
import { isSchedulable, roomOf } from './room.ts'

const node = (
  name: string,
  names: string[],
  change: Partial<{ spec: object; ready: string }> = {},
): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name },
  spec: change.spec ?? {},
  status: {
    conditions: [{ type: 'Ready', status: change.ready ?? 'True' }],
    images: names.map((one) => ({ names: [one] })),
    allocatable: { cpu: '2', memory: '4Gi' },
  },
})
const pod = (image: string, imagePullPolicy?: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'slate' },
  spec: { containers: [{ name: 'c', image, ...(imagePullPolicy === undefined ? {} : { imagePullPolicy }) }] },
})
const cordoned = { spec: { unschedulable: true } }
const tainted = { spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } }

describe('images', () => {
  const nodes = imagesOfNodes([
    node('a', ['docker.io/library/slate:local', 'docker.io/library/busybox:1']),
    node('b', ['docker.io/library/slate:local']),
    node('c', [], cordoned),
    node('d', [], tainted),
  ])
  const rows = (object: KubeObject, registry: Parameters<typeof clusterImageShortages>[2]): string[] =>
    clusterImageShortages([object], nodes, registry).map(({ has }) => has)
  const silent = new Map([
    ['docker.io/library/busybox:1', { available: false, reason: 'docker.io cannot be reached' } as const],
  ])

  it('count as there when every node that takes pods has them', () => {
    expect(rows(pod('slate:local'), silent)).toEqual([])
    expect(rows(pod('slate:local', 'Never'), silent)).toEqual([])
    expect(rows(pod('busybox:1'), silent)).toEqual(['1 of 2 nodes have it; docker.io cannot be reached'])
    expect(rows(pod('busybox:1', 'Never'), 'told')).toEqual(['1 of 2 nodes have it'])
  })

  it('may be pulled when a registry answers for them, or the user says so', () => {
    const answers = new Map([['docker.io/library/busybox:1', { available: true } as const]])
    expect(rows(pod('busybox:1'), answers)).toEqual([])
    expect(rows(pod('busybox:1'), 'told')).toEqual([])
    expect(rows(pod('slate:local', 'Always'), answers)).toEqual(['no registry was asked'])
    expect(toBePulled([pod('busybox:1'), pod('slate:local'), pod('slate:local', 'Always')], nodes)).toEqual([
      'docker.io/library/busybox:1',
      'docker.io/library/slate:local',
    ])
  })

  it('are told with a doubt where a node names as many as it ever does', () => {
    const many = Array.from({ length: 50 }, (_, index) => `example.com/${String(index)}:1`)
    const full = imagesOfNodes([node('a', many)])
    expect(clusterImageShortages([pod('busybox:1', 'Never')], full, 'told')[0]?.has).toBe(
      '0 of 1 nodes have it, as far as they tell',
    )
  })

  it('are nowhere on a cluster without a node that takes pods', () => {
    expect(clusterImageShortages([pod('slate:local')], imagesOfNodes([]), new Map())).toHaveLength(1)
  })
})

describe('room', () => {
  it('is that of the nodes that take pods, less what others ask for', () => {
    expect([node('a', []), node('b', [], cordoned), node('c', [], tainted)].map(isSchedulable)).toEqual([
      true,
      false,
      false,
    ])
    expect(isSchedulable(node('d', [], { ready: 'False' }))).toBe(false)
    const asking = (namespace: string, on: string, phase: string): KubeObject => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', namespace },
      spec: { nodeName: on, containers: [{ resources: { requests: { cpu: '500m', memory: '1Gi' } } }] },
      status: { phase },
    })
    const room = roomOf(
      [node('a', []), node('b', []), node('c', [], cordoned)],
      [
        asking('theirs', 'a', 'Running'),
        asking('theirs', 'b', 'Succeeded'),
        asking('theirs', 'c', 'Running'),
        asking('slate', 'a', 'Running'),
      ],
      new Set(['slate']),
    )
    expect(room).toEqual({ cores: 4, memory: 8 * 2 ** 30, others: { cpu: 0.5, memory: 2 ** 30 } })
  })
})
