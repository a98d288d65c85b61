import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { LocalCloudError } from '../errors/local-cloud-error.ts'
import { marksOf } from '../existing/ours.ts'
import type { KubeObject } from '../kube/client.ts'
import { fakeKubeconfig } from '../providers/fake-provider.ts'
import { clusterFiles } from '../steps/cluster-files.ts'
import { fakeWorld, type FakeWorld } from '../steps/fake-world.ts'
import type { CommandContext, DownValues, StatusValues } from './command-context.ts'
import { down } from './down.ts'
import { readStatus, statusText } from './status.ts'
import { up } from './up.ts'

let world: FakeWorld
let printed: string[]
let before: string[]

const put = (object: KubeObject): void => {
  const { namespace, name } = object.metadata
  world.cluster.objects.set(`${object.kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`, object)
}
beforeEach(() => {
  world = fakeWorld()
  printed = []
  const file = join(world.options.paths.repo, 'user-kubeconfig')
  writeFileSync(file, fakeKubeconfig('staging'))
  vi.stubEnv('KUBECONFIG', file)
  world.hasEngine = false
  Object.assign(world.options, {
    provider: 'existing',
    context: 'kind-staging',
    addons: [],
    images: { kind: 'registry' },
  })
  world.cluster.answers = true
  put({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'a' },
    spec: {},
    status: { conditions: [{ type: 'Ready', status: 'True' }], allocatable: { cpu: '4', memory: '8Gi' } },
  })
  put({
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name: 'fast', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
  })
  put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'theirs' } })
  put({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x', namespace: 'theirs' } })
  before = keys()
})
afterEach(() => {
  vi.unstubAllEnvs()
  world.dispose()
})

const keys = (): string[] => [...world.cluster.objects.keys()].sort()
const context = <Values>(values: Values, json = false): CommandContext<Values> => ({
  values,
  emit: (event) => world.events.push(event),
  signal: new AbortController().signal,
  out: (text) => printed.push(text),
  json,
  paths: world.options.paths,
})
const bringUp = (changed = {}): Promise<void> =>
  up(context({}), { ...world.options, ...changed }, world.tools)
const takeDown = (changed: Partial<DownValues> = {}, json = false): Promise<void> =>
  down(
    context<DownValues>(
      { name: 'lc', engine: 'auto', timeoutMs: 10_000, all: false, purge: false, ...changed },
      json,
    ),
    world.tools,
  )
const statusOf = (changed: Partial<StatusValues> = {}) =>
  readStatus(
    context<StatusValues>({ name: 'lc', engine: 'auto', timeoutMs: 10_000, ...changed }),
    world.tools,
  )
const errorOf = (work: Promise<unknown>): Promise<LocalCloudError> =>
  work.then(
    () => {
      throw new Error('nothing was thrown')
    },
    (error: unknown) => error as LocalCloudError,
  )
const folder = (): string => join(world.options.paths.stateDir, 'clusters', 'lc')
const flags = { provider: 'existing', context: 'kind-staging' } as const

describe('up', () => {
  it('says what the cluster has and whose it is, and no URL that nobody told', async () => {
    await bringUp()
    expect(printed[0]).toContain('The cluster has:\n  network policy')
    expect(printed[0]).toContain('down removes only what up put there')
    expect(printed[0]).not.toContain('http://')
  })

  it('says with --dry-run what the cluster has, and changes nothing', async () => {
    await bringUp({ dryRun: true })
    expect(printed.join('\n')).toMatch(/Cluster of context kind-staging +absent/)
    expect(printed.join('\n')).toMatch(/storage +present/)
    expect(keys()).toEqual(before)
    expect(existsSync(folder())).toBe(false)
  })
})

