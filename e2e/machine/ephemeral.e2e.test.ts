import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { stripVTControlCharacters } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { openEngine } from '../../bootstrap/engine/detect-engine.ts'
import { clusterLabel, type Engine } from '../../bootstrap/engine/engine.ts'
import { freePort } from '../../bootstrap/host/free-port.ts'
import { createEphemeralProvider } from '../../bootstrap/providers/k3s/ephemeral-provider.ts'
import { ownerLabel, ownerOf } from '../../bootstrap/providers/k3s/ephemeral-owner.ts'
import { providerLabel } from '../../bootstrap/providers/k3s/k3s-nodes.ts'
import { resolvePaths } from '../../bootstrap/state/paths.ts'
import { breakableImage, brokenWords } from '../harness/breakable-image.ts'
import { builtImages } from '../harness/built-images.ts'
import { startEphemeralCluster, type EphemeralCluster, type EphemeralOptions } from '../harness/ephemeral.ts'
import { eventually } from '../harness/eventually.ts'
import { request } from '../harness/http-client.ts'
import { runE2e } from '../harness/run-e2e.ts'
import { useApi } from '../harness/shared-api.ts'
import { smallDisk } from '../harness/small-disk.ts'
import { CheckBroke } from '../harness/verdict.ts'

/* Disposable clusters through @testcontainers/k3s, as a test of somebody else would use them. */
const repository = path.join(import.meta.dirname, '..', '..')
const paths = resolvePaths(repository, {}, process.env, repository)
const signal = AbortSignal.timeout(1_200_000)
const images = { kind: 'packages' } as const
const busybox = 'docker.io/library/busybox:1.35.0'

let engine: Engine
let nodeImage: string
beforeAll(async () => {
  engine = await openEngine({ choice: 'auto', paths, install: false, emit: () => undefined, signal })
  nodeImage = (await builtImages(engine, paths, signal)).nodeImage
}, 300_000)

const start = (options: EphemeralOptions = {}): Promise<EphemeralCluster> =>
  startEphemeralCluster({ images, cacheDir: paths.cacheDir, ...options })

/** Containers and networks of one cluster, or containers of all that this process made: others may be at work on this machine. */
async function leftOf(name?: string): Promise<string[]> {
  const containers = await engine.listContainers(
    name === undefined ? `${ownerLabel}=${ownerOf(process.pid)}` : `${clusterLabel}=${name}`,
    signal,
  )
  const networks = name === undefined ? [] : await engine.listNetworks(`${clusterLabel}=${name}`, signal)
  return [...containers.map((container) => container.name), ...networks]
}

/** Folders of disposable clusters among the temporary files that belong to a process. */
const foldersOf = (pid: number | undefined): string[] =>
  readdirSync(tmpdir()).filter((name) => {
    const owner = path.join(tmpdir(), name, 'owner.json')
    if (!name.startsWith('local-cloud-ephemeral-') || !existsSync(owner)) return false
    return readFileSync(owner, 'utf8').includes(`/${String(pid)}/`)
  })

/** Command lines of the engine's services that this process runs. */
const ownServices = (): string[] =>
  readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
      } catch {
        return ''
      }
    })
    .filter((line) => line.includes(' system service ') && line.includes(`-api-${String(process.pid)}-`))

const pod = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'shell', image: busybox, imagePullPolicy: 'Never', command: ['sleep', '3600'] }],
  },
})

const running = async (cluster: EphemeralCluster, name: string): Promise<void> => {
  await cluster.kube.apply([pod(name)], { signal })
  await cluster.kube.waitFor(
    { apiVersion: 'v1', kind: 'Pod', namespace: 'default', name },
    (object) => {
      const { phase } = (object?.['status'] ?? {}) as { phase?: string }
      return phase === 'Running' ? { met: true, seen: phase } : { met: false, seen: phase ?? 'no pod' }
    },
    { timeoutMs: 60_000, signal },
  )
}

