import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { clusterLabel, managedLabel } from '../engine/engine.ts'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { tryLock } from '../state/lock-folder.mjs'
import { fakeWorld, type FakeWorld } from '../steps/fake-world.ts'
import type { CommandContext, DownValues } from './command-context.ts'
import { down } from './down.ts'
import { logs } from './logs.ts'
import { readStatus, statusText } from './status.ts'
import { up } from './up.ts'

let world: FakeWorld
let printed: string[]

beforeEach(() => {
  world = fakeWorld(10_000 + Math.floor(Math.random() * 10_000))
  printed = []
  vi.stubEnv('KUBECONFIG', join(world.options.paths.repo, 'user-kubeconfig'))
  world.provider.onChange = wrap(world.provider.onChange)
})
afterEach(() => {
  vi.unstubAllEnvs()
  world.dispose()
})

const labels = { [managedLabel]: 'true', [clusterLabel]: 'lc' }
/** The provider's nodes are containers of the engine. */
function wrap(next: FakeWorld['provider']['onChange']): FakeWorld['provider']['onChange'] {
  return (name, what) => {
    next(name, what)
    world.engine.containers =
      what === 'deleted'
        ? []
        : [{ id: 'ab'.repeat(32), name: `${name}-control-plane`, state: 'running', image: 'x', labels }]
  }
}
const context = <Values>(values: Values, json = false): CommandContext<Values> => ({
  values,
  emit: (event) => world.events.push(event),
  signal: new AbortController().signal,
  out: (text) => printed.push(text),
  json,
  paths: world.options.paths,
})
const bringUp = (json = false, changed = {}): Promise<void> =>
  up(context({}, json), { ...world.options, ...changed }, world.tools)
const downValues = (changed: Partial<DownValues> = {}): DownValues => ({
  name: 'lc',
  engine: 'auto',
  timeoutMs: 10_000,
  all: false,
  purge: false,
  ...changed,
})
const takeDown = (changed: Partial<DownValues> = {}, json = false): Promise<void> =>
  down(context(downValues(changed), json), world.tools)
const errorOf = (work: Promise<unknown>): Promise<LocalCloudError> =>
  work.then(
    () => {
      throw new Error('nothing was thrown')
    },
    (error: unknown) => error as LocalCloudError,
  )
const files = (): string[] => {
  const { stateDir } = world.options.paths
  return existsSync(stateDir) ? readdirSync(stateDir) : []
}

