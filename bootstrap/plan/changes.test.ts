import { describe, expect, it } from 'vitest'
import { comparePlans } from './changes.ts'
import type { UpOptions } from './options.ts'
import { canonicalHash, canonicalJson, makePlan, nodeNames } from './plan.ts'

const options: UpOptions = {
  paths: { repo: '/r', stateDir: '/r/s', cacheDir: '/r/s/cache' },
  name: 'lc',
  provider: 'kind',
  nodes: 1,
  cni: 'cilium',
  addons: 'all',
  engine: 'auto',
  images: { kind: 'auto' },
  system: 'slate',
  environment: 'local',
  models: 'tiny',
  httpPort: 8080,
  httpsPort: 8443,
  listenAddress: '127.0.0.1',
  kubernetesVersion: 'v1.36.4',
  kubeadmPatches: [],
  runtimeClasses: [],
  extraMounts: [],
  install: true,
  mergeKubeconfig: false,
  dryRun: false,
  recreate: false,
  timeoutMs: 1,
}
const addons = [
  { name: 'cilium', version: '1.19.5' },
  { name: 'coredns', version: '1.14.2' },
]
const plan = (changed: Partial<UpOptions> = {}, patches: string[] = [], list = addons) =>
  makePlan({ ...options, ...changed }, { addons: list, kubeadmPatches: patches })

describe('makePlan', () => {
  it('names nodes as kind does', () => {
    expect(nodeNames('lc', 3).map((node) => node.name)).toEqual([
      'lc-control-plane',
      'lc-worker',
      'lc-worker2',
    ])
  })

  it('is the same for the same wishes, whatever the order of add-ons and whatever does not shape the result', () => {
    const other = plan(
      { dryRun: true, timeoutMs: 99, recreate: true, install: false },
      [],
      [...addons].reverse(),
    )
    expect(canonicalHash(other)).toBe(canonicalHash(plan()))
    expect(canonicalHash(plan({ nodes: 2 }))).not.toBe(canonicalHash(plan()))
  })

  it('writes JSON with sorted keys and keeps the order of lists', () => {
    expect(canonicalJson({ b: [2, 1], a: { d: 1, c: undefined } })).toBe('{"a":{"d":1},"b":[2,1]}')
  })
})

describe('comparePlans', () => {
  it('finds nothing between equals', () => {
    expect(comparePlans(plan(), plan())).toEqual([])
  })

  it.each([
    [plan({ nodes: 2 }), 'nodes: 1 → 2'],
    [plan({ httpPort: 9090 }), 'HTTP port: 8080 → 9090'],
    [plan({ httpsPort: 9443 }), 'HTTPS port: 8443 → 9443'],
    [plan({ listenAddress: '0.0.0.0' }), 'listen address: 127.0.0.1 → 0.0.0.0'],
    [plan({ kubernetesVersion: 'v1.35.0' }), 'Kubernetes version: v1.36.4 → v1.35.0'],
    [
      plan({ extraMounts: [{ hostPath: '/a', containerPath: '/b', readOnly: true }] }),
      'mounts: none → /a:/b:ro',
    ],
    [plan({}, ['kind: X\n']), 'kubeadm patches: none → kind: X'],
  ])('needs a new cluster: %#', (wanted, words) => {
    const changes = comparePlans(plan(), wanted)
    expect(
      changes.filter((change) => change.kind === 'needs-recreate').map((change) => change.words),
    ).toContain(words)
    expect(changes.every((change) => change.kind === 'needs-recreate')).toBe(true)
  })

  it.each([
    [plan({ environment: 'staging' }), 'system: slate/local → slate/staging'],
    [plan({ system: 'none' }), 'system: slate/local → none'],
    [plan({ runtimeClasses: ['gvisor'] }), 'runtime classes: none → gvisor'],
    [plan({ system: 'slate,zones' }), 'system: slate/local → slate/local, zones/local'],
    [plan({ mergeKubeconfig: true }), 'merge into the user’s kubeconfig: no → yes'],
    [plan({}, [], addons.slice(0, 1)), 'add-ons: cilium 1.19.5, coredns 1.14.2 → cilium 1.19.5'],
  ])('can be done in place: %#', (wanted, words) => {
    expect(comparePlans(plan(), wanted)).toMatchObject([{ kind: 'in-place', words }])
  })
})
