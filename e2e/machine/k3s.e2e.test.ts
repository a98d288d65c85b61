import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openEngine } from '../../bootstrap/engine/detect-engine.ts'
import { clusterLabel, managedLabel, type Engine, type RunSpec } from '../../bootstrap/engine/engine.ts'
import { deriveNodeImage } from '../../bootstrap/providers/cluster-image.ts'
import { compatibleLines, programOf, stateVolume } from '../../bootstrap/providers/k3s/k3s-image.ts'
import { startFailure, startState, type StartState } from '../../bootstrap/providers/k3s/k3s-start.ts'
import { resolvePaths } from '../../bootstrap/state/paths.ts'
import { freePort } from '../../bootstrap/host/free-port.ts'
import { createK3sProvider } from '../../bootstrap/providers/k3s/k3s-provider.ts'
import { breakableImage, brokenVariable, brokenWords } from '../harness/breakable-image.ts'
import { eventually } from '../harness/eventually.ts'
import { builtImages } from '../harness/built-images.ts'

/*
 * The entrypoint of the k3s-compatible image in real containers: what a caller sees when one of its stages fails, that a plain container is a
 * cluster with a network of its own, and that it comes back with another address.
 */
const repository = path.join(import.meta.dirname, '..', '..')
const paths = resolvePaths(repository, {}, process.env, repository)
const cluster = `k3s-entry-${randomBytes(3).toString('hex')}`
const signal = AbortSignal.timeout(900_000)

const folder = mkdtempSync(path.join(tmpdir(), 'k3s-entry-'))

let engine: Engine
let image: string
beforeAll(async () => {
  engine = await openEngine({ choice: 'auto', paths, install: false, emit: () => undefined, signal })
  image = await deriveNodeImage(engine, {
    cluster,
    nodeImage: (await builtImages(engine, paths, signal)).nodeImage,
    folder,
    lines: compatibleLines,
    signal,
  })
}, 300_000)

afterAll(async () => {
  for (const { id } of await engine.listContainers(`${clusterLabel}=${cluster}`, signal))
    await engine.remove(id, signal)
  for (const network of await engine.listNetworks(`${clusterLabel}=${cluster}`, signal))
    await engine.removeNetwork(network, signal)
  await engine.removeImage(image, signal)
  rmSync(folder, { recursive: true, force: true })
}, 60_000)

let count = 0
/** A node container as @testcontainers/k3s makes it but for the host's cgroup namespace. */
async function start(argv: readonly string[], more: Partial<RunSpec> = {}): Promise<string> {
  count += 1
  const name = `${cluster}-${String(count)}`
  await engine.runDetached(
    {
      image,
      name,
      hostname: name,
      command: [programOf['k3s-compatible'], ...argv],
      privileged: true,
      cgroupNamespace: 'private',
      tmpfs: ['/run', '/tmp'],
      labels: { [managedLabel]: 'true', [clusterLabel]: cluster },
      ...more,
      mounts: [{ source: `${name}-state`, target: stateVolume }, ...(more.mounts ?? [])],
    },
    signal,
  )
  return name
}

const remove = async (name: string): Promise<void> => {
  await engine.remove(name, signal)
  await engine.removeVolume(`${name}-state`, signal)
}

/** Looks at the log until the node has started or failed. */
async function outcome(
  name: string,
  role: 'server' | 'agent' = 'server',
  since?: Date,
): Promise<StartState & { log: string }> {
  const deadline = Date.now() + 120_000
  for (;;) {
    const log = await engine.logs(name, { tail: 200, signal, ...(since === undefined ? {} : { since }) })
    const state = startState(log, 'k3s-compatible', role)
    if (state.kind !== 'starting' || Date.now() > deadline) return { ...state, log }
    await delay(100, undefined, { signal })
  }
}

const tryKubectl = (name: string, stop: AbortSignal, ...argv: string[]) =>
  engine.exec(name, ['kubectl', '--kubeconfig=/etc/rancher/k3s/k3s.yaml', ...argv], { signal: stop })

async function kubectl(name: string, ...argv: string[]): Promise<string> {
  const result = await tryKubectl(name, signal, ...argv)
  expect(result.stderr + String(result.exitCode)).toBe('0')
  return result.stdout.trim()
}