describe('up', () => {
  it('tells where everything answers, and the second time that there was nothing to do', async () => {
    const system = world.system
    world.system = async () => [
      ...(await system('slate')),
      {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'Ingress',
        metadata: { name: 'slate', namespace: 'slate' },
        spec: {
          rules: [
            {
              host: 'slate.local',
              http: { paths: [{ path: '/', backend: { service: { name: 'dashboard' } } }] },
            },
          ],
        },
      },
    ]
    await bringUp()
    const url = `http://slate.local:${String(world.options.httpPort)}/`
    expect(printed[0]).toMatch(/^Cluster lc with slate \(local\) is ready after [\d.]+ s\.$/m)
    expect(printed[0]).toContain(`${url}  dashboard`)
    expect(printed[0]).toContain(
      `curl --resolve slate.local:${String(world.options.httpPort)}:127.0.0.1 ${url}`,
    )
    expect(printed[0]).toContain('clusters/lc/kubeconfig get pods -n slate')
    expect(printed[0]).toContain('Images: packages, because no registry answered.')
    expect(printed[0]).toContain('bootstrap/down --name lc')
    await bringUp()
    expect(printed[1]).toContain('Nothing to do: Cluster lc with slate (local) is ready')
    await bringUp(true)
    expect(JSON.parse(printed[2] ?? '')).toMatchObject({
      type: 'result',
      command: 'up',
      changed: false,
      cluster: 'lc',
    })
  })

  it('prints the plan and changes nothing with --dry-run', async () => {
    await bringUp(false, { dryRun: true })
    expect(printed[0]).toMatch(/Cluster lc +absent +no cluster lc/)
    expect(world.log.filter((entry) => entry !== 'images from auto')).toEqual([])
    expect(files()).toEqual([])
  })

  it('of which two run at once has the second wait, and it finds nothing to do', async () => {
    await Promise.all([bringUp(true), bringUp(true)])
    const changed = printed.map((text) => (JSON.parse(text) as { changed: boolean }).changed)
    expect(changed.sort()).toEqual([false, true])
    expect(world.provider.calls.filter((call) => call === 'create lc')).toHaveLength(1)
    expect(JSON.stringify(world.events)).toContain('Waiting for process')
  })

  it('that fails says that nothing was taken back and how to learn more', async () => {
    world.probes['coredns'] = { result: 'not-proven', reason: 'no pod started\nlast event: BackOff' }
    const error = await errorOf(bringUp())
    expect(error).toMatchObject({ code: 'PROBE_NOT_RUN', evidence: ['last event: BackOff'] })
    expect(JSON.stringify(world.events)).toContain('bootstrap/logs.mjs --name lc')
  })

  it('is ended by its deadline, in which building images does not count', async () => {
    world.images.prepare = () => new Promise((resolve) => setTimeout(resolve, 1_500))
    world.provider.provider.create = (_spec, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reject(signal.reason as Error)
        })
      })
    const started = Date.now()
    expect(await errorOf(bringUp(false, { timeoutMs: 1_000 }))).toMatchObject({
      code: 'STEP_TIMEOUT',
      exitCode: 6,
    })
    expect(Date.now() - started).toBeGreaterThan(2_400)
  })
})

