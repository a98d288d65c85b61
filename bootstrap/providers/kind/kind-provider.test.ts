import { readFileSync, statSync } from 'node:fs'
import http from 'node:http'
import net, { type AddressInfo } from 'node:net'

import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import type { ContainerInfo, Engine } from '../../engine/engine.ts'
import { fakeEngine, type FakeEngine } from '../../engine/fake-engine.ts'
import { fakeCli, type FakeAnswer, type FakeCli } from '../../engine/testing/fake-cli.ts'
import { temporaryFolder } from '../../engine/testing/temporary-folder.ts'
import type { Adaptation } from '../../host/adaptations.ts'
import type { Event } from '../../report/events.ts'
import type { ClusterProvider, ClusterSpec } from '../provider.ts'
import { createKindProvider } from './kind-provider.ts'

const adaptations: Adaptation[] = [
  { id: 'u', message: 'ulimits', effect: { kind: 'engine-ulimits', nofile: 1, nproc: 1 } },
  {
    id: 'k',
    message: 'kubelets',
    effect: { kind: 'kubelet', fields: { failCgroupV1: false, cgroupDriver: 'cgroupfs' } },
  },
]
const ours = { 'io.local-cloud.managed': 'true', 'io.local-cloud.cluster': 'c' }
const spec: ClusterSpec = {
  name: 'c',
  nodes: 1,
  nodeImage: 'localhost/node:1',
  httpPort: 8080,
  httpsPort: 8443,
  listenAddress: '127.0.0.1',
  kubeadmPatches: [],
  extraMounts: [],
}
const node = (
  name = 'c-control-plane',
  labels: Record<string, string> = ours,
  state = 'running',
): ContainerInfo => ({
  id: `id-${name}`,
  name,
  state,
  image: 'x',
  labels: {
    'io.x-k8s.kind.cluster': 'c',
    'io.x-k8s.kind.role': name.includes('worker') ? 'worker' : 'control-plane',
    ...labels,
  },
  mounts: [],
})

let fake: FakeEngine
let folder: string
let stateDir: string
let api: http.Server
let apiStatus: number
let events: Event[]
let progress: string[]
let kubeconfig: string

beforeEach(async () => {
  fake = fakeEngine()
  fake.images.push({ id: 'sha256:n', refs: ['localhost/node:1'], labels: {} })
  folder = temporaryFolder()
  stateDir = path.join(folder, 'state')
  events = []
  progress = []
  apiStatus = 200
  api = http.createServer((request, response) => {
    response.writeHead(request.url === '/readyz' ? apiStatus : 404).end()
  })
  await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve))
  const server = `http://127.0.0.1:${String((api.address() as net.AddressInfo).port)}`
  kubeconfig = JSON.stringify({ clusters: [{ cluster: { server } }], users: [{ user: {} }] })
})
afterEach(() => {
  api.close()
})

/** kind as far as the provider uses it: it "creates" what the test puts into the engine by itself. */
const kindProgram = (...answers: FakeAnswer[]): FakeCli =>
  fakeCli(folder, 'kind', [
    ...answers,
    { when: 'get kubeconfig --name c', stdout: kubeconfig },
    {
      when: 'create cluster *',
      then: `env | grep -E '^(KIND|KUBECONFIG)' > '${folder}/env'; cp "$6" '${folder}/config'; printf %s '${kubeconfig}' > "$8"`,
      stderr: ' • Preparing nodes 📦  ...\n ✓ Preparing nodes 📦\n • Starting control-plane 🕹️  ...\n',
    },
  ])

function provider(kind?: FakeCli, engine: Engine = fake.engine): ClusterProvider {
  return createKindProvider({
    engine,
    paths: { repo: '/nowhere', stateDir, cacheDir: '/nowhere' },
    adaptations,
    libModules: path.join(folder, 'modules'),
    kind: () =>
      kind === undefined
        ? Promise.reject(new Error('kind is not needed here'))
        : Promise.resolve(kind.program),
    emit: (event) => events.push(event),
  })
}

