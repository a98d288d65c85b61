import { describe, expect, it } from 'vitest'
import type { Adaptation } from '../host/adaptations.ts'
import {
  canLearnNames,
  containersConf,
  mustNameNetavark,
  needsConfiguration,
  resolvesNames,
  type PodmanFacts,
} from './podman-config.ts'

const limited: Adaptation[] = [
  { id: 'u', message: '', effect: { kind: 'engine-ulimits', nofile: 20_000, nproc: 30_000 } },
  { id: 'c', message: '', effect: { kind: 'engine-cgroups', runtime: 'runc', cgroupManager: 'cgroupfs' } },
]

describe('containers.conf', () => {
  const linesOf = (...argv: Parameters<typeof containersConf>): string[] =>
    containersConf(...argv)
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))

  it('lets a node have as many processes as the host does, and is not needed beyond that on an ordinary one', () => {
    const warning: Adaptation[] = [{ id: 'w', message: '', effect: { kind: 'warning' } }]
    for (const ordinary of [[], warning]) {
      expect(linesOf(ordinary, false)).toEqual(['[containers]', 'pids_limit = 0'])
      expect(needsConfiguration(ordinary, false)).toBe(false)
    }
    expect(needsConfiguration([], true)).toBe(true)
    expect(needsConfiguration(limited, false)).toBe(true)
  })

  it('holds what a limited host needs', () => {
    expect(linesOf(limited, true)).toEqual([
      '[containers]',
      'pids_limit = 0',
      'default_ulimits = ["nofile=20000:20000", "nproc=30000:30000"]',
      '[engine]',
      'runtime = "runc"',
      'cgroup_manager = "cgroupfs"',
      '[network]',
      'network_backend = "netavark"',
    ])
  })
})

describe('network backend', () => {
  const cniOnly: PodmanFacts = {
    backend: 'cni',
    dnsnamePlugin: false,
    netavark: true,
    ownNetavarkNetworks: false,
    containers: 0,
  }

  it.each<[string, Partial<PodmanFacts>, boolean]>([
    ['nothing runs', { netavark: false }, true],
    ['containers hold podman to CNI', { netavark: false, containers: 1 }, false],
    ['names resolve already', { netavark: false, dnsnamePlugin: true }, false],
    ['netavark lacks aardvark-dns', { backend: 'netavark', netavark: false, containers: 1 }, true],
  ])('is worth installing netavark for or not: %s', (_, facts, worth) => {
    expect(canLearnNames({ ...cniOnly, ...facts })).toBe(worth)
  })

  it.each<[string, Partial<PodmanFacts>, boolean, boolean]>([
    ['CNI without names, netavark installed, nothing running', {}, true, true],
    ['CNI without names, but containers use it', { containers: 1 }, false, false],
    ['CNI without names and no netavark', { netavark: false }, false, false],
    ['CNI with its dnsname plugin', { dnsnamePlugin: true }, false, true],
    ['our cluster already uses netavark', { containers: 1, ownNetavarkNetworks: true }, true, true],
    ['netavark complete', { backend: 'netavark' }, false, true],
    ['netavark without aardvark-dns', { backend: 'netavark', netavark: false }, false, false],
  ])('%s', (_, facts, names, resolves) => {
    expect(mustNameNetavark({ ...cniOnly, ...facts })).toBe(names)
    expect(resolvesNames({ ...cniOnly, ...facts })).toBe(resolves)
  })
})