describe('down', () => {
  it('removes a cluster by its labels alone, and says that nothing is left; twice', async () => {
    await bringUp(false, { mergeKubeconfig: true })
    rmSync(join(world.options.paths.stateDir, 'clusters'), { recursive: true })
    const userKubeconfig = process.env['KUBECONFIG'] ?? ''
    expect(existsSync(userKubeconfig)).toBe(true)
    await takeDown()
    expect(printed[1]).toMatch(/^Removed cluster lc in .*\nNothing of ours is left\.$/)
    expect(world.provider.clusters.size).toBe(0)
    expect(existsSync(userKubeconfig)).toBe(false)
    await takeDown()
    expect(printed[2]).toMatch(/^There is no cluster lc\.\nNothing of ours is left\.$/)
    expect(files()).toEqual([])
  })

  it('takes a dead engine for none where no cluster is remembered, and says so; else it does not go on', async () => {
    const dead = new LocalCloudError('ENGINE_DEAD', { message: 'docker does not answer.' })
    await bringUp()
    world.tools.findEngine = () => Promise.reject(dead)
    await expect(takeDown()).rejects.toThrow('docker does not answer.')
    rmSync(join(world.options.paths.stateDir, 'clusters'), { recursive: true })
    await takeDown()
    expect(printed.at(-1)).toContain('No container engine works on this machine')
    expect(world.events).toContainEqual({
      type: 'notice',
      level: 'warning',
      message: 'docker does not answer. What it may hold cannot be seen.',
    })
  })

  it('works from a half-made cluster of which only network, volume and image are there', async () => {
    world.engine.networks = [{ name: 'local-cloud-lc', labels }]
    world.engine.volumes = [{ name: 'lc-var', labels }]
    world.engine.images = [{ id: 'sha256:1', refs: ['lc:derived'], labels }]
    await takeDown()
    expect(world.engine.calls).toEqual([
      'remove network local-cloud-lc',
      'remove volume lc-var',
      'remove image lc:derived',
    ])
  })

  it('keeps built images and caches, and says so, unless it is told to purge', async () => {
    const { stateDir, cacheDir } = world.options.paths
    mkdirSync(join(cacheDir, 'components'), { recursive: true })
    mkdirSync(join(stateDir, 'engine'), { recursive: true })
    world.engine.images = [
      { id: 'sha256:1', refs: ['local-cloud/node:1'], labels: { [managedLabel]: 'true' } },
    ]
    await takeDown()
    expect(printed[0]).toContain(
      `left but what was built, 1 images in podman, ${cacheDir} (for the next up; --purge removes it).`,
    )
    expect(files()).toEqual(['cache'])
    await takeDown({ purge: true })
    expect(printed[1]).toContain('Nothing of ours is left.')
    expect(files()).toEqual([])
    expect(world.engine.images).toEqual([])
  })

  it('removes ended containers that belong to no cluster, and leaves those that work for somebody', async () => {
    const shared = { [managedLabel]: 'true' }
    world.provider.onChange = () => undefined
    world.engine.containers = [
      { id: 'e1'.repeat(32), name: 'ended', state: 'exited', image: 'x', labels: shared },
      { id: 'e2'.repeat(32), name: 'building', state: 'running', image: 'x', labels: shared },
    ]
    await takeDown()
    expect(world.engine.containers.map(({ name }) => name)).toEqual(['building'])
  })

  it('speaks to the engine only as long as its configuration is there', async () => {
    const folder = join(world.options.paths.stateDir, 'engine')
    mkdirSync(folder, { recursive: true })
    world.engine.engine.listImages = () =>
      existsSync(folder) ? Promise.resolve([]) : Promise.reject(new Error('containers.conf: no such file'))
    await takeDown({ purge: true })
    expect(files()).toEqual([])
  })

  it('removes every cluster with --all and leaves others without it', async () => {
    const other = { [managedLabel]: 'true', [clusterLabel]: 'other' }
    world.engine.containers = [
      { id: 'c1'.repeat(32), name: 'lc-control-plane', state: 'running', image: 'x', labels },
      { id: 'c2'.repeat(32), name: 'other-control-plane', state: 'exited', image: 'x', labels: other },
    ]
    world.provider.onChange = () => undefined
    await takeDown()
    expect(world.engine.containers.map(({ name }) => name)).toEqual(['other-control-plane'])
    expect(printed[0]).toContain('but cluster other')
    await takeDown({ all: true })
    expect(world.engine.containers).toEqual([])
  })

  it('leaves alone what an up of another cluster has begun to use', async () => {
    const { stateDir } = world.options.paths
    mkdirSync(join(stateDir, 'engine'), { recursive: true })
    const other = tryLock(join(stateDir, 'lock', 'other'), 'up')
    await takeDown()
    expect(files()).toEqual(['engine', 'lock'])
    if ('release' in other) other.release()
    await takeDown()
    expect(files()).toEqual([])
  })

  it('never touches a cluster that is not ours', async () => {
    world.provider.clusters.set('lc', { name: 'lc', owner: 'foreign', nodes: [] })
    expect(await errorOf(takeDown())).toMatchObject({ code: 'FOREIGN_CLUSTER' })
    expect(world.provider.calls).toEqual([])
    expect(world.engine.calls).toEqual([])
  })

  it('needs no engine', async () => {
    world.hasEngine = false
    await takeDown({}, true)
    expect(JSON.parse(printed[0] ?? '')).toMatchObject({ command: 'down', removed: [] })
    await takeDown()
    expect(printed[1]).toContain('No container engine works')
    expect(world.log).toEqual([])
  })

  it('names what would not go', async () => {
    world.engine.volumes = [{ name: 'lc-var', labels }]
    world.engine.engine.removeVolume = () => Promise.resolve()
    expect(await errorOf(takeDown())).toMatchObject({ code: 'LEFTOVERS', evidence: ['volume lc-var'] })
  })
})