const sources = path.join(repository, 'images', 'k3s-compatible')
/** Stages that the entrypoint's own tests let fail: those that wait in vain, and those of an agent. */
const ownTested = async (): Promise<string[]> =>
  [
    ...(await readFile(path.join(sources, 'stages_test.go'), 'utf8')).matchAll(
      /\{"([a-z-]+)", "|stage != "([a-z-]+)"/g,
    ),
  ].map(([, waits, other]) => waits ?? other ?? '')

/** Names of stages in the entrypoint's code. */
async function stagesInSource(): Promise<string[]> {
  const files = (await readdir(sources)).filter((file) => /^(agent|node|objects|server)\.go$/.test(file))
  const code = (await Promise.all(files.map((file) => readFile(path.join(sources, file), 'utf8')))).join('\n')
  const named = /\b(?:at|until|run|serve)\("([^"]+)"|\brunInto\(\w+, "([^"]+)"/g
  return [...new Set([...code.matchAll(named)].map(([, first, other]) => first ?? other ?? ''))].sort()
}

describe('a stage that fails is named, with the last lines of its log', () => {
  const breakable = `localhost/local-cloud/breakable:${cluster}`
  const files = mkdtempSync(path.join(folder, 'broken-'))
  beforeAll(async () => {
    const labels = { [managedLabel]: 'true', [clusterLabel]: cluster }
    await breakableImage(engine, { from: image, tag: breakable, labels }, signal)
    writeFileSync(path.join(files, 'sysctl.conf'), 'no.such.thing = 1\n')
    mkdirSync(path.join(files, 'cgroup'))
    writeFileSync(path.join(files, 'cgroup', 'cgroup.controllers'), 'memory\n')
    writeFileSync(path.join(files, 'cgroup', 'cgroup.procs'), '')
    mkdirSync(path.join(files, 'empty'))
  }, 60_000)
  afterAll(() => engine.removeImage(breakable, signal))

  interface Stage {
    stage: string
    argv?: string[]
    more?: Partial<RunSpec>
    /** What the error has to say: the entrypoint's words, or the last ones of the program. */
    words: string
  }
  const mounted = (source: string, target: string): Pick<Stage, 'more'> => ({
    more: { mounts: [{ source: path.resolve(files, source), target, readOnly: true }] },
  })
  /** A call of a program of the node fails; its own words have to be there. */
  const called = (call: string, program: string): Pick<Stage, 'more' | 'words'> => ({
    more: { image: breakable, env: { [brokenVariable]: `${call}*` } },
    words: brokenWords(program),
  })
  const stages: Stage[] = [
    {
      stage: 'directories',
      ...mounted('sysctl.conf', '/etc/rancher'),
      words: '/etc/rancher: not a directory',
    },
    { stage: 'identity', more: { network: 'none' }, words: 'this container has no default route' },
    { stage: 'mounts', more: { privileged: false }, words: 'is the container privileged?' },
    { stage: 'sysctls', ...mounted('sysctl.conf', '/etc/sysctl.d/99-broken.conf'), words: 'no.such.thing' },
    {
      stage: 'cgroups',
      more: { mounts: [{ source: path.join(files, 'cgroup'), target: '/sys/fs/cgroup' }] },
      words: 'the cgroup controller cpu is not handed to this container',
    },
    { stage: 'resolver', ...called('reachable-resolver', 'reachable-resolver') },
    { stage: 'seed', ...called('link-seed', 'link-seed') },
    {
      stage: 'gpu',
      more: {
        image: breakable,
        env: { [brokenVariable]: 'gpu*' },
        mounts: [{ source: path.join(files, 'empty'), target: '/etc/local-cloud/gpu', readOnly: true }],
      },
      words: brokenWords('gpu'),
    },
    { stage: 'containerd', ...called('containerd', 'containerd') },
    { stage: 'etcd', ...called('etcd', 'etcd') },
    { stage: 'certificates', argv: ['--tls-san=not/a/name'], words: 'not/a/name' },
    { stage: 'kube-apiserver', argv: ['--kube-apiserver-arg=nonsense=1'], words: 'unknown flag: --nonsense' },
    { stage: 'kubeconfigs', ...called('kubeadm init phase kubeconfig', 'kubeadm') },
    { stage: 'network', ...mounted('empty', '/etc/cni/net.d'), words: 'read-only file system' },
    { stage: 'kubelet', argv: ['--kubelet-arg=nonsense=1'], words: 'unknown flag: --nonsense' },
    {
      stage: 'kube-controller-manager',
      argv: ['--kube-controller-manager-arg=nonsense=1'],
      words: 'unknown flag: --nonsense',
    },
    { stage: 'kube-scheduler', ...called('kube-scheduler', 'kube-scheduler') },
    { stage: 'kube-proxy', ...called('kube-proxy', 'kube-proxy') },
    { stage: 'coredns', ...called('kubeadm init phase addon coredns', 'kubeadm') },
  ]

  it('every stage is among them, or among the entrypoint’s own tests', async () => {
    const tested = [...stages.map(({ stage }) => stage), ...(await ownTested())]
    expect((await stagesInSource()).filter((stage) => !tested.includes(stage))).toEqual([])
    expect(tested.filter((stage) => stage.includes(' '))).toEqual([])
  })

  it.for(stages)('$stage', { timeout: 150_000 }, async ({ stage, argv = [], more = {}, words }) => {
    const name = await start(['server', ...argv], more)
    try {
      const seen = await outcome(name)
      expect(seen, seen.log).toMatchObject({ kind: 'failed', stage })
      await eventually(
        'its container has ended',
        async (stop) => {
          const containers = await engine.listContainers(`${clusterLabel}=${cluster}`, stop)
          const state = containers.find((container) => container.name === name)?.state ?? 'gone'
          return { ok: state === 'exited', seen: state }
        },
        { timeoutMs: 15_000, intervalMs: 200, signal },
      )
      const log = await engine.logs(name, { tail: 80, signal })
      const { message, evidence } = startFailure(name, log, startState(log, 'k3s-compatible', 'server'))
      expect(message).toContain(`it ended at the stage ${stage}: `)
      expect(evidence.join('\n')).toContain(words)
    } finally {
      await remove(name)
    }
  })

  it('an argument that it does not honour ends it at once, by name', async () => {
    const result = await engine.run(
      { image, command: [programOf['k3s-compatible'], 'server', '--flannel-iface=eth0'] },
      signal,
    )
    expect(result.exitCode).toBe(2)
    expect(result.stderr).toContain('--flannel-iface is not honoured')
  })
})

it('a plain container is a cluster: its node is ready, a pod runs, and it is back with another address', async () => {
  const name = await start(['server', '--disable=traefik', '--disable=coredns'])
  const ready = async (since?: Date): Promise<void> => {
    const seen = await outcome(name, 'server', since)
    expect(seen, seen.log).toMatchObject({ kind: 'ready' })
  }
  const addressOf = [
    ...['get', 'node', name],
    '--output=jsonpath={.status.addresses[?(@.type=="InternalIP")].address}',
  ]
  const containerOf = [
    ...['get', 'pod', 'one'],
    '--output=jsonpath={.status.containerStatuses[0].containerID} {.status.containerStatuses[0].ready}',
  ]
  const shows = (what: string, argv: string[], isWanted: (words: string) => boolean) =>
    eventually(
      what,
      async (stop) => {
        const { exitCode, stdout, stderr } = await tryKubectl(name, stop, ...argv)
        const words = stdout.trim()
        return { ok: exitCode === 0 && isWanted(words), seen: words + stderr }
      },
      { timeoutMs: 90_000, intervalMs: 500, signal },
    )
  try {
    await ready()
    await kubectl(name, 'wait', `node/${name}`, '--for=condition=Ready', '--timeout=60s')
    await kubectl(
      name,
      ...['run', 'one', '--image=docker.io/library/busybox:1.35.0', '--image-pull-policy=Never'],
      ...['--', 'sleep', '3600'],
    )
    await kubectl(name, 'wait', 'pod/one', '--for=condition=Ready', '--timeout=60s')
    expect(await kubectl(name, 'get', 'pod', 'one', '--output=jsonpath={.status.podIP}')).toMatch(
      /^10\.42\.0\./,
    )
    const before = await kubectl(name, ...addressOf)
    const [container = ''] = (await kubectl(name, ...containerOf)).split(' ')
    const since = new Date()
    await engine.stop(name, signal)
    expect(await engine.logs(name, { tail: 5, since, signal })).toContain('received terminated, ending')
    // Somebody else gets its address.
    await engine.runDetached(
      {
        image,
        name: `${name}-squatter`,
        command: ['/bin/sleep', '600'],
        labels: { [managedLabel]: 'true', [clusterLabel]: cluster },
      },
      signal,
    )
    const again = new Date()
    await engine.start(name, signal)
    await ready(again)
    await shows('the node has another address', addressOf, (now) => now !== '' && now !== before)
    // What the pod said before the stop stands there until the kubelet looks again: another container has to run.
    await shows(
      'the pod runs again',
      containerOf,
      (now) => !now.startsWith(container) && now.endsWith(' true'),
    )
  } finally {
    await engine.remove(`${name}-squatter`, signal)
    await remove(name)
  }
}, 480_000)

it('an agent joins with the token of its server', async () => {
  const provider = createK3sProvider({ engine, paths })
  const run = { signal, progress: () => undefined }
  const name = `${cluster}-two`
  const spec = { listenAddress: '127.0.0.1', kubeadmPatches: [], extraMounts: [], nodeImage: image }
  try {
    await provider.create(
      { ...spec, name, nodes: 2, httpPort: await freePort(), httpsPort: await freePort() },
      run,
    )
    const nodes = await kubectl(`${name}-control-plane`, 'get', 'nodes', '--output=name')
    expect(nodes.split('\n').sort()).toEqual([`node/${name}-control-plane`, `node/${name}-worker`])
  } finally {
    await provider.delete(name, run)
  }
}, 240_000)

describe('a cluster that cannot be', () => {
  const run = { signal, progress: () => undefined }
  const name = `${cluster}-broken`
  const spec = async () => ({
    name,
    nodes: 1,
    nodeImage: image,
    httpPort: await freePort(),
    httpsPort: await freePort(),
    listenAddress: '127.0.0.1',
    kubeadmPatches: [],
    extraMounts: [],
  })
  const left = async (): Promise<string[]> => [
    ...(await engine.listContainers(`${clusterLabel}=${name}`, signal)).map((container) => container.name),
    ...(await engine.listNetworks(`${clusterLabel}=${name}`, signal)),
    ...(await engine.listImages(`${clusterLabel}=${name}`, signal)).flatMap(({ refs }) => refs),
  ]

  it('because a program of its node fails: the error has the stage and its last lines, and nothing is left', async () => {
    const program = path.join(folder, 'link-seed')
    writeFileSync(program, `#!/bin/sh\necho "${brokenWords('link-seed')}" >&2\nexit 7\n`, { mode: 0o755 })
    const containerPath = '/usr/local/libexec/local-cloud/link-seed'
    const creating = createK3sProvider({ engine, paths }).create(
      { ...(await spec()), extraMounts: [{ hostPath: program, containerPath, readOnly: true }] },
      run,
    )
    await expect(creating).rejects.toMatchObject({
      code: 'NODE_START_FAILED',
      message: expect.stringContaining('it ended at the stage seed: ') as string,
      evidence: expect.arrayContaining([expect.stringContaining(brokenWords('link-seed'))]) as string[],
    })
    expect(await left()).toEqual([])
  }, 60_000)

  it('because somebody took a port of its ingress: the error has the port and who it is, and nothing is left', async () => {
    const somebody = createServer()
    await new Promise<void>((resolve) => somebody.listen(0, '127.0.0.1', resolve))
    const { port } = somebody.address() as { port: number }
    try {
      const creating = createK3sProvider({ engine, paths }).create(
        { ...(await spec()), httpsPort: port },
        run,
      )
      await expect(creating).rejects.toMatchObject({
        code: 'PORT_TAKEN',
        message: expect.stringContaining(`Port ${String(port)} on 127.0.0.1 is in use by`) as string,
      })
      expect(await left()).toEqual([])
    } finally {
      await new Promise((resolve) => somebody.close(resolve))
    }
  }, 60_000)
})
