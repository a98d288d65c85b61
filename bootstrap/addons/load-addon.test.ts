import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { KubeObject } from '../kube/client.ts'
import { validateObjects } from '../manifests/validate.ts'
import type { Paths } from '../plan/options.ts'
import type { Addon } from './addon.ts'
import { loadAddons, type LoadAddons, type Render } from './load-addon.ts'

const variables = {
  API_SERVER_HOST: 'cp',
  API_SERVER_PORT: '6443',
  CGROUP_V2_ROOT: '/sys/fs/cgroup',
  POD_CIDR: '10.244.0.0/16',
  NODE_COUNT: 1,
  SOCKET_LB_HOST_ONLY: 'false' as const,
  HOST_FIREWALL: 'false' as const,
}
const { signal } = new AbortController()
const image = 'docker.io/library/busybox:1.35.0'
const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'ns' },
  spec: {
    replicas: '$(NODE_COUNT)',
    template: { spec: { containers: [{ name: 'web', image, args: ['$(API_SERVER_HOST)'] }] } },
  },
}

let repo: string
let objects: unknown[]
const render: Render = async () => objects as KubeObject[]

beforeEach(async () => {
  repo = await mkdtemp(join(tmpdir(), 'addons-'))
  objects = [deployment]
})
afterEach(async () => {
  await rm(repo, { recursive: true })
})

async function folder(name: string, files: Record<string, string> = {}): Promise<void> {
  const directory = join(repo, 'manifests', 'addons', name)
  await mkdir(directory, { recursive: true })
  const all = {
    'addon.yaml': `{ name: ${name}, title: ${name}, version: v1, needs: [], images: ['${image}'], timeout: 10s, probe: It works. }`,
    'probe.ts': "export const probe = async () => ({ result: 'pass' as const, seen: 'yes' })\n",
    ...files,
  }
  for (const [file, text] of Object.entries(all)) await writeFile(join(directory, file), text)
}

const load = (how: LoadAddons = {}): ReturnType<typeof loadAddons> => {
  const paths: Paths = { repo, stateDir: join(repo, 'state'), cacheDir: join(repo, 'cache') }
  return loadAddons(paths, variables, signal, { render, ...how })
}

