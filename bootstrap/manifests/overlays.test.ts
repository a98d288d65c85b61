import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { features, type Addon } from '../addons/addon.ts'
import { loadAddons } from '../addons/load-addon.ts'
import { fit } from '../fit/resources.ts'
import { gpuLabels, gpuResource, type GpuPlan } from '../plan/gpu-plan.ts'
import type { KubeObject } from '../kube/client.ts'
import { gpuVariables } from '../gpu/gpu-variables.ts'
import { resolvePaths } from '../state/paths.ts'
import { readSystemFile } from './system-file.ts'
import { validateObjects, validateSystem } from './validate.ts'

const paths = resolvePaths(join(import.meta.dirname, '..', '..'), {}, process.env, process.cwd())
const folders = (root: string): string[] =>
  existsSync(root)
    ? readdirSync(root, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => name)
    : []
const overlays = folders(join(paths.repo, 'overlays')).flatMap((system) =>
  folders(join(paths.repo, 'overlays', system)).map((environment) => `${system}/${environment}`),
)

const signal = (): AbortSignal => AbortSignal.timeout(60_000)
/** Every value of every option of a system that changes something, each alone, and none of them. */
const choicesOf = async (system: string): Promise<Record<string, string>[]> => [
  {},
  ...Object.entries((await readSystemFile(paths.repo, system)).options).flatMap(([option, values]) =>
    Object.entries(values)
      .filter(([, { add, drop }]) => add.length + drop.length > 0)
      .map(([value]) => ({ [option]: value })),
  ),
]

const policiesForNodes = (objects: readonly KubeObject[]): string[] =>
  objects
    .filter(({ spec }) => typeof spec === 'object' && spec !== null && 'nodeSelector' in spec)
    .filter(({ kind }) => kind === 'CiliumClusterwideNetworkPolicy')
    .map(({ metadata }) => metadata.name)

describe('every overlay renders and validates, with every value of its options', () => {
  it('is looked for where overlays are', () => {
    expect(overlays).toContain('slate/local')
  })

  it.each(overlays)('%s', { timeout: 60_000 }, async (overlay) => {
    const [system = '', environment = ''] = overlay.split('/')
    for (const choices of await choicesOf(system)) {
      const objects = await validateSystem({ system, environment, choices }, { paths, signal: signal() })
      expect(objects.length).toBeGreaterThan(0)
      // Without that word in system.yaml nobody heeds them.
      if (!(await readSystemFile(paths.repo, system)).hostPolicies)
        expect(policiesForNodes(objects), `${system} does not say hostPolicies`).toEqual([])
    }
  })

  it('finds policies for nodes, those of the zones', async () => {
    const objects = await validateSystem(
      { system: 'zones', environment: 'local', choices: {} },
      { paths, signal: signal() },
    )
    expect(policiesForNodes(objects)).toEqual(['brain-on-node'])
    expect((await readSystemFile(paths.repo, 'zones')).hostPolicies).toBe(true)
  })
})

const variables = {
  API_SERVER_HOST: 'local-cloud-control-plane',
  API_SERVER_PORT: '6443',
  CGROUP_V2_ROOT: '/sys/fs/cgroup',
  POD_CIDR: '10.244.0.0/16',
  NODE_COUNT: 1,
  SOCKET_LB_HOST_ONLY: 'false' as const,
  HOST_FIREWALL: 'false' as const,
}

const gpu: GpuPlan = { tier: 'mock', count: 2, strategy: 'cdi-cri', replicas: 2 }

let addons: Addon[]
beforeAll(async () => {
  addons = await loadAddons(paths, { ...variables, ...gpuVariables(gpu) }, signal(), { has: features })
}, 60_000)

describe('every add-on renders and validates', () => {
  it('with its variables filled in', () => {
    expect(addons.map(({ name }) => name).sort()).toEqual(
      folders(join(paths.repo, 'manifests', 'addons')).sort(),
    )
    expect(addons.flatMap(({ name, objects }) => validateObjects(objects, name))).toEqual([])
  })
})

describe('overlays/slate/local', () => {
  it.each([
    { choices: {}, gpus: 0 },
    { choices: { gpu: 'on' }, gpus: 2 },
  ])(
    'fits a machine of 2 cores, 8 GiB and $gpus GPUs, with all add-ons',
    { timeout: 60_000 },
    async (one) => {
      const choice = { system: 'slate', environment: 'local', choices: one.choices }
      const judged = fit({
        system: await validateSystem(choice, { paths, signal: signal() }),
        addons: addons.flatMap(({ objects }) => objects),
        // What such a machine says it has: a part of the memory is the kernel's.
        machine: { cores: 2, memory: 7.6 * 2 ** 30 },
        nodes: [
          {
            labels: {
              'kubernetes.io/os': 'linux',
              ...(one.gpus > 0 ? { [gpuLabels.present]: 'true' } : {}),
            },
            extended: { [gpuResource]: one.gpus },
          },
        ],
        labelsKnown: true,
      })
      expect(judged.shortages).toEqual([])
      expect(judged.cores).toBeGreaterThan(1)
    },
  )
})

describe('overlays/zones/local', () => {
  it('fits a machine of 2 cores and 24 GiB beside SLATE, with all add-ons', { timeout: 60_000 }, async () => {
    const systems = await Promise.all(
      ['slate', 'zones'].map((system) =>
        validateSystem({ system, environment: 'local', choices: {} }, { paths, signal: signal() }),
      ),
    )
    const judged = fit({
      system: systems.flat(),
      addons: addons.filter(({ when }) => when === undefined).flatMap(({ objects }) => objects),
      machine: { cores: 2, memory: 23 * 2 ** 30 },
      nodes: [{ labels: { 'kubernetes.io/os': 'linux' }, extended: {} }],
      labelsKnown: true,
    })
    expect(judged.shortages).toEqual([])
  })
})