describe('a bare one', () => {
  it('has a node that runs a pod, and leaves nothing behind its scope', async () => {
    let name: string
    let file: string
    {
      await using cluster = await start()
      ;({ name } = cluster)
      file = cluster.kubeconfigFile
      expect(cluster.kubeconfig).toContain(`current-context: k3s-${name}`)
      await running(cluster, 'one')
      expect(await leftOf(name)).toHaveLength(1)
      expect(existsSync(file)).toBe(true)
      expect(ownServices()).toHaveLength(engine.kind === 'podman' ? 1 : 0)
    }
    expect(await leftOf(name)).toEqual([])
    expect(existsSync(file)).toBe(false)
    expect(ownServices()).toEqual([])
  }, 180_000)

  it('says which image it cannot load, or that the disk has no room for it, and goes on', async () => {
    await using disk = await smallDisk(160, signal)
    vi.stubEnv('TMPDIR', disk.path)
    onTestFinished(() => {
      vi.unstubAllEnvs()
    })
    await using cluster = await start()
    await expect(cluster.loadImage('localhost/absent:1')).rejects.toMatchObject({
      code: 'IMAGE_MISSING',
      message: `The image localhost/absent:1 is not in ${engine.kind}.`,
      hint: expect.stringContaining('pull localhost/absent:1') as string,
    })
    const before = await disk.files()
    await expect(cluster.loadImage(nodeImage)).rejects.toMatchObject({
      code: 'NO_DISK_SPACE',
      message: expect.stringMatching(
        new RegExp(
          `^The archive of ${nodeImage} needs \\S+ GiB below ${disk.path}\\S+, where \\S+ MiB are free`,
        ),
      ) as string,
      hint: expect.stringContaining('TMPDIR') as string,
    })
    expect(await disk.files()).toEqual(before)
    await running(cluster, 'one')
    await cluster.stop()
    expect(await disk.files()).toEqual([])
  }, 180_000)

  it('takes other host ports when somebody has those that were chosen, or takes them while it starts', async () => {
    const [early, late] = [createServer(), createServer()]
    const chosen: number[] = []
    const choosePort = async (): Promise<number> => {
      const port = await freePort()
      if (chosen.length === 0) await new Promise<void>((resolve) => early.listen(port, '127.0.0.1', resolve))
      chosen.push(port)
      return port
    }
    const told: string[] = []
    onTestFinished(() => {
      early.close()
      late.close()
    })
    await using cluster = await startEphemeralCluster(
      {
        images,
        cacheDir: paths.cacheDir,
        onProgress(line) {
          told.push(line)
          // The second choice is free until the engine is asked to bind it.
          if (line.startsWith('starting ephemeral-') && !late.listening) late.listen(chosen[2], '127.0.0.1')
        },
      },
      choosePort,
    )
    const taken = told.filter((line) => line.endsWith('Others are chosen.'))
    expect(taken).toEqual([
      expect.stringContaining(`Port ${String(chosen[0])} on`),
      expect.stringContaining(`Port ${String(chosen[2])} on`),
    ])
    expect(cluster.ingressUrl).toBe(`http://127.0.0.1:${String(chosen[4])}`)
    expect(await leftOf()).toHaveLength(1)
  }, 180_000)

  it('can be had twice at once', async () => {
    const clusters = await Promise.all([start(), start()])
    onTestFinished(async () => {
      await Promise.all(clusters.map((cluster) => cluster.stop()))
    })
    await Promise.all(clusters.map((cluster) => running(cluster, 'one')))
    const [first, second] = clusters
    await first.kube.apply(
      [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'mine', namespace: 'default' } }],
      { signal },
    )
    const ref = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'default', name: 'mine' }
    expect(await first.kube.get(ref, signal)).toBeDefined()
    expect(await second.kube.get(ref, signal)).toBeUndefined()
    await Promise.all(clusters.map((cluster) => cluster.stop()))
    expect((await Promise.all(clusters.map(({ name }) => leftOf(name)))).flat()).toEqual([])
  }, 240_000)

  it('leaves nothing when it is aborted while it starts', async () => {
    const abort = new AbortController()
    const before = await leftOf()
    const starting = start({
      signal: abort.signal,
      onProgress: (line) => {
        if (line.startsWith('starting ephemeral-')) abort.abort()
      },
    })
    await expect(starting).rejects.toThrow()
    expect(await leftOf()).toEqual(before)
  }, 120_000)
})