const run = (signal = AbortSignal.timeout(30_000)) => ({
  signal,
  progress: (message: string) => {
    progress.push(message)
  },
})

describe('create', () => {
  it('derives a labelled image, makes the network, and calls kind with a kubeconfig of its own', async () => {
    const kind = kindProgram()
    await provider(kind).create(spec, run())
    expect(fake.calls.filter((call) => !call.startsWith('start'))).toEqual([
      'build localhost/local-cloud/node:c',
      expect.stringContaining('local-cloud-c'),
      'tag localhost/local-cloud/node:c localhost/local-cloud/created:c',
    ])
    const kubeconfigFile = path.join(stateDir, 'clusters', 'c', 'kubeconfig')
    expect(kind.calls()[0]).toBe(
      `create cluster --name c --config ${stateDir}/clusters/c/kind.yaml --kubeconfig ${kubeconfigFile} --wait 0s --retain`,
    )
    expect(readFileSync(path.join(folder, 'env'), 'utf8')).toContain(
      'KIND_EXPERIMENTAL_PODMAN_NETWORK=local-cloud-c',
    )
    expect(readFileSync(path.join(folder, 'env'), 'utf8')).toContain(`KUBECONFIG=${kubeconfigFile}`)
    expect(readFileSync(path.join(folder, 'config'), 'utf8')).toContain('localhost/local-cloud/node:c')
    expect(statSync(kubeconfigFile).mode & 0o777).toBe(0o600)
  })

  it('tells what kind does, and once what the kubelets are told', async () => {
    await provider(kindProgram()).create(spec, run())
    expect(progress).toContain('Preparing nodes')
    expect(progress).toContain('Starting control-plane')
    expect(events).toContainEqual({ type: 'notice', level: 'info', message: 'kubelets' })
    expect(events).not.toContainEqual({ type: 'notice', level: 'info', message: 'ulimits' })
  })

  it('refuses a cluster of that name that is not ours, and touches nothing', async () => {
    fake.containers.push(node('c-control-plane', {}))
    await expect(provider().create(spec, run())).rejects.toMatchObject({ code: 'FOREIGN_CLUSTER' })
    expect(fake.calls).toEqual([])
  })

  it('keeps a complete cluster that answers', async () => {
    fake.containers.push(node())
    fake.images.push({ id: 'sha256:d', refs: ['localhost/local-cloud/created:c'], labels: ours })
    const kind = kindProgram()
    await provider(kind).create(spec, run())
    expect(kind.calls()).toEqual(['get kubeconfig --name c'])
    expect(fake.calls).toEqual([])
  })

  it('replaces what an interrupted creation left', async () => {
    fake.containers.push(node())
    const kind = kindProgram()
    await provider(kind).create(spec, run())
    expect(fake.calls[0]).toContain('id-c-control-plane')
    expect(fake.containers).toEqual([])
    expect(kind.calls()[0]).toContain('create cluster')
  })

  it('says what is missing before it makes anything', async () => {
    fake.images.length = 0
    await expect(provider().create(spec, run())).rejects.toMatchObject({ code: 'IMAGE_MISSING' })
    const nameless: Engine = { ...fake.engine, resolvesNames: false }
    await expect(provider(undefined, nameless).create({ ...spec, nodes: 2 }, run())).rejects.toMatchObject({
      code: 'MISSING_TOOL',
      hint: expect.stringContaining('aardvark-dns') as string,
    })
    expect(fake.calls).toEqual([])
  })

  /** An engine in which kind makes the node before it fails. */
  const halfway = (): Engine => ({
    ...fake.engine,
    listContainers: (label, signal) => fake.engine.listContainers(label, signal),
    ensureNetwork: async (name, labels, signal) => {
      await fake.engine.ensureNetwork(name, labels, signal)
      fake.containers.push(node())
    },
    logs: () => Promise.resolve('systemd: started\nkubelet: cannot start\n'),
  })

  it.each([
    ['COMMAND_FAILED', 'ERROR: failed to init node with kubeadm', 'kind could not create the cluster c.'],
    [
      'NO_DISK_SPACE',
      'ERROR: failed to create cluster: no space left on device',
      'kind could not create the cluster c: no space is left on a disk.',
    ],
  ])(
    '%s shows the last lines of kind and of the nodes, then removes the nodes',
    async (code, words, message) => {
      const kind = kindProgram({
        when: 'create cluster *',
        stderr: `${words}\n`,
        exit: 1,
      })
      await expect(provider(kind, halfway()).create(spec, run())).rejects.toMatchObject({
        code,
        message,
        evidence: [
          expect.stringContaining('kind create cluster'),
          words,
          'node c-control-plane (running):',
          'systemd: started',
          'kubelet: cannot start',
        ],
      })
      expect(fake.containers).toEqual([])
      expect(fake.networks).toEqual([])
    },
  )

  it('names an ingress port that was taken while it worked, then removes the nodes', async () => {
    const somebody = net.createServer()
    await new Promise<void>((resolve) => somebody.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      somebody.close()
    })
    const { port } = somebody.address() as AddressInfo
    const kind = kindProgram({
      when: 'create cluster *',
      stderr: `ERROR: failed to create cluster: Error: cannot listen on the TCP port: listen tcp4 127.0.0.1:${String(port)}: bind: address already in use\n`,
      exit: 1,
    })
    await expect(
      provider(kind, halfway()).create({ ...spec, httpPort: port, listenAddress: '127.0.0.1' }, run()),
    ).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      message: expect.stringContaining(`Port ${String(port)} on 127.0.0.1 is in use by`) as string,
    })
    expect(fake.containers).toEqual([])
    expect(fake.networks).toEqual([])
  })

  it('leaves labelled nodes behind when it is interrupted, and stops at once', async () => {
    const abort = new AbortController()
    const kind = kindProgram({ when: 'create cluster *', then: 'exec sleep 60' })
    const engine: Engine = {
      ...fake.engine,
      ensureNetwork: () => {
        fake.containers.push(node())
        setTimeout(() => {
          abort.abort()
        }, 100)
        return Promise.resolve()
      },
    }
    const started = Date.now()
    await expect(provider(kind, engine).create(spec, run(abort.signal))).rejects.toMatchObject({
      code: 'INTERRUPTED',
    })
    expect(Date.now() - started).toBeLessThan(5_000)
    expect(await provider().find('c', AbortSignal.timeout(1_000))).toMatchObject({
      owner: 'ours',
      complete: false,
    })
  })
})

