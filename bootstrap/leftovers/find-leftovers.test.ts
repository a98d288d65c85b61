import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { clusterLabel, managedLabel } from '../engine/engine.ts'
import { fakeEngine, type FakeEngine } from '../engine/fake-engine.ts'
import { findInEngine, findOnMachine, requireNothingLeft, type LeftoverScope } from './find-leftovers.ts'

const id = 'c0ffee'.repeat(10)
const labels = { [managedLabel]: 'true', [clusterLabel]: 'lc' }
let root: string
let engine: FakeEngine
let scope: LeftoverScope

const file = (path: string, text = ''): void => {
  mkdirSync(join(root, path, '..'), { recursive: true })
  writeFileSync(join(root, path), text)
}
const find = async (changed: Partial<LeftoverScope> = {}) => [
  ...(await findInEngine({ ...scope, ...changed }, new AbortController().signal)),
  ...(await findOnMachine({ ...scope, ...changed })),
]

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'leftovers-'))
  const stateDir = join(root, '.local-cloud')
  mkdirSync(stateDir)
  engine = fakeEngine()
  scope = {
    paths: { repo: root, stateDir, cacheDir: join(stateDir, 'cache') },
    engine: engine.engine,
    clusters: ['lc'],
    containerIds: [id],
    everything: true,
    stateIsFree: true,
    purged: false,
    proc: join(root, 'proc'),
    cgroups: join(root, 'cgroup'),
  }
})
afterEach(() => {
  rmSync(root, { recursive: true, force: true })
})

describe('the leak check', () => {
  it('finds nothing on a clean machine; cached images, tools, builds and reports are no leftovers', async () => {
    file('.local-cloud/cache/components/x')
    file('.local-cloud/tools/kind/kind')
    file('.local-cloud/e2e-report/index.html')
    engine.images = [{ id: 'sha256:1', refs: ['local-cloud/node:1'], labels: { [managedLabel]: 'true' } }]
    expect(await find()).toEqual([])
    requireNothingLeft([])
  })

  it('names what the engine still has', async () => {
    engine.containers = [{ id, name: 'lc-control-plane', state: 'exited', image: 'x', labels }]
    engine.networks = [{ name: 'local-cloud-lc', labels }]
    engine.volumes = [{ name: 'lc-var', labels }]
    engine.images = [{ id: 'sha256:2', refs: ['local-cloud/lc:derived'], labels }]
    expect(await find()).toEqual([
      { kind: 'container', name: 'lc-control-plane (exited)' },
      { kind: 'volume', name: 'lc-var' },
      { kind: 'network', name: 'local-cloud-lc' },
      { kind: 'image', name: 'local-cloud/lc:derived' },
    ])
  })

  it('leaves another cluster of ours out of it', async () => {
    const other = { [managedLabel]: 'true', [clusterLabel]: 'other' }
    engine.containers = [
      { id: 'x', name: 'other-control-plane', state: 'running', image: 'x', labels: other },
    ]
    file('.local-cloud/clusters/other/kubeconfig')
    file('.local-cloud/engine/containers.conf')
    expect(await find({ everything: false, stateIsFree: false })).toEqual([])
    file('.local-cloud/clusters/lc/kubeconfig')
    expect(await find({ everything: false, stateIsFree: false })).toEqual([
      { kind: 'file', name: join(root, '.local-cloud/clusters/lc') },
    ])
  })

  it('names mounts, cgroups, processes and files', async () => {
    const state = scope.paths.stateDir
    file(
      'proc/self/mounts',
      `overlay /x/${id}/merged overlay rw 0 0\ntmpfs ${state}/with\\040blank tmpfs rw 0 0\nproc /proc proc rw 0 0\n`,
    )
    mkdirSync(join(root, 'cgroup/memory/machine', `libpod-${id}`), { recursive: true })
    mkdirSync(join(root, 'cgroup/memory/other'), { recursive: true })
    file('proc/4711/cmdline', `/usr/bin/conmon\0-c\0${id}\0`)
    file('proc/4712/cmdline', 'kind\0create\0')
    mkdirSync(join(state, 'tools'))
    symlinkSync(join(state, 'tools', 'kind'), join(root, 'proc/4712/exe'))
    file('proc/4713/cmdline', 'bash\0')
    file('.local-cloud/clusters/lc/kubeconfig')
    expect(await find()).toEqual([
      { kind: 'mount', name: `/x/${id}/merged` },
      { kind: 'mount', name: `${state}/with blank` },
      { kind: 'cgroup', name: join(root, 'cgroup/memory/machine', `libpod-${id}`) },
      { kind: 'process', name: `4711 (/usr/bin/conmon -c ${id})` },
      { kind: 'process', name: '4712 (kind create)' },
      { kind: 'file', name: join(state, 'clusters') },
    ])
  })

  it('leaves files of others alone in a state directory that the user chose', async () => {
    file('chosen/notes.txt')
    file('chosen/engine/containers.conf')
    const paths = { ...scope.paths, stateDir: join(root, 'chosen') }
    expect(await find({ paths })).toEqual([{ kind: 'file', name: join(root, 'chosen/engine') }])
  })

  it('counts images and caches when they were to be purged', async () => {
    file('.local-cloud/cache/x')
    engine.images = [{ id: 'sha256:1', refs: ['local-cloud/node:1'], labels: { [managedLabel]: 'true' } }]
    expect((await find({ purged: true })).map(({ kind }) => kind)).toEqual(['image', 'file'])
  })

  it('works without an engine', async () => {
    const { engine: _engine, ...without } = scope
    expect(await findInEngine(without, new AbortController().signal)).toEqual([])
  })
})

it('requireNothingLeft lists each', () => {
  expect(() => {
    requireNothingLeft([{ kind: 'volume', name: 'lc-var' }])
  }).toThrow(expect.objectContaining({ code: 'LEFTOVERS', evidence: ['volume lc-var'] }))
})
