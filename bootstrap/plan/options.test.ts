import { describe, expect, it } from 'vitest'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { parseUpOptions, systemNames, type OptionsWorld } from './options.ts'

const paths = { repo: '/repo', stateDir: '/repo/.local-cloud', cacheDir: '/repo/.local-cloud/cache' }
const world: OptionsWorld = {
  systems: () => ({ slate: ['local', 'staging'], athena: ['local'] }),
  kubernetesVersions: () => ['v1.36.4', 'v1.35.1'],
  exists: (path) => ['/patch.yaml', '/b.bundle', '/models'].includes(path),
}
const parse = (values: Record<string, unknown>) => parseUpOptions(values, paths, world)

function failure(values: Record<string, unknown>): LocalCloudError {
  try {
    parse(values)
  } catch (error) {
    if (error instanceof LocalCloudError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('what does not go together', () => {
  it.each([
    [{ cni: 'basic' }, '--cni cannot be basic; it takes cilium with --provider kind'],
    [
      { cni: 'basic', provider: 'k3s', nodes: 2 },
      '--cni cannot be basic; it takes cilium with several nodes',
    ],
    [{ provider: 'k3s', kubeadmPatches: ['/patch.yaml'] }, '--kubeadm-patch cannot be /patch.yaml'],
    [{ addons: [] }, '--addons cannot be none'],
  ])('%j is refused', (values, words) => {
    expect(failure(values)).toMatchObject({
      code: 'BAD_VALUE',
      message: expect.stringContaining(words) as string,
    })
  })

  it.each([
    [{ cni: 'basic', provider: 'k3s' }],
    [{ addons: [], system: 'none' }],
    [{ addons: ['coredns'] }],
    [{ provider: 'k3s', nodes: 4 }],
  ])('%j is not', (values) => {
    expect(parse(values)).toMatchObject(values)
  })
})

describe('an existing cluster', () => {
  const existing = { provider: 'existing', context: 'staging' }

  it('gets no add-on that nobody names', () => {
    expect(parse(existing)).toMatchObject({ ...existing, addons: [], nodes: 1 })
    expect(parse({ ...existing, addons: ['local-path'] }).addons).toEqual(['local-path'])
  })

  it.each([
    [{ nodes: 2 }, '--nodes says nothing with --provider existing'],
    [{ gpu: { tier: 'mock', count: 1 } }, '--gpu says nothing'],
    [{ runtimeClasses: ['gvisor'] }, '--runtime-class says nothing'],
    [{ kubeadmPatches: ['/patch.yaml'] }, '--kubeadm-patch says nothing'],
    [{ images: { kind: 'packages' } }, '--images cannot be packages; it takes auto or registry'],
    [{ addons: ['traefik'] }, '--addons cannot be traefik; it takes it together with --ingress-url'],
    [{ kubeconfig: '/none' }, '--kubeconfig cannot be /none'],
  ])('refuses %j', (values, words) => {
    expect(failure({ ...existing, ...values })).toMatchObject({
      code: 'BAD_VALUE',
      message: expect.stringContaining(words) as string,
    })
  })

  it('is the only one with a context', () => {
    expect(failure({ context: 'staging' }).message).toContain('--context cannot be staging')
  })
})

describe('parseUpOptions', () => {
  it('fills in the defaults', () => {
    expect(parse({})).toEqual({
      paths,
      name: 'local-cloud',
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
      timeoutMs: 1_200_000,
    })
  })

  it('keeps what is given', () => {
    const given = {
      name: 'x1',
      nodes: 3,
      engine: 'docker',
      images: { kind: 'bundle', file: '/b.bundle' },
      system: 'athena',
      httpPort: 80,
      httpsPort: 443,
      listenAddress: '::1',
      kubeadmPatches: ['/patch.yaml'],
      extraMounts: [{ hostPath: '/models', containerPath: '/m', readOnly: true }],
      install: false,
    }
    expect(parse({ ...given, kubernetesVersion: '1.35.1' })).toMatchObject({
      ...given,
      kubernetesVersion: 'v1.35.1',
    })
  })

  it.each([
    ['name', 'Has_Upper', '--name cannot be Has_Upper; it takes at most 32'],
    ['name', 'a'.repeat(33), 'it takes at most 32'],
    ['nodes', 5, '--nodes cannot be 5; it takes a whole number from 1 to 4'],
    ['nodes', 1.5, 'a whole number from 1 to 4'],
    ['httpPort', 0, '--http-port cannot be 0; it takes a whole number from 1 to 65535'],
    ['httpsPort', 65536, '1 to 65535'],
    ['httpsPort', 8080, 'other than that of --http-port'],
    ['engine', 'lxc', 'auto, podman or docker'],
    ['images', { kind: 'ftp' }, 'bundle:FILE'],
    ['images', { kind: 'bundle', file: '/absent' }, '--images cannot be /absent'],
    ['listenAddress', 'localhost', 'IPv4'],
    ['timeoutMs', 5, '--timeout cannot be 5; it takes at least 1s'],
    ['kubernetesVersion', 'v1.20.0', 'one of v1.36.4, v1.35.1'],
    ['kubeadmPatches', ['/absent.yaml'], '--kubeadm-patch cannot be /absent.yaml'],
    [
      'extraMounts',
      [{ hostPath: '/absent', containerPath: '/m', readOnly: true }],
      '--mount cannot be /absent',
    ],
    [
      'extraMounts',
      [{ hostPath: '/models', containerPath: 'm', readOnly: true }],
      'absolute path in the node',
    ],
    ['runtimeClasses', ['kata'], '--runtime-class cannot be ["kata"]; it takes gvisor'],
  ])('refuses %s %o', (key, value, words) => {
    const error = failure({ [key]: value })
    expect(error.code).toBe('BAD_VALUE')
    expect(error.message).toContain(words)
  })

  it('names a runtime class once, however often it is given', () => {
    expect(parse({ runtimeClasses: ['gvisor', 'gvisor'] }).runtimeClasses).toEqual(['gvisor'])
  })

  it('lists further bad flags as evidence', () => {
    expect(failure({ nodes: 9, engine: 'lxc' }).evidence).toHaveLength(1)
  })

  it('names the systems and overlays that there are', () => {
    expect(failure({ system: 'salte' })).toMatchObject({ code: 'UNKNOWN_SYSTEM' })
    expect(failure({ system: 'salte' }).hint).toContain('slate, athena, none')
    expect(failure({ environment: 'prod' }).hint).toContain('local, staging')
    expect(parse({ system: 'none', environment: 'whatever' }).system).toBe('none')
  })

  it('takes several systems, each once and each with the overlay', () => {
    expect(systemNames(parse({ system: 'slate,athena' }).system)).toEqual(['slate', 'athena'])
    expect(systemNames('none')).toEqual([])
    expect(failure({ system: 'slate,salte' })).toMatchObject({ code: 'UNKNOWN_SYSTEM' })
    expect(failure({ system: 'slate,athena', environment: 'staging' })).toMatchObject({
      code: 'UNKNOWN_SYSTEM',
    })
    expect(failure({ system: 'slate,slate' })).toMatchObject({ code: 'BAD_VALUE' })
    expect(failure({ system: 'slate,none' })).toMatchObject({ code: 'BAD_VALUE' })
  })
})