describe('is refused before anything is made', () => {
  afterEach(() => {
    vi.unstubAllEnvs()
  })

  it('where nobody listens on the socket that DOCKER_HOST names', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'ephemeral-dead-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const socket = path.join(folder, 'engine.sock')
    const engineOnce = spawn(process.execPath, [
      '--eval',
      `require('node:net').createServer().listen(${JSON.stringify(socket)}, () => process.kill(process.pid, 'SIGKILL'))`,
    ])
    await once(engineOnce, 'exit')
    expect(statSync(socket).isSocket()).toBe(true)
    const before = await leftOf()
    vi.stubEnv('DOCKER_HOST', `unix://${socket}`)
    await expect(start()).rejects.toMatchObject({
      code: 'ENGINE_DEAD',
      message: expect.stringContaining(engine.kind === 'podman' ? socket : 'docker') as string,
    })
    vi.unstubAllEnvs()
    expect(await leftOf()).toEqual(before)
  })

  it('where the disk for temporary files is full', async () => {
    await using disk = await smallDisk(8, signal)
    await disk.fill()
    const before = await leftOf()
    vi.stubEnv('TMPDIR', disk.path)
    await expect(start()).rejects.toMatchObject({
      code: 'NO_DISK_SPACE',
      message: `An ephemeral cluster needs 96.0 MiB below ${disk.path}, where 0.0 MiB are free.`,
      hint: expect.stringMatching(/^Free 96\.0 MiB there \(.* removes .*\), or .*TMPDIR/) as string,
    })
    expect(await disk.files()).toEqual([])
    expect(await leftOf()).toEqual(before)
  })
})

describe('whose node dies while it starts', () => {
  const label = `io.local-cloud.test=${randomBytes(4).toString('hex')}`
  afterAll(async () => {
    // Also the image that was derived of each.
    for (const image of await engine.listImages(label, signal))
      for (const ref of image.refs) await engine.removeImage(ref, signal)
  })

  it.each([
    ['at once', 'seed', 'link-seed', 'link-seed*'],
    ['after the API is there', 'coredns', 'kubeadm', 'kubeadm init phase addon coredns*'],
  ])(
    '%s: the error has the stage and the last lines, and nothing is left',
    async (_, stage, program, broken) => {
      const [key = '', value = ''] = label.split('=')
      const tag = `localhost/local-cloud/breakable:${stage}-${value}`
      await breakableImage(engine, { from: nodeImage, tag, labels: { [key]: value }, broken }, signal)
      await using api = await useApi(engine, signal)
      const stateDir = await mkdtemp(path.join(tmpdir(), 'ephemeral-broken-'))
      onTestFinished(() => rm(stateDir, { recursive: true }))
      const name = `broken-${value}`
      const creating = createEphemeralProvider({
        engine,
        paths: { ...paths, stateDir },
        socket: api.url,
      }).create(
        {
          name,
          nodes: 1,
          nodeImage: tag,
          network: 'basic',
          httpPort: await freePort(),
          httpsPort: await freePort(),
          listenAddress: '127.0.0.1',
          kubeadmPatches: [],
          extraMounts: [],
        },
        { signal, progress: () => undefined },
      )
      await expect(creating).rejects.toMatchObject({
        code: 'NODE_START_FAILED',
        message: expect.stringContaining(`it ended at the stage ${stage}: `) as string,
        evidence: expect.arrayContaining([expect.stringContaining(brokenWords(program))]) as string[],
      })
      expect(await leftOf(name)).toEqual([])
    },
    120_000,
  )
})

it('two suites at once do not disturb each other', async () => {
  const children = [0, 1].map(() =>
    spawn(
      process.execPath,
      [
        path.join(repository, 'node_modules', 'vitest', 'vitest.mjs'),
        ...['run', '--project', 'machine', '--testNamePattern', 'has a node that runs a pod'],
        path.relative(repository, import.meta.filename),
      ],
      { cwd: repository, env: withoutVitest(process.env), stdio: ['ignore', 'pipe', 'pipe'] },
    ),
  )
  const ended = children.map(async (child): Promise<{ exitCode: number | null; output: string }> => {
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
      })
    const [exitCode] = (await once(child, 'close')) as [number | null]
    return { exitCode, output }
  })
  const over = new AbortController()
  const seen = clustersOf(
    children.map(({ pid }) => pid ?? 0),
    over.signal,
  )
  for (const { exitCode, output } of await Promise.all(ended)) {
    expect(exitCode, output.slice(-4_000)).toBe(0)
    expect(stripVTControlCharacters(output)).toMatch(/Tests +1 passed/)
  }
  over.abort()
  const { atOnce, names } = await seen
  // Else this would have shown nothing.
  expect(atOnce).toBe(2)
  expect((await Promise.all([...names].map((name) => leftOf(name)))).flat()).toEqual([])
}, 300_000)