describe('delete', () => {
  it('removes everything that carries the labels, without kind, and does so twice', async () => {
    fake.containers.push(node(), node('c-worker'))
    fake.volumes.push(
      { name: 'v1', labels: { 'c-control-plane': 'true' } },
      { name: 'other', labels: { 'd-control-plane': 'true' } },
    )
    fake.networks.push({ name: 'local-cloud-c', labels: ours })
    fake.images.push({
      id: 'sha256:d',
      refs: ['localhost/local-cloud/node:c', 'localhost/local-cloud/created:c'],
      labels: ours,
    })
    await provider().delete('c', run())
    expect(fake.containers).toEqual([])
    expect(fake.volumes.map(({ name }) => name)).toEqual(['other'])
    expect(fake.networks).toEqual([])
    expect(fake.images.map(({ refs }) => refs)).toEqual([['localhost/node:1']])
    const calls = fake.calls.length
    await provider().delete('c', run())
    expect(fake.calls).toHaveLength(calls)
  })

  it('removes the volume of a node that was never made', async () => {
    fake.volumes.push({ name: 'v1', labels: { 'c-control-plane': 'true' } })
    await provider().delete('c', run())
    expect(fake.volumes).toEqual([])
  })

  it('never touches a cluster that is not ours', async () => {
    fake.containers.push(node('c-control-plane', {}))
    fake.volumes.push({ name: 'v1', labels: { 'c-control-plane': 'true' } })
    await expect(provider().delete('c', run())).rejects.toMatchObject({ code: 'FOREIGN_CLUSTER' })
    expect(fake.calls).toEqual([])
  })
})