describe('status', () => {
  const values = { name: 'lc', engine: 'auto', timeoutMs: 5_000 } as const
  const status = (timeoutMs?: number) => readStatus(context(values), world.tools, timeoutMs)

  it('of nothing is short', async () => {
    expect(await statusText(await status())).toBe('There is no cluster lc.\nMake it: npx zx bootstrap/up.mjs')
    world.hasEngine = false
    expect((await status()).state).toBe('absent')
    expect(files()).toEqual([])
  })

  it('of a complete cluster has every step and workload, and asks for no image source and no rendering', async () => {
    await bringUp()
    world.log.length = 0
    world.system = () => {
      throw new Error('rendered')
    }
    const seen = await status()
    expect(seen.state).toBe('ready')
    expect(seen.trouble).toEqual([])
    expect(seen.workloads.filter(({ ready }) => ready)).toHaveLength(8)
    expect(world.log).toEqual([])
    expect(await statusText(seen)).toContain('8 of 8 workloads ready')
  })

  it('names the GPUs of a node, their tier, and what that tier does not prove', async () => {
    await bringUp()
    expect((await status()).gpus).toEqual([])
    world.cluster.objects.set('Node lc-control-plane', {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: {
        name: 'lc-control-plane',
        labels: {
          'nvidia.com/gpu.present': 'true',
          'io.local-cloud.gpu-tier': 'mock',
          'io.local-cloud.gpu-advertised': '2',
        },
      },
      status: { allocatable: { 'nvidia.com/gpu': '1' } },
    })
    const text = await statusText(await status())
    expect(text).toContain('lc-control-plane offers 1 of 2 GPUs, tier mock')
    expect(text).toContain('nothing here proves CUDA')
  })

  it('tells what is not ready', async () => {
    await bringUp()
    world.cluster.edit('Deployment slate/ollama', (object) => {
      object['status'] = { observedGeneration: 1, replicas: 1, updatedReplicas: 1, availableReplicas: 0 }
    })
    const seen = await status()
    expect(seen.state).toBe('partial')
    expect(await statusText(seen)).toMatch(/Deployment slate\/ollama +no +0 of 1 replicas available/)
  })

  it('has the health of every Service, autoscaler, schedule, Job and claim of the system, listing each kind once', async () => {
    const named = (apiVersion: string, kind: string, name: string, fields: object) => ({
      apiVersion,
      kind,
      metadata: { name, namespace: 'slate' },
      ...fields,
    })
    const job = named('batch/v1', 'Job', 'preload', {
      spec: { ttlSecondsAfterFinished: 60, template: { spec: {} } },
    })
    const system = world.system
    world.system = async () => [
      ...(await system('slate')),
      named('v1', 'Service', 'web', { spec: { ports: [{ port: 80 }] } }),
      named('autoscaling/v2', 'HorizontalPodAutoscaler', 'web-hpa', {
        spec: { scaleTargetRef: { kind: 'Deployment', name: 'dashboard' }, minReplicas: 2, maxReplicas: 6 },
      }),
      named('batch/v1', 'CronJob', 'nightly', { spec: { schedule: '0 0 * * *' } }),
      job,
    ]
    await bringUp()
    world.cluster.objects.delete('Job slate/preload')
    const put = (object: ReturnType<typeof named>, metadata: object): void => {
      const whole = { ...object, metadata: { ...object.metadata, ...metadata } }
      world.cluster.objects.set(`${object.kind} slate/${object.metadata.name}`, whole)
    }
    const slice = { endpoints: [{ conditions: { ready: false }, targetRef: { kind: 'Pod', name: 'web-1' } }] }
    put(named('discovery.k8s.io/v1', 'EndpointSlice', 'web-a', slice), {
      labels: { 'kubernetes.io/service-name': 'web' },
    })
    const waiting = { name: 'web', restartCount: 7, state: { waiting: { reason: 'CrashLoopBackOff' } } }
    put(named('v1', 'Pod', 'web-1', { status: { containerStatuses: [waiting] } }), {})
    put(named('batch/v1', 'Job', 'nightly-1', { status: { startTime: 'T', active: 1 } }), {
      ownerReferences: [{ kind: 'CronJob', name: 'nightly', uid: 'u', apiVersion: 'batch/v1' }],
    })
    world.cluster.reads.length = 0
    const seen = await status()
    const lists = world.cluster.reads.filter((read) => read.startsWith('list'))
    expect(new Set(lists).size).toBe(lists.length - 1)
    expect(lists.filter((read) => read === 'list Job')).toHaveLength(2)

    expect(seen.state).toBe('ready')
    expect(seen.health.services).toMatchObject([
      { name: 'web', ready: 0, total: 1, pods: [{ name: 'web-1', ready: false, restarts: 7 }] },
    ])
    expect(seen.health.autoscalers).toMatchObject([{ name: 'web-hpa', min: 2, max: 6 }])
    expect(seen.health.cronJobs).toMatchObject([{ name: 'nightly', schedule: '0 0 * * *' }])
    expect(seen.health.jobs).toMatchObject([
      { name: 'nightly-1', by: 'nightly', state: 'running' },
      { name: 'preload', state: 'gone' },
    ])
    expect(seen.health.claims).toMatchObject([{ name: 'data', phase: 'Bound' }])
    expect(seen.workloads).toContainEqual(
      expect.objectContaining({ kind: 'Job', name: 'preload', ready: true }),
    )
    const text = await statusText(seen)
    expect(text).toMatch(/slate\/web +80 +0 of 1 +web-1 container web waits: CrashLoopBackOff, 7 restarts/)
    expect(text).toMatch(/slate\/web-hpa +Deployment dashboard +0 +2 to 6/)
    expect(text).toMatch(/slate\/nightly +0 0 \* \* \* +waiting +never +never/)
    expect(text).toMatch(/slate\/preload +gone +was complete/)
  })

  it('tells that the API is dead, or that the engine is', async () => {
    await bringUp()
    world.cluster.answers = false
    expect(await status()).toMatchObject({ state: 'silent', trouble: ['the API: connection refused'] })
    for (const node of world.provider.clusters.get('lc')?.nodes ?? []) node.running = false
    expect(await status()).toMatchObject({ state: 'stopped' })
    world.tools.findEngine = () =>
      Promise.reject(new LocalCloudError('ENGINE_DEAD', { message: 'podman does not answer.' }))
    const dead = await status()
    expect(dead).toMatchObject({ state: 'unknown', trouble: ['the engine: podman does not answer.'] })
  })

  it('does not wait for an engine that hangs', async () => {
    world.tools.findEngine = (signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reject(signal.reason as Error)
        })
      })
    const started = Date.now()
    expect(await status(300)).toMatchObject({ state: 'unknown' })
    expect(Date.now() - started).toBeLessThan(10_000)
  })
})