/** Clusters that were made below these processes, and how many of the processes had one at the same moment. */
async function clustersOf(
  processes: readonly number[],
  until: AbortSignal,
): Promise<{ atOnce: number; names: ReadonlySet<string> }> {
  const names = new Set<string>()
  let atOnce = 0
  while (!until.aborted) {
    const containers = await engine.listContainers(`${providerLabel}=ephemeral`, signal)
    const found = containers.flatMap(({ labels }) => {
      const owner = Number(labels[ownerLabel]?.split('/')[2])
      const above = processes.find((one) => isBelow(owner, one))
      return above === undefined ? [] : [{ name: labels[clusterLabel] ?? '', above }]
    })
    for (const { name } of found) names.add(name)
    atOnce = Math.max(atOnce, new Set(found.map(({ above }) => above)).size)
    await delay(100, undefined, { signal: until }).catch(() => undefined)
  }
  return { atOnce, names }
}

/** Whether a process was started by another one, at any remove. */
function isBelow(pid: number, ancestor: number): boolean {
  if (pid === ancestor) return true
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
    return parent > 1 && isBelow(parent, ancestor)
  } catch {
    return false
  }
}

/** A run of vitest inside a run of vitest must not take itself for a part of it. */
const withoutVitest = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(env).filter(([name]) => !name.startsWith('VITEST') && name !== 'NODE_ENV'),
  )

it('what a killed process left is removed by the next start, and nothing else', async () => {
  const script = `const { startEphemeralCluster } = await import(${JSON.stringify(path.join(repository, 'e2e/harness/ephemeral.ts'))})
    const cluster = await startEphemeralCluster(${JSON.stringify({ images, cacheDir: paths.cacheDir })})
    console.log(cluster.name)
    setInterval(() => undefined, 1_000)`
  const folder = await mkdtemp(path.join(tmpdir(), 'ephemeral-killed-'))
  const file = path.join(folder, 'starts.mjs')
  await writeFile(file, script)
  const child = spawn(process.execPath, [file], { cwd: repository, stdio: ['ignore', 'pipe', 'inherit'] })
  const name = await Promise.race([
    once(createInterface({ input: child.stdout }), 'line').then(([line]) => String(line)),
    once(child, 'exit').then(([code]) => {
      throw new CheckBroke(`The process that was to be killed ended by itself with ${String(code)}.`)
    }),
  ])
  const foreign = await engine.runDetached(
    {
      image: nodeImage,
      command: ['/bin/sleep', '600'],
      name: `${name}-foreign`,
      labels: { somebody: 'else' },
    },
    signal,
  )
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await rm(folder, { recursive: true, force: true })
    await engine.remove(foreign, signal)
  })
  expect(foldersOf(child.pid)).toHaveLength(engine.kind === 'podman' ? 2 : 1)
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(await leftOf(name)).not.toEqual([])
  await using other = await start()
  expect(await leftOf(name)).toEqual([])
  expect(foldersOf(child.pid)).toEqual([])
  expect(foldersOf(process.pid)).not.toEqual([])
  expect(await leftOf(other.name)).toHaveLength(1)
  const others = await engine.listContainers('somebody=else', signal)
  expect(others.find((container) => container.id === foreign)?.state).toBe('running')
}, 240_000)