describe('loadAddons', () => {
  it('makes an add-on of a folder and nothing else', async () => {
    await folder('example', { 'prepare.ts': 'export const prepare = async () => undefined\n' })
    await writeFile(join(repo, 'manifests', 'addons', 'README.md'), 'not an add-on')
    const [addon, ...others] = await load()
    expect(others).toEqual([])
    expect(addon).toMatchObject({
      name: 'example',
      promise: 'It works.',
      timeoutMs: 10_000,
      prepare: expect.any(Function) as unknown,
    })
    expect(addon?.objects[0]).toMatchObject({
      spec: { replicas: 1, template: { spec: { containers: [{ args: ['cp'] }] } } },
    })
    expect(await addon?.probe({} as never)).toEqual({ result: 'pass', seen: 'yes' })
  })

  it('runs a folder copied under another name as another add-on', async () => {
    await folder('example')
    await folder('again')
    expect((await load()).map(({ name }) => name)).toEqual(['again', 'example'])
  })

  it('renders only those that are chosen, and knows the others by their file', async () => {
    await folder('example')
    await folder('other', { 'probe.ts': "throw new Error('not to be read')\n" })
    const known: string[] = []
    const rendered: string[] = []
    const loaded = await load({
      render(directory) {
        rendered.push(basename(directory))
        return render(directory, { paths: {} as Paths, signal })
      },
      choose(all) {
        known.push(...all.map(({ name }) => name))
        return all.filter(({ name }) => name === 'example')
      },
    })
    expect(known).toEqual(['example', 'other'])
    expect(loaded.map(({ name }) => name)).toEqual(['example'])
    expect(rendered).toEqual(['example'])
  })

  it.each<[string, Record<string, string>, RegExp]>([
    [
      'without a probe',
      { 'probe.ts': 'export const other = 1\n' },
      /probe\.ts: probe: is not an exported function/,
    ],
    [
      'with a probe that does not load',
      { 'probe.ts': "throw new Error('boom')\n" },
      /probe\.ts: the module: boom/,
    ],
    [
      'with a preparation that is none',
      { 'prepare.ts': 'export const prepare = 1\n' },
      /prepare\.ts: prepare: is not an exported/,
    ],
    ['with a bad field', { 'addon.yaml': 'name: example\n' }, /addon\.yaml: title/],
  ])('refuses a folder %s', async (_, files, message) => {
    await folder('example', files)
    await expect(load()).rejects.toMatchObject({
      code: 'BAD_ADDON',
      message: expect.stringMatching(message) as string,
    })
  })

  it('refuses an unknown variable, naming the place and the known ones', async () => {
    await folder('example')
    objects = [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' }, data: { a: '$(NO_SUCH)' } }]
    await expect(load()).rejects.toMatchObject({
      code: 'BAD_ADDON',
      message: expect.stringMatching(
        /ConfigMap c: data\.a: there is no variable NO_SUCH; there are API_SERVER_HOST,/,
      ) as string,
    })
  })

  it('refuses an image that addon.yaml does not list', async () => {
    await folder('example', {
      'addon.yaml': '{ name: example, title: t, version: v1, needs: [], images: [], timeout: 10s, probe: p }',
    })
    await expect(load()).rejects.toMatchObject({
      message: expect.stringMatching(/images: lacks .*busybox.*Deployment web/) as string,
    })
  })
})

describe('the add-ons of this repository', () => {
  const root = join(import.meta.dirname, '..', '..')
  const paths = {
    repo: root,
    stateDir: join(root, '.local-cloud'),
    cacheDir: join(root, '.local-cloud', 'cache'),
  }
  const base = ['cilium', 'coredns', 'local-path', 'metrics-server', 'traefik']
  let addons: Addon[]

  beforeAll(async () => {
    addons = await loadAddons(paths, variables, signal)
  })
  const containers = (): Container[] =>
    addons
      .filter(({ name }) => base.includes(name))
      .flatMap(({ objects: rendered }) => rendered.flatMap(containersOf))

  it('load and render to valid objects, the network before what needs it', () => {
    const names = addons.map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining(base))
    expect(names.indexOf('cilium')).toBeLessThan(names.indexOf('coredns'))
    for (const { name, objects: rendered } of addons) {
      expect(rendered.length, name).toBeGreaterThan(0)
      expect(validateObjects(rendered, name)).toEqual([])
    }
  })

  it('fit a machine with two cores: at most 350m CPU and 700Mi requested', () => {
    const sum = (of: (container: Container) => number): number =>
      containers().reduce((total, container) => total + of(container), 0)
    expect(containers()).toHaveLength(6)
    expect(sum(({ resources }) => Number(/^(\d+)m$/.exec(resources.requests.cpu)?.[1]))).toBeLessThanOrEqual(
      350,
    )
    expect(
      sum(({ resources }) => Number(/^(\d+)Mi$/.exec(resources.requests.memory)?.[1])),
    ).toBeLessThanOrEqual(700)
  })

  it('never pull what a node has', () => {
    const pulling = containers().filter(
      ({ image: run, imagePullPolicy }) => run !== undefined && imagePullPolicy !== 'IfNotPresent',
    )
    expect(pulling).toEqual([])
  })

  it('mark every namespace that they make', () => {
    const namespaces = addons.flatMap(({ objects: rendered }) =>
      rendered.filter(({ kind }) => kind === 'Namespace'),
    )
    expect(namespaces.length).toBeGreaterThan(0)
    for (const { metadata } of namespaces) {
      expect(metadata.labels).toMatchObject({
        'app.kubernetes.io/name': expect.any(String) as string,
        'app.kubernetes.io/managed-by': 'local-cloud',
      })
    }
  })

  it('replace the agent’s pods when its configuration changes, and only then', async () => {
    const template = (loaded: Addon[]): unknown => {
      const agent = loaded
        .find(({ name }) => name === 'cilium')
        ?.objects.find(({ kind }) => kind === 'DaemonSet')
      return (agent?.spec as { template: { metadata: { annotations: unknown } } }).template.metadata
        .annotations
    }
    const hybrid = { ...variables, CGROUP_V2_ROOT: '/sys/fs/cgroup/unified' }
    expect(template(await loadAddons(paths, variables, signal))).toEqual(template(addons))
    expect(template(await loadAddons(paths, hybrid, signal))).not.toEqual(template(addons))
  })
})

interface Container {
  image?: string
  imagePullPolicy?: string
  resources: { requests: { cpu: string; memory: string } }
}

function containersOf(object: KubeObject): Container[] {
  return (
    (object.spec as { template?: { spec?: { containers?: Container[] } } } | undefined)?.template?.spec
      ?.containers ?? []
  )
}