describe('start', () => {
  it('starts the control plane before the workers, and waits for the API', async () => {
    fake.containers.push(node('c-worker', ours, 'exited'), node('c-control-plane', ours, 'exited'))
    apiStatus = 500
    setTimeout(() => {
      apiStatus = 200
    }, 500)
    await provider(kindProgram()).start('c', run())
    expect(fake.calls).toEqual(['start c-control-plane', 'start c-worker'])
    expect(progress).toContain('waiting for the API server: /readyz answers 500')
  })

  it('says that there is no cluster, or that it is not ours', async () => {
    await expect(provider().start('c', run())).rejects.toMatchObject({ code: 'NO_CLUSTER' })
    fake.containers.push(node('c-control-plane', {}))
    await expect(provider().start('c', run())).rejects.toMatchObject({ code: 'FOREIGN_CLUSTER' })
  })

  it('ends its wait when it is interrupted', async () => {
    fake.containers.push(node())
    apiStatus = 500
    const abort = new AbortController()
    setTimeout(() => {
      abort.abort()
    }, 200)
    await expect(provider(kindProgram()).start('c', run(abort.signal))).rejects.toMatchObject({
      code: 'INTERRUPTED',
    })
  })
})

describe('images', () => {
  it('are sent to the nodes that lack them only', async () => {
    fake.containers.push(node(), node('c-worker'))
    const sent: string[] = []
    const engine: Engine = {
      ...fake.engine,
      exec: (container, argv, { stdinFile }) => {
        if (argv[0] === 'crictl') {
          const images =
            container === 'c-worker' ? [] : [{ id: 'sha256:1', repoTags: ['docker.io/library/a:1'] }]
          return Promise.resolve({ exitCode: 0, stdout: JSON.stringify({ images }), stderr: '' })
        }
        sent.push(`${container} ${String(stdinFile)} ${argv.slice(2, 4).join(' ')}`)
        return Promise.resolve({ exitCode: 0, stdout: '', stderr: '' })
      },
    }
    await provider(undefined, engine).loadImages(
      'c',
      [{ ref: 'a:1', id: 'sha256:1', archive: '/a.tar' }],
      run(),
    )
    expect(sent).toEqual(['c-worker /a.tar images import'])
  })

  it('that a node refuses are an error with the node’s words', async () => {
    fake.containers.push(node())
    const engine: Engine = {
      ...fake.engine,
      exec: (_container, argv) =>
        Promise.resolve(
          argv[0] === 'crictl'
            ? { exitCode: 0, stdout: '{}', stderr: '' }
            : { exitCode: 1, stdout: '', stderr: 'ctr: no space left on device\n' },
        ),
    }
    await expect(
      provider(undefined, engine).loadImages('c', [{ ref: 'a:1', id: 'sha256:1', archive: '/a.tar' }], run()),
    ).rejects.toMatchObject({
      code: 'NO_DISK_SPACE',
      evidence: [
        expect.stringMatching(/^\$ podman exec c-control-plane ctr .* < \/a\.tar$/),
        'ctr: no space left on device',
      ],
    })
  })
})

it('logs are written per node, and a kind that fails does not hide them', async () => {
  fake.containers.push(node())
  const engine: Engine = { ...fake.engine, logs: () => Promise.resolve('boot\n') }
  const directory = path.join(folder, 'logs')
  await provider(kindProgram({ when: 'export logs *', stderr: 'ERROR: no\n', exit: 1 }), engine).exportLogs(
    'c',
    directory,
    AbortSignal.timeout(10_000),
  )
  expect(readFileSync(path.join(directory, 'c-control-plane', 'container.log'), 'utf8')).toBe('boot\n')
  expect(readFileSync(path.join(directory, 'export-error.txt'), 'utf8')).toContain('ERROR: no')
})
