import { describe, expect, it } from 'vitest'
import type { ContainerInfo } from '../../engine/engine.ts'
import { clustersOf } from './kind-nodes.ts'
import { kindProgress } from './kind-progress.ts'
import { canonicalReference } from '../../images/canonical-reference.ts'
import { missingArchives, parseCrictlImages } from '../loaded-images.ts'

it.each([
  [
    ' • Ensuring node image (localhost/local-cloud/node:c) 🖼  ...',
    'Ensuring node image (localhost/local-cloud/node:c)',
  ],
  [' • Preparing nodes 📦 📦   ...', 'Preparing nodes'],
  [' • Starting control-plane 🕹️  ...', 'Starting control-plane'],
  [' ✓ Starting control-plane 🕹️', undefined],
  ['Creating cluster "c" ...', undefined],
  ['', undefined],
])('progress in %j is %j', (line, progress) => {
  expect(kindProgress(line)).toBe(progress)
})

describe('clusters', () => {
  const container = (
    name: string,
    cluster: string,
    role: string,
    labels: Record<string, string>,
    state = 'running',
  ): ContainerInfo => ({
    id: name,
    name,
    state,
    image: 'x',
    labels: { 'io.x-k8s.kind.cluster': cluster, 'io.x-k8s.kind.role': role, ...labels },
    mounts: [],
  })
  const our = (cluster: string) => ({ 'io.local-cloud.managed': 'true', 'io.local-cloud.cluster': cluster })

  it('are grouped, the control plane first', () => {
    const found = clustersOf(
      [
        container('a-worker2', 'a', 'worker', our('a')),
        container('a-worker', 'a', 'worker', our('a'), 'exited'),
        container('b-control-plane', 'b', 'control-plane', {}),
        container('a-control-plane', 'a', 'control-plane', our('a')),
      ],
      (name) => name === 'a',
    )
    expect(found).toEqual([
      {
        name: 'a',
        owner: 'ours',
        complete: true,
        nodes: [
          { name: 'a-control-plane', role: 'control-plane', running: true },
          { name: 'a-worker', role: 'worker', running: false },
          { name: 'a-worker2', role: 'worker', running: true },
        ],
      },
      {
        name: 'b',
        owner: 'foreign',
        nodes: [{ name: 'b-control-plane', role: 'control-plane', running: true }],
      },
    ])
  })

  it('are foreign when one container is not labelled for exactly this cluster', () => {
    const owner = (labels: Record<string, string>) =>
      clustersOf(
        [
          container('a-control-plane', 'a', 'control-plane', our('a')),
          container('a-worker', 'a', 'worker', labels),
        ],
        () => true,
      )[0]?.owner
    expect(owner(our('a'))).toBe('ours')
    expect(owner(our('other'))).toBe('foreign')
    expect(owner({})).toBe('foreign')
  })
})

describe('images in a node', () => {
  it.each([
    ['busybox', 'docker.io/library/busybox:latest'],
    ['team/app:1', 'docker.io/team/app:1'],
    ['quay.io/cilium/cilium:v1', 'quay.io/cilium/cilium:v1'],
    ['localhost/x', 'localhost/x:latest'],
    ['registry:5000/x:2', 'registry:5000/x:2'],
  ])('%s is kept as %s', (ref, full) => {
    expect(canonicalReference(ref)).toBe(full)
  })

  it('are sent when the id or the reference is not there, each archive once', () => {
    const present = parseCrictlImages(
      JSON.stringify({
        images: [
          { id: 'sha256:1', repoTags: ['docker.io/library/here:1'] },
          { id: 'sha256:old', repoTags: ['docker.io/library/changed:1'] },
          { id: 'sha256:3', repoTags: null },
        ],
      }),
    )
    expect(
      missingArchives(
        [
          { ref: 'here:1', id: 'sha256:1', archive: '/a.tar' },
          { ref: 'changed:1', id: 'sha256:new', archive: '/b.tar' },
          { ref: 'unnamed:1', id: 'sha256:3', archive: '/c.tar' },
          { ref: 'absent:1', id: 'sha256:4', archive: '/c.tar' },
        ],
        present,
      ),
    ).toEqual(['/b.tar', '/c.tar'])
    expect(parseCrictlImages('{}').size).toBe(0)
  })
})
