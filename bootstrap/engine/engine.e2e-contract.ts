import { copyFileSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { findPortHolder } from '../host/free-ports.ts'
import { managedLabel, type Engine } from './engine.ts'

export interface EngineContractOptions {
  open(signal: AbortSignal): Promise<Engine>
  /** Path of a statically linked busybox; everything is built from it, no registry is needed. */
  busybox: string
}

/** What every engine adapter must do, checked on a real engine. Call it in an e2e suite; it removes what it makes. */
export function engineContract(options: EngineContractOptions): void {
  describe('engine contract', () => {
    const run = `local-cloud-contract-${String(process.pid)}`
    const label = `io.local-cloud.contract=${run}`
    const labels = { [managedLabel]: 'true', 'io.local-cloud.contract': run }
    const image = `localhost/${run}:1`
    const signal = AbortSignal.timeout(300_000)
    let engine: Engine
    let folder: string

    beforeAll(async () => {
      engine = await options.open(signal)
      folder = mkdtempSync(path.join(os.tmpdir(), 'local-cloud-contract-'))
      copyFileSync(options.busybox, path.join(folder, 'busybox'))
      const containerfile = path.join(folder, 'Containerfile')
      writeFileSync(
        containerfile,
        [
          'FROM scratch',
          'ARG GREETING',
          'COPY busybox /bin/busybox',
          'RUN ["/bin/busybox", "--install", "/bin"]',
          'RUN echo "$GREETING" > /greeting',
          'VOLUME /data',
          'LABEL own=label',
          '',
        ].join('\n'),
      )
      await engine.build(
        { containerfile, context: folder, tag: image, labels, args: { GREETING: 'hello' } },
        signal,
      )
    }, 120_000)

    afterAll(async () => {
      for (const { name } of await engine.listContainers(label, signal)) await engine.remove(name, signal)
      for (const network of await engine.listNetworks(label, signal))
        await engine.removeNetwork(network, signal)
      for (const { refs } of await engine.listImages(label, signal)) {
        for (const ref of refs) await engine.removeImage(ref, signal)
      }
      rmSync(folder, { recursive: true, force: true })
    }, 60_000)

    it('builds with labels and arguments', async () => {
      const [info] = await engine.listImages(label, signal)
      expect(info).toMatchObject({ refs: [image], labels: { ...labels, own: 'label' } })
      expect(info?.id).toMatch(/^sha256:[0-9a-f]{64}$/)
      expect(await engine.inspectImage(image, signal)).toEqual(info)
      const greeting = await engine.run({ image, command: ['/bin/cat', '/greeting'] }, signal)
      expect(greeting).toMatchObject({ exitCode: 0, stdout: 'hello\n' })
    })

    it('builds without network and never pulls a base image', async () => {
      const containerfile = path.join(folder, 'Offline')
      writeFileSync(
        containerfile,
        `FROM ${image}\nRUN ! wget -T 2 -q http://192.0.2.1/ && ! grep -v lo: /proc/net/dev | grep eth\n`,
      )
      const tag = `localhost/${run}:offline`
      await engine.build({ containerfile, context: folder, tag, labels }, signal)
      await engine.removeImage(tag, signal)
      writeFileSync(containerfile, 'FROM localhost/local-cloud-absent:1\n')
      await expect(engine.build({ containerfile, context: folder, tag }, signal)).rejects.toMatchObject({
        code: 'COMMAND_FAILED',
      })
    })

    it('derives an image that only adds labels, quickly', async () => {
      const containerfile = path.join(folder, 'Derived')
      writeFileSync(containerfile, `FROM ${image}\nENV ADDED=yes\n`)
      const tag = `localhost/${run}:derived`
      await engine.build({ containerfile, context: folder, tag, labels: { more: 'yes' } }, signal)
      expect((await engine.inspectImage(tag, signal))?.labels).toMatchObject({
        ...labels,
        own: 'label',
        more: 'yes',
      })
    })

    it('returns exit code and both streams of a run, and leaves no container', async () => {
      const result = await engine.run(
        {
          image,
          labels,
          command: ['/bin/sh', '-c', 'echo out; echo err >&2; exit 7'],
          env: { A: 'b' },
          tmpfs: ['/run'],
        },
        signal,
      )
      expect(result).toEqual({ exitCode: 7, stdout: 'out\n', stderr: 'err\n' })
      expect(await engine.listContainers(label, signal)).toEqual([])
    })

    it('stops a run at once when it is aborted, and leaves no container', async () => {
      const abort = new AbortController()
      const running = engine.run({ image, labels, command: ['/bin/sleep', '300'] }, abort.signal)
      const seen = async (): Promise<void> => {
        const [container] = await engine.listContainers(label, signal)
        if (container?.state !== 'running') await seen()
      }
      await seen()
      abort.abort()
      await expect(running).rejects.toMatchObject({ code: 'INTERRUPTED' })
      expect(await engine.listContainers(label, signal)).toEqual([])
    }, 60_000)

    it('lists, executes in, stops, starts and removes a container', async () => {
      const name = `${run}-one`
      const mount = path.join(folder, 'mounted')
      writeFileSync(mount, 'from the host')
      await engine.runDetached(
        {
          image,
          name,
          labels,
          privileged: true,
          command: [
            '/bin/sh',
            '-c',
            'trap exit TERM; echo started; echo trouble >&2; while :; do sleep 0.2; done',
          ],
          mounts: [{ source: mount, target: '/mounted', readOnly: true }],
        },
        signal,
      )
      const [info] = await engine.listContainers(label, signal)
      expect(info).toMatchObject({
        name,
        state: 'running',
        image,
        labels: { ...labels, own: 'label' },
        // And the volume that the image itself has.
        mounts: ['/data', '/mounted'],
      })
      expect(await engine.exec(name, ['cat', '/mounted'], { signal })).toEqual({
        exitCode: 0,
        stdout: 'from the host',
        stderr: '',
      })
      expect((await engine.exec(name, ['sh', '-c', 'echo no >&2; exit 9'], { signal })).exitCode).toBe(9)

      const large = path.join(folder, 'large')
      writeFileSync(large, '')
      truncateSync(large, 50_000_000)
      const counted = await engine.exec(name, ['wc', '-c'], { signal, stdinFile: large })
      expect(counted.stdout.trim()).toBe(String(statSync(large).size))

      expect(await engine.logs(name, { tail: 10, signal })).toMatch(
        /started[\s\S]*trouble|trouble[\s\S]*started/,
      )
      await engine.stop(name, signal)
      expect((await engine.listContainers(label, signal))[0]?.state).toBe('exited')
      await expect(engine.exec(name, ['true'], { signal })).rejects.toMatchObject({ code: 'COMMAND_FAILED' })
      await engine.start(name, signal)
      expect((await engine.exec(name, ['true'], { signal })).exitCode).toBe(0)
      await engine.remove(name, signal)
      await engine.remove(name, signal)
      expect(await engine.listContainers(label, signal)).toEqual([])
    }, 60_000)

    it('saves several images into one archive and loads them again', async () => {
      const second = `localhost/${run}:2`
      await engine.tag(image, second, signal)
      const archive = path.join(folder, 'images.tar')
      await engine.saveArchive([image, second], archive, signal)
      await engine.removeImage(second, signal)
      await engine.removeImage(second, signal)
      expect(await engine.imageExists(second, signal)).toBe(false)
      expect((await engine.loadArchive(archive, signal)).sort()).toEqual([image, second])
      expect(await engine.imageExists(second, signal)).toBe(true)
    }, 60_000)

    it('makes networks once, knows them by label, and refuses those of others', async () => {
      const name = `${run}-net`
      await engine.ensureNetwork(name, labels, signal)
      await engine.ensureNetwork(name, labels, signal)
      expect(await engine.listNetworks(label, signal)).toEqual([name])
      await expect(engine.ensureNetwork(name, { ...labels, other: 'yes' }, signal)).rejects.toMatchObject({
        code: 'FOREIGN_NETWORK',
      })
      if (engine.resolvesNames) {
        const server = `${run}-server`
        await engine.runDetached(
          {
            image,
            labels,
            name: server,
            network: name,
            command: ['/bin/httpd', '-f', '-p', '80', '-h', '/'],
          },
          signal,
        )
        const found = await engine.run(
          {
            image,
            network: name,
            command: [
              '/bin/sh',
              '-c',
              `for i in 1 2 3 4 5 6 7 8 9; do wget -q -O - http://${server}/greeting && exit 0; sleep 0.3; done; exit 1`,
            ],
          },
          signal,
        )
        expect(found).toMatchObject({ exitCode: 0, stdout: 'hello\n' })
        await engine.remove(server, signal)
      }
      await engine.removeNetwork(name, signal)
      await engine.removeNetwork(name, signal)
      expect(await engine.listNetworks(label, signal)).toEqual([])
    }, 60_000)

    it('publishes a port on the address it was told', async () => {
      const name = `${run}-port`
      // On a network of its own, as our nodes are.
      await engine.ensureNetwork(name, labels, signal)
      await engine.runDetached(
        {
          image,
          network: name,
          labels,
          name,
          command: ['/bin/httpd', '-f', '-p', '80', '-h', '/'],
          ports: [{ listenAddress: '127.0.0.1', hostPort: 18_099, containerPort: 80 }],
        },
        signal,
      )
      expect(await findPortHolder(18_099, '127.0.0.1')).toBeDefined()
      await vi.waitFor(
        async () => {
          const answer = await fetch('http://127.0.0.1:18099/greeting')
          expect(await answer.text()).toBe('hello\n')
        },
        { timeout: 20_000, interval: 250 },
      )
      await engine.remove(name, signal)
      await engine.removeNetwork(name, signal)
      expect(await findPortHolder(18_099, '127.0.0.1')).toBeUndefined()
    }, 60_000)

    it('gives up on a registry that does not answer, in time', async () => {
      const started = Date.now()
      // 192.0.2.0/24 is reserved for documentation (RFC 5737): nothing answers there.
      await expect(
        engine.pull('192.0.2.123:5000/local-cloud/absent:1', { timeoutMs: 3_000, signal }),
      ).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE' })
      expect(Date.now() - started).toBeLessThan(25_000)
    }, 60_000)

    it('leaves no volume', async () => {
      expect(await engine.listVolumes(label, signal)).toEqual([])
      await engine.removeVolume(`${run}-absent`, signal)
    })
  })
}