describe('status', () => {
  it('tells how it is from the state directory alone', async () => {
    await bringUp()
    const status = await statusOf()
    expect(status).toMatchObject({
      state: 'ready',
      context: 'kind-staging',
      provider: 'existing',
      nodes: [{ name: 'a', ready: true }],
    })
    const text = await statusText(status)
    expect(text).toContain('What is on the cluster of context kind-staging as lc is ready.')
    expect(text).toMatch(/storage +present +StorageClass fast/)
  })

  it('tells by flags where the state directory knows nothing, and writes nothing', async () => {
    expect(await statusOf(flags)).toMatchObject({ state: 'absent' })
    expect(await statusText(await statusOf(flags))).toContain(
      'up.mjs --provider existing --context kind-staging',
    )
    await bringUp()
    rmSync(world.options.paths.stateDir, { recursive: true })
    expect(await statusOf(flags)).toMatchObject({ state: 'ready' })
    expect(existsSync(world.options.paths.stateDir)).toBe(false)
  })

  it('says when it does not answer', async () => {
    await bringUp()
    world.cluster.answers = false
    expect((await statusOf()).state).toBe('silent')
  })

  it('refuses a context that there is not', async () => {
    expect(await errorOf(statusOf({ ...flags, context: 'prod' }))).toMatchObject({ code: 'BAD_VALUE' })
  })
})

describe('other commands', () => {
  it('find the record where it lies', async () => {
    const files = clusterFiles(world.options.paths, 'lc')
    expect(await files.recordRef()).toMatchObject({ namespace: 'kube-system' })
    await bringUp()
    expect(await files.recordRef()).toMatchObject({ namespace: 'local-cloud-lc', name: 'local-cloud-plan' })
  })
})

describe('down', () => {
  it('removes exactly what up has put there, and forgets it; twice', async () => {
    await bringUp()
    await takeDown()
    expect(keys()).toEqual(before)
    expect(existsSync(folder())).toBe(false)
    expect(printed.at(-1)).toMatch(
      /^Removed what was put on the cluster of context kind-staging in .*\nNothing of ours is left/,
    )
    await takeDown()
    expect(printed.at(-1)).toContain('there is no cluster')
    world.cluster.changes.length = 0
    await takeDown(flags)
    expect(printed.at(-1)).toContain('Nothing of ours is on the cluster of context kind-staging.')
    expect(world.cluster.changes).toEqual([])
  })

  it('finds it by labels alone, without the state directory and without the record', async () => {
    await bringUp()
    rmSync(world.options.paths.stateDir, { recursive: true })
    world.cluster.objects.delete('ConfigMap local-cloud-lc/local-cloud-plan')
    await takeDown(flags, true)
    expect(keys()).toEqual(before)
    expect(JSON.parse(printed.at(-1) ?? '')).toMatchObject({
      removed: ['lc'],
      existing: [{ context: 'kind-staging', kept: [], left: [] }],
    })
  })

  it('from an up that was interrupted', async () => {
    world.cluster.status = (object) => (object.kind === 'Deployment' ? {} : undefined)
    await errorOf(bringUp({ timeoutMs: 1_000 }))
    expect(keys()).toContain('Namespace slate')
    await takeDown()
    expect(keys()).toEqual(before)
  }, 20_000)

  it('with --all takes it along', async () => {
    await bringUp()
    await takeDown({ all: true })
    expect(keys()).toEqual(before)
  })

  it('says which namespace it had to leave', async () => {
    await bringUp()
    put({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'somebodys', namespace: 'slate' } })
    await takeDown()
    expect(printed.at(-1)).toContain(
      'Not removed: Namespace slate, for it holds what is not ours: Secret somebodys.',
    )
    expect(keys()).toContain('Secret slate/somebodys')
    expect(keys()).not.toContain('ConfigMap slate/settings')
  })

  it('does not forget what it cannot reach', async () => {
    await bringUp()
    world.cluster.answers = false
    const error = await errorOf(takeDown())
    expect(error).toMatchObject({
      code: 'API_UNREACHABLE',
      hint: expect.stringContaining(folder()) as string,
    })
    expect(existsSync(join(folder(), 'kubeconfig'))).toBe(true)
    world.cluster.answers = true
    await takeDown()
    expect(keys()).toEqual(before)
  })

  it('removes nothing of another name', async () => {
    put({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'shared', labels: marksOf('other') },
    })
    await bringUp()
    await takeDown()
    expect(keys()).toEqual([...before, 'Namespace shared'].sort())
  })

  it('asks no engine', async () => {
    await bringUp()
    world.tools.findEngine = () => Promise.reject(new Error('the engine was asked'))
    await takeDown()
    expect(keys()).toEqual(before)
  })
})