describe('logs', () => {
  const pack = async (): Promise<string> => {
    const output = join(world.options.paths.repo, 'l.tar.gz')
    await logs(context({ name: 'lc', engine: 'auto' as const, timeoutMs: 10_000, output }), world.tools)
    return gunzipSync(readFileSync(output)).toString('latin1')
  }

  it('has versions, status and node logs with secrets removed, and says what is missing when the API is dead', async () => {
    await bringUp()
    world.cluster.answers = false
    world.provider.provider.exportLogs = (_name, directory) => {
      mkdirSync(join(directory, 'lc-control-plane'))
      writeFileSync(join(directory, 'lc-control-plane', 'kubelet.log'), 'started\npassword=hunter2secret\n')
      return Promise.resolve()
    }
    const archive = await pack()
    expect(archive).toContain('/versions.txt')
    expect(archive).toContain('/status.json')
    expect(archive).toContain('/nodes/lc-control-plane/kubelet.log')
    expect(archive).toContain('password=[removed]')
    expect(archive).not.toContain('hunter2secret')
    expect(printed[1]).toContain('without objects, events and container logs: connection refused')
  })

  it('is partial, not absent, when there is nothing at all', async () => {
    world.hasEngine = false
    expect(await pack()).toContain('engine none')
    expect(printed[0]).toContain('there is no cluster')
  })
})
