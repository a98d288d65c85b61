import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import http from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { openEngine } from '../../bootstrap/engine/detect-engine.ts'
import { clusterLabel, managedLabel, type Engine } from '../../bootstrap/engine/engine.ts'
import { writeArchive } from '../../bootstrap/images/oci/archive.ts'
import { makeImage } from '../../bootstrap/images/oci/image.ts'
import { writeLayer } from '../../bootstrap/images/oci/layer.ts'
import { makerNames } from '../../bootstrap/plan/options.ts'
import { runCommand } from '../../bootstrap/process/run-command.ts'
import { resolvePaths } from '../../bootstrap/state/paths.ts'
import { kindPath } from '../../bootstrap/tools/kind.ts'
import { builtImages } from '../harness/built-images.ts'
import { linesOf, ownCluster, type Ended, type Line, type OwnCluster } from '../harness/own-cluster.ts'
import { eventually } from '../harness/eventually.ts'
import { smallDisk, type SmallDisk } from '../harness/small-disk.ts'

const signal = (): AbortSignal => AbortSignal.timeout(15 * 60_000)
const repo = path.join(import.meta.dirname, '..', '..')
const paths = resolvePaths(repo, {}, process.env, repo)
const plain = ['--system', 'none', '--images', 'packages'] as const

let cluster: OwnCluster
let engine: Engine
let nodeImage = ''
beforeAll(async () => {
  cluster = await ownCluster('faults')
  engine = await openEngine({
    choice: 'auto',
    paths,
    install: false,
    emit: () => undefined,
    signal: signal(),
  })
  nodeImage = (await builtImages(engine, paths, signal())).nodeImage
})
afterAll(() => cluster[Symbol.asyncDispose]())

/** Containers, networks and images of this cluster, whatever would have made them. */
const made = async (): Promise<string[]> => {
  const label = `${clusterLabel}=${cluster.name}`
  const [found, networks, images] = await Promise.all([
    engine.listContainers(label, signal()),
    engine.listNetworks(label, signal()),
    engine.listImages(label, signal()),
  ])
  return [...found.map(({ name }) => name), ...networks, ...images.flatMap(({ refs }) => refs)]
}

/** A registry that has nothing and to which every reference leads, with what it was asked for. */
async function emptyRegistry(): Promise<AsyncDisposable & { configuration: string; asked(): string }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'empty-registry-'))
  const asked: string[] = []
  const server = http.createServer((request, response) => {
    asked.push(request.url ?? '')
    if (request.url === '/v2/') response.end('{}')
    else response.writeHead(404).end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const configuration = path.join(folder, 'registries.conf')
  const registries = ['docker.io', 'quay.io', 'registry.k8s.io'].map(
    (name) => `[[registry]]\nprefix = "${name}"\nlocation = "127.0.0.1:${String(port)}"\ninsecure = true\n`,
  )
  await writeFile(configuration, `unqualified-search-registries = []\n${registries.join('')}`)
  return {
    configuration,
    asked: () => asked.join('\n'),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await rm(folder, { recursive: true })
    },
  }
}

const containers = () => engine.listContainers(`io.x-k8s.kind.cluster=${cluster.name}`, signal())

const errorOf = (ended: Ended): Line | undefined => linesOf(ended).find(({ type }) => type === 'error')

const succeeded = (ended: Ended): string[] =>
  linesOf(ended).flatMap(({ type, step }) => (type === 'succeeded' && step !== undefined ? [step] : []))

const ok = (ended: Ended): void => {
  expect(ended.exitCode, ended.stdout.slice(-3_000) + ended.stderr.slice(-2_000)).toBe(0)
}