describe('one that is shared', () => {
  /** A process that starts two workers one after the other, each of which starts a cluster twice, and tells their names. It stays until it is told. */
  async function testRun(reuse: 'worker' | 'run') {
    const folder = await mkdtemp(path.join(tmpdir(), 'ephemeral-shared-'))
    const worker = path.join(folder, 'worker.mjs')
    const run = path.join(folder, 'run.mjs')
    const options = JSON.stringify({ images, cacheDir: paths.cacheDir, reuse })
    await writeFile(
      worker,
      `const { startEphemeralCluster } = await import(${JSON.stringify(path.join(repository, 'e2e/harness/ephemeral.ts'))})
       const names = []
       for (const _ of [1, 2]) {
         await using cluster = await startEphemeralCluster(${options})
         await cluster.kube.list({ apiVersion: 'v1', kind: 'Namespace' }, AbortSignal.timeout(20_000))
         names.push(cluster.name)
       }
       process.send(names)
       process.disconnect()`,
    )
    await writeFile(
      run,
      `import { fork } from 'node:child_process'
       import { once } from 'node:events'
       setInterval(() => undefined, 1_000)
       for (const _ of [1, 2]) {
         const child = fork(${JSON.stringify(worker)})
         const [names] = await once(child, 'message')
         await once(child, 'exit')
         console.log(names.join(' '))
       }`,
    )
    const child = spawn(process.execPath, [run], { cwd: repository, stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = once(child, 'exit')
    onTestFinished(async () => {
      child.kill('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    })
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    /** Names of the clusters that the next worker was given; it has ended. */
    const worked = async (): Promise<string[]> => {
      const next = await lines.next()
      if (next.done === true) throw new CheckBroke('The run ended before its workers.')
      return next.value.split(' ')
    }
    const kill = async (): Promise<void> => {
      child.kill('SIGKILL')
      await ended
    }
    return { worked, kill }
  }

  /** Folders of the clusters of others stay. */
  let others: string[]
  beforeEach(() => {
    others = readdirSync(tmpdir())
  })
  const goes = (name: string) =>
    eventually(
      `the cluster ${name} is gone with its files`,
      async () => {
        const files = (await readdir(tmpdir())).filter(
          (file) => file.startsWith('local-cloud-ephemeral-') && !others.includes(file),
        )
        const left = [...(await leftOf(name)), ...files]
        return { ok: left.length === 0, seen: left.join(', ') || 'nothing' }
      },
      { timeoutMs: 60_000, intervalMs: 200, signal },
    )

  it('by a run is the same in every worker, and goes when the run is killed', async () => {
    const { worked, kill } = await testRun('run')
    const names = [...(await worked()), ...(await worked())]
    expect(new Set(names).size, names.join(' ')).toBe(1)
    const [name = ''] = names
    expect(await leftOf(name)).toHaveLength(1)
    await kill()
    await goes(name)
  }, 300_000)

  it('by a worker is the same in that worker, and goes with it', async () => {
    const { worked, kill } = await testRun('worker')
    const [first, second] = [await worked(), await worked()]
    expect([new Set(first).size, new Set(second).size]).toEqual([1, 1])
    expect(first[0]).not.toBe(second[0])
    await Promise.all([...first, ...second].map(goes))
    await kill()
  }, 300_000)
})

it('with a system and all add-ons answers through its ingress, and passes the smoke suite', async () => {
  await using cluster = await start({ system: 'slate' })
  const answer = await request(`${cluster.ingressUrl}/api/agents`, {
    host: 'slate.local',
    timeoutMs: 10_000,
    signal,
  })
  expect(answer).toMatchObject({ kind: 'answered', status: 200 })
  expect(answer.kind === 'answered' && JSON.parse(answer.body)).toMatchObject({ service: 'agent-router' })
  const stateDir = path.resolve(path.dirname(cluster.kubeconfigFile), '..', '..')
  const where = ['--name', cluster.name, '--state-dir', stateDir]
  const { exitCode, output, report } = await runE2e(['--suite', 'smoke', ...where], { signal })
  expect(exitCode, output).toBe(0)
  const verdicts = report?.tests.map(({ verdict }) => verdict) ?? []
  expect(verdicts.length, output).toBeGreaterThan(20)
  expect(new Set(verdicts), output).toEqual(new Set(['pass']))
}, 600_000)

it('refuses what cannot be before anything is made', async () => {
  const before = await leftOf()
  await expect(start({ system: 'nothing' })).rejects.toMatchObject({ code: 'UNKNOWN_SYSTEM' })
  await expect(start({ nodes: 2, cni: 'basic' })).rejects.toMatchObject({ code: 'BAD_VALUE' })
  expect(await leftOf()).toEqual(before)
})
