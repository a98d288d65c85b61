import { createServer } from 'node:net'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openEngine } from '../../bootstrap/engine/detect-engine.ts'
import { clusterLabel, managedLabel, type Engine } from '../../bootstrap/engine/engine.ts'
import { runCommand } from '../../bootstrap/process/run-command.ts'
import { resolvePaths } from '../../bootstrap/state/paths.ts'
import { kindPath } from '../../bootstrap/tools/kind.ts'
import { builtImages } from '../harness/built-images.ts'
import { linesOf, ownCluster, type Ended, type Line, type OwnCluster } from '../harness/own-cluster.ts'
import { eventually } from '../harness/eventually.ts'

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

const containers = () => engine.listContainers(`io.x-k8s.kind.cluster=${cluster.name}`, signal())

const errorOf = (ended: Ended): Line | undefined => linesOf(ended).find(({ type }) => type === 'error')

const succeeded = (ended: Ended): string[] =>
  linesOf(ended).flatMap(({ type, step }) => (type === 'succeeded' && step !== undefined ? [step] : []))

const ok = (ended: Ended): void => {
  expect(ended.exitCode, ended.stdout.slice(-3_000) + ended.stderr.slice(-2_000)).toBe(0)
}

describe('up, on a real engine', () => {
  it('finds a taken port before anything is made', async () => {
    const listener = createServer()
    await new Promise<void>((resolve) => listener.listen(cluster.httpPort, '127.0.0.1', resolve))
    try {
      const ended = await cluster.command('up', plain)
      expect(ended.exitCode).toBe(3)
      expect(errorOf(ended)).toMatchObject({
        code: 'PORT_TAKEN',
        message: expect.stringContaining(String(cluster.httpPort)) as string,
      })
      expect(await containers()).toEqual([])
    } finally {
      await new Promise((resolve) => listener.close(resolve))
    }
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