describe('up, on a real engine', () => {
  it.each(makerNames)('%s: finds a taken port before anything is made', async (provider) => {
    const listener = createServer()
    await new Promise<void>((resolve) => listener.listen(cluster.httpPort, '127.0.0.1', resolve))
    try {
      const ended = await cluster.command('up', [...plain, '--provider', provider])
      expect(ended.exitCode).toBe(3)
      expect(errorOf(ended)).toMatchObject({
        code: 'PORT_TAKEN',
        message: expect.stringContaining(String(cluster.httpPort)) as string,
      })
      expect(await made()).toEqual([])
    } finally {
      await new Promise((resolve) => listener.close(resolve))
    }
  })

  it('names an image that neither the engine nor the registry has, and makes nothing', async () => {
    await using empty = await emptyRegistry()
    const ended = await cluster.command(
      'up',
      ['--system', 'none', '--provider', 'k3s', '--images', 'registry'],
      { CONTAINERS_REGISTRIES_CONF: empty.configuration },
    )
    expect(ended.exitCode, ended.stdout.slice(-3_000)).toBe(4)
    const error = errorOf(ended)
    expect(error).toMatchObject({
      code: 'IMAGE_MISSING',
      hint: expect.stringContaining('--images') as string,
    })
    const [, image = 'no image'] =
      /^The registry has no image docker\.io\/(\S+):\S+, or/.exec(String(error?.message)) ?? []
    expect(empty.asked(), String(error?.message)).toContain(`/v2/${image}/manifests/`)
    expect(await made()).toEqual([])
  })

  describe('on a full disk', () => {
    let disk: SmallDisk
    beforeEach(async () => {
      disk = await smallDisk(8, signal())
    })
    afterEach(() => disk[Symbol.asyncDispose]())

    it.each([
      ['the state directory', '--state-dir', '96.0 MiB'],
      ['the cache directory', '--cache-dir', '28.0 GiB'],
    ])('up names %s, what it needs and what can go, and leaves nothing there', async (_, flag, needed) => {
      await disk.fill()
      const ended = await cluster.command('up', [...plain, flag, disk.path])
      expect(ended.exitCode, ended.stdout.slice(-3_000)).toBe(3)
      expect(errorOf(ended)).toMatchObject({
        code: 'NO_DISK_SPACE',
        message: expect.stringMatching(
          new RegExp(` needs ${needed} below ${disk.path}, where 0\\.\\d MiB are free\\.$`),
        ) as string,
        hint: expect.stringMatching(
          /^Free .* \(bootstrap\/down --all --purge .*\), or put .* on another disk/,
        ) as string,
      })
      expect(await disk.files()).toEqual([])
      expect(await made()).toEqual([])
    })

    it('down removes a cluster all the same', async () => {
      await cluster.command('status', ['--state-dir', disk.path])
      const container = `${cluster.name}-full`
      await engine.runDetached(
        {
          image: nodeImage,
          command: ['/bin/sleep', '600'],
          name: container,
          labels: { [managedLabel]: 'true', [clusterLabel]: cluster.name },
        },
        signal(),
      )
      try {
        await disk.fill()
        expect(await made()).toEqual([container])
        const ended = await cluster.command('down', ['--state-dir', disk.path])
        ok(ended)
        expect(linesOf(ended)).toContainEqual(
          expect.objectContaining({
            type: 'notice',
            message: expect.stringContaining('going on without it') as string,
          }),
        )
        expect(await made()).toEqual([])
      } finally {
        await engine.remove(container, signal())
      }
    })

    it('an image that does not fit into the engine is told as such, and none of it stays', async ({
      skip,
    }) => {
      if (engine.kind !== 'podman') skip('only podman takes its storage from the environment')
      const work = await mkdtemp(path.join(tmpdir(), 'full-engine-'))
      vi.stubEnv('CONTAINERS_STORAGE_CONF', path.join(work, 'storage.conf'))
      try {
        await writeFile(
          path.join(work, 'storage.conf'),
          `[storage]\ndriver = "overlay"\nrunroot = "${disk.path}/run"\ngraphroot = "${disk.path}/graph"\n`,
        )
        await writeFile(path.join(work, 'random'), randomBytes(12 * 2 ** 20))
        const layer = await writeLayer(
          [{ kind: 'file', path: '/random', source: path.join(work, 'random'), mode: 0o644 }],
          path.join(work, 'layer.tar'),
        )
        const archive = path.join(work, 'image.tar')
        await writeArchive([makeImage('localhost/local-cloud-too-large:1', [layer], {})], archive)
        await expect(engine.loadArchive(archive, signal())).rejects.toMatchObject({
          code: 'NO_DISK_SPACE',
          hint: expect.stringContaining('podman system df') as string,
          evidence: expect.arrayContaining([expect.stringContaining('no space left on device')]) as string[],
        })
        const { stdout } = await runCommand(engine.program, ['images', '--all', '--quiet'], {
          signal: signal(),
          env: engine.env,
        })
        expect(stdout).toBe('')
      } finally {
        vi.unstubAllEnvs()
        await rm(work, { recursive: true })
      }
    })
  })

  it('never touches a cluster of the same name that somebody else made', async () => {
    const name = `${cluster.name}-control-plane`
    const flags = [
      '--label',
      `io.x-k8s.kind.cluster=${cluster.name}`,
      '--label',
      'io.x-k8s.kind.role=control-plane',
      '--label',
      `${managedLabel}=`,
    ]
    await runCommand(
      engine.kind,
      ['run', '--detach', '--name', name, ...flags, '--entrypoint', '/bin/sleep', nodeImage, '600'],
      {
        signal: signal(),
        env: engine.env,
      },
    )
    try {
      const [before] = await containers()
      expect(before?.state).toBe('running')
      for (const command of ['up', 'down'] as const) {
        const ended = await cluster.command(command, command === 'up' ? plain : [])
        if (command === 'up') expect(errorOf(ended)).toMatchObject({ code: 'FOREIGN_CLUSTER' })
        expect((await containers())[0]).toMatchObject({ id: before?.id, state: 'running' })
      }
    } finally {
      await engine.remove(name, signal())
    }
  })

  it('ends with 130 on SIGINT while the cluster is made; the same command completes it afterwards', async () => {
    const running = cluster.start('up', plain)
    await eventually(
      'a node container is there',
      async () => {
        const found = await containers()
        return { ok: found.length > 0, seen: `${String(found.length)} containers` }
      },
      { timeoutMs: 10 * 60_000, intervalMs: 200, signal: signal() },
    )
    running.kill('SIGINT')
    const ended = await running.ended
    expect(ended.exitCode, ended.stderr).toBe(130)
    expect(errorOf(ended)).toMatchObject({ code: 'INTERRUPTED' })
    for (const container of await containers())
      expect(container.labels).toMatchObject({ [managedLabel]: 'true' })

    ok(await cluster.command('up', plain))
    expect((await containers()).map(({ state }) => state)).toEqual(['running'])
  })

  it('has nothing to do the second time, and two at once do not disturb each other', async () => {
    const [first, second] = await Promise.all([cluster.command('up', plain), cluster.command('up', plain)])
    for (const ended of [first, second]) {
      ok(ended)
      expect(linesOf(ended).at(-1)).toMatchObject({ type: 'result', changed: false })
      expect(succeeded(ended)).toEqual([])
    }
  })

  it('is a cluster for stock kind commands', async () => {
    const kind = await kindPath({ paths, emit: () => undefined, signal: signal() })
    const { stdout } = await runCommand(kind, ['get', 'clusters'], { signal: signal(), env: engine.env })
    expect(stdout.split('\n')).toContain(cluster.name)
    const directory = await mkdtemp(path.join(tmpdir(), 'kind-logs-'))
    try {
      await runCommand(kind, ['export', 'logs', directory, '--name', cluster.name], {
        signal: signal(),
        env: engine.env,
      })
      const files = await readdir(directory, { recursive: true })
      expect(files.some((file) => file.endsWith('kubelet.log'))).toBe(true)
      expect(files.some((file) => file.endsWith('containerd.log'))).toBe(true)
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  })

  it('refuses a change that needs a new cluster and says what it would take', async () => {
    const ended = await cluster.command('up', [...plain, '--nodes', '2'])
    expect(ended.exitCode).toBe(2)
    expect(errorOf(ended)).toMatchObject({
      code: 'CHANGE_NEEDS_RECREATE',
      hint: expect.stringContaining('--recreate') as string,
    })
    expect(await containers()).toHaveLength(1)
  })

  it('starts a cluster again whose containers were stopped, as after a reboot', async () => {
    const [before] = await containers()
    await engine.stop(before?.name ?? '', signal())
    const ended = await cluster.command('up', plain)
    ok(ended)
    expect((await containers())[0]).toMatchObject({ id: before?.id, state: 'running' })
  })

  it('makes the cluster again when its container is gone', async () => {
    const [before] = await containers()
    await engine.remove(before?.name ?? '', signal())
    ok(await cluster.command('up', plain))
    const [after] = await containers()
    expect(after?.state).toBe('running')
    expect(after?.id).not.toBe(before?.id)
  })

  it('down removes everything by labels alone, twice, without the state directory', async () => {
    await rm(path.join(cluster.stateDir, 'clusters'), { recursive: true, force: true })
    ok(await cluster.command('down'))
    expect(await containers()).toEqual([])
    const label = `${clusterLabel}=${cluster.name}`
    expect(await engine.listNetworks(label, signal())).toEqual([])
    expect(await engine.listVolumes(label, signal())).toEqual([])
    expect(await engine.listImages(label, signal())).toEqual([])
    expect(existsSync(path.join(cluster.stateDir, 'clusters', cluster.name))).toBe(false)
    ok(await cluster.command('down'))
  })
})
