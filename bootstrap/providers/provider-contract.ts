import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clusterLabel, type Engine } from '../engine/engine.ts'
import type { StepRun } from '../steps/step.ts'
import type { ClusterProvider, ClusterSpec } from './provider.ts'

export interface ProviderContractOptions {
  open(signal: AbortSignal): Promise<{ engine: Engine; provider: ClusterProvider }>
  /** A node image that the engine has. */
  nodeImage: string
  /** An image that the engine has and the node image does not hold. */
  loadable: string
  /** Name, node count and host ports of the cluster that is made and removed. */
  spec: Pick<ClusterSpec, 'name' | 'nodes' | 'httpPort' | 'httpsPort'>
}

/** What every cluster provider must do, checked on a real engine. Call it in an e2e suite; it removes what it makes. */
export function providerContract(options: ProviderContractOptions): void {
  const { name } = options.spec
  const spec: ClusterSpec = {
    ...options.spec,
    nodeImage: options.nodeImage,
    listenAddress: '127.0.0.1',
    kubeadmPatches: [],
    extraMounts: [],
  }

  describe(`provider contract of ${name}`, () => {
    const signal = AbortSignal.timeout(900_000)
    const progress: string[] = []
    const run: StepRun = {
      signal,
      progress: (message) => {
        progress.push(message)
      },
    }
    let engine: Engine
    let provider: ClusterProvider
    let folder: string

    beforeAll(async () => {
      ;({ engine, provider } = await options.open(signal))
      folder = mkdtempSync(path.join(os.tmpdir(), 'local-cloud-contract-'))
    }, 120_000)

    afterAll(async () => {
      await provider.delete(name, run)
      rmSync(folder, { recursive: true, force: true })
    }, 120_000)

    const controlPlane = async (): Promise<string> => {
      const found = await provider.find(name, signal)
      return found?.nodes[0]?.name ?? ''
    }
    const kubectl = async (...argv: string[]): Promise<string> => {
      const node = await controlPlane()
      const result = await engine.exec(
        node,
        ['kubectl', '--kubeconfig=/etc/kubernetes/admin.conf', ...argv],
        { signal },
      )
      expect(result.stderr + String(result.exitCode)).toBe('0')
      return result.stdout
    }
    const leftovers = async (): Promise<unknown[]> =>
      (
        await Promise.all([
          engine.listContainers(`${clusterLabel}=${name}`, signal),
          engine.listNetworks(`${clusterLabel}=${name}`, signal),
          engine.listImages(`${clusterLabel}=${name}`, signal),
          engine.listVolumes(`${name}-control-plane`, signal),
          engine.listVolumes(`${name}-worker`, signal),
        ])
      ).flat()

    it('finds nothing where nothing is, and removing that is no error', async () => {
      expect(await provider.find(name, signal)).toBeUndefined()
      await provider.delete(name, run)
      await expect(provider.start(name, run)).rejects.toMatchObject({ code: 'NO_CLUSTER' })
    }, 60_000)

    it('leaves an interrupted creation labelled', async () => {
      const abort = new AbortController()
      const creating = provider.create(spec, {
        signal: abort.signal,
        progress: (message) => {
          if (/control-plane/i.test(message)) abort.abort()
        },
      })
      await expect(creating).rejects.toMatchObject({ code: 'INTERRUPTED' })
      expect(await provider.find(name, signal)).toMatchObject({ owner: 'ours', complete: false })
    }, 180_000)

    it('creates a cluster from what that left, and its API answers from the host', async () => {
      await provider.create(spec, run)
      expect(progress).not.toEqual([])
      const found = await provider.find(name, signal)
      expect(found).toMatchObject({ name, owner: 'ours', complete: true })
      expect(found?.nodes).toHaveLength(spec.nodes)
      expect(found?.nodes[0]).toMatchObject({ role: 'control-plane', running: true })
      expect(await provider.list(signal)).toContainEqual(found)
      expect(await provider.kubeconfig(name, signal)).toMatch(
        new RegExp(
          `server: https://127\\.0\\.0\\.1:\\d+[\\s\\S]*current-context: ${provider.kind}-${name}\\b`,
        ),
      )
      expect((await kubectl('get', 'nodes', '--output', 'name')).trim().split('\n')).toHaveLength(spec.nodes)
    }, 300_000)

    it('keeps it when it is asked to create it again', async () => {
      const before = await kubectl('get', 'namespace', 'kube-system', '--output', 'jsonpath={.metadata.uid}')
      await provider.create(spec, run)
      expect(await kubectl('get', 'namespace', 'kube-system', '--output', 'jsonpath={.metadata.uid}')).toBe(
        before,
      )
    }, 60_000)

    it('loads an image into every node, once', async () => {
      const archive = path.join(folder, 'image.tar')
      await engine.saveArchive([options.loadable], archive, signal)
      const image = await engine.inspectImage(options.loadable, signal)
      const images = [{ ref: options.loadable, archive, id: image?.id ?? '' }]
      await provider.loadImages(name, images, run)
      for (const node of (await provider.find(name, signal))?.nodes ?? []) {
        const listed = await engine.exec(
          node.name,
          ['crictl', 'inspecti', '--output', 'json', options.loadable],
          { signal },
        )
        expect((JSON.parse(listed.stdout) as { status: { id: string } }).status.id).toBe(image?.id)
      }
      progress.length = 0
      await provider.loadImages(name, images, run)
      expect(progress).toEqual([])
    }, 120_000)

    it('brings a stopped cluster back with its objects', async () => {
      await kubectl('create', 'configmap', 'kept', '--from-literal=a=b')
      for (const node of (await provider.find(name, signal))?.nodes ?? [])
        await engine.stop(node.name, signal)
      expect((await provider.find(name, signal))?.nodes.some((node) => node.running)).toBe(false)
      await provider.start(name, run)
      expect(await kubectl('get', 'configmap', 'kept', '--output', 'jsonpath={.data.a}')).toBe('b')
    }, 180_000)

    it('writes the logs of its nodes', async () => {
      await provider.exportLogs(name, path.join(folder, 'logs'), signal)
      expect(readdirSync(path.join(folder, 'logs', await controlPlane()))).toContain('container.log')
    }, 60_000)

    it('removes everything of the cluster, and does so twice', async () => {
      await provider.delete(name, run)
      await provider.delete(name, run)
      expect(await provider.find(name, signal)).toBeUndefined()
      expect(await leftovers()).toEqual([])
    }, 60_000)
  })
}
