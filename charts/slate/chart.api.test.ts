import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ConnectedKube, KubeObject } from '../../bootstrap/kube/client.ts'
import { connect } from '../../bootstrap/kube/connect.ts'
import { runCommand } from '../../bootstrap/process/run-command.ts'
import { resolvePaths } from '../../bootstrap/state/paths.ts'
import { helmPath } from '../../bootstrap/tools/helm.ts'
import { findKubernetesBinary, startApiServer, type ApiServer } from '../../e2e/harness/api-server.ts'
import { eventually } from '../../e2e/harness/eventually.ts'
import { renderChart, repo } from './chart.ts'

// What Helm does with the chart at a real API server with its controllers, without nodes: no pod ever runs.
const paths = resolvePaths(repo, {}, process.env, process.cwd())
const namespace = 'slate'
const local = ['--values', join(import.meta.dirname, 'values-local.yaml')]
const signal = () => AbortSignal.timeout(60_000)

const ending = new AsyncDisposableStack()
let folder: string
let server: ApiServer
let kube: ConnectedKube
let program: string

beforeAll(async () => {
  const binary = findKubernetesBinary(paths.cacheDir)
  if (binary === undefined) {
    throw new Error(
      'There is no Kubernetes binary: build the images first (npx zx bootstrap/up.mjs --images packages), or name one in LOCAL_CLOUD_KUBERNETES_BINARY.',
    )
  }
  folder = mkdtempSync(join(tmpdir(), 'local-cloud-helm-'))
  ending.defer(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  server = await startApiServer({
    binary,
    controllers: [
      'deployment-controller',
      'replicaset-controller',
      'job-controller',
      'garbage-collector-controller',
      'serviceaccount-controller',
      'persistentvolumeclaim-protection-controller',
      'persistentvolume-protection-controller',
    ],
    signal: signal(),
  })
  ending.use(server)
  kube = await connect({ kubeconfigFile: server.kubeconfigFile, context: 'api-server', signal: signal() })
  ending.defer(() => {
    kube.close()
  })
  program = await helmPath({ paths, signal: signal() })
})
afterAll(() => ending.disposeAsync())

const helm = (...argv: string[]) =>
  runCommand(program, [...argv, '--namespace', namespace, '--kubeconfig', server.kubeconfigFile], {
    signal: signal(),
    env: { HELM_CACHE_HOME: folder, HELM_CONFIG_HOME: folder, HELM_DATA_HOME: folder, HOME: folder },
  })
const upgrade = (...argv: string[]) => helm('upgrade', 'slate', import.meta.dirname, ...local, ...argv)
const set = (...assignments: string[]) => assignments.flatMap((assignment) => ['--set', assignment])

const live = async (apiVersion: string, kind: string, name: string): Promise<KubeObject> => {
  const found = await kube.get({ apiVersion, kind, name, namespace }, signal())
  if (!found) throw new Error(`there is no ${kind}/${name}`)
  return found
}
const preload = async (): Promise<{ uid: string; memory: string; pods: number }> => {
  const { metadata, spec } = (await live('batch/v1', 'Job', 'slate-model-preload')) as KubeObject & {
    spec: {
      completions: number
      template: { spec: { containers: { resources: { limits: { memory: string } } }[] } }
    }
  }
  const memory = spec.template.spec.containers[0]?.resources.limits.memory ?? ''
  return { uid: metadata.uid ?? '', memory, pods: spec.completions }
}
const dashboards = async (): Promise<number> => {
  const { spec } = (await live('apps/v1', 'Deployment', 'slate-dashboard')) as KubeObject & {
    spec: { replicas: number }
  }
  return spec.replicas
}
/** As the HorizontalPodAutoscaler's controller does it. */
const scale = (replicas: number) =>
  kube.patch(
    { apiVersion: 'apps/v1', kind: 'Deployment', name: 'slate-dashboard', namespace },
    { spec: { replicas } },
    { signal: signal(), subresource: 'scale' },
  )

describe('helm with the chart', () => {
  it('install makes every object that the chart renders, and does not wait for the models', async () => {
    const { stdout } = await helm('install', 'slate', import.meta.dirname, ...local, '--create-namespace')
    expect(stdout).toContain('STATUS: deployed')
    const objects = await renderChart({ values: ['values-local.yaml'] })
    for (const { apiVersion, kind, metadata } of objects) {
      const ref = {
        apiVersion,
        kind,
        name: metadata.name,
        ...(metadata.namespace === undefined ? {} : { namespace }),
      }
      const found = await kube.get(ref, signal())
      expect(found?.metadata.annotations, `${kind}/${metadata.name}`).toMatchObject({
        'meta.helm.sh/release-name': 'slate',
      })
      // Helm's own value, whatever a chart says.
      expect(found?.metadata.labels?.['app.kubernetes.io/managed-by']).toBe('Helm')
    }
    expect(await preload()).toMatchObject({ memory: '256Mi', pods: 1 })
  })

  it('upgrade changes the preload Job, which cannot be changed, by way of the hook', async () => {
    const before = await preload()
    const change = set('mlPipeline.resources.limits.memory=192Mi')
    await expect(upgrade(...change, '--no-hooks')).rejects.toMatchObject({
      evidence: expect.arrayContaining([expect.stringContaining('field is immutable')]) as unknown,
    })
    expect(await preload()).toEqual(before)
    await upgrade(...change)
    const after = await preload()
    expect(after).toMatchObject({ memory: '192Mi', pods: 1 })
    expect(after.uid).not.toBe(before.uid)
  })

  it('upgrade keeps the number of pods that an autoscaler gave, and without one fights for its own', async () => {
    await scale(4)
    await upgrade()
    expect(await dashboards()).toBe(4)
    const single = set('dashboard.autoscaling.enabled=false', 'dashboard.replicas=1')
    await expect(upgrade(...single)).rejects.toMatchObject({
      evidence: expect.arrayContaining([expect.stringContaining('.spec.replicas')]) as unknown,
    })
    await upgrade(...single, '--force-conflicts')
    expect(await dashboards()).toBe(1)
  })

  it('rollback brings the first revision back, with a preload Job of its own', async () => {
    const before = await preload()
    await upgrade(...set('mlPipeline.resources.limits.memory=192Mi', 'config.SLATE_LOG_LEVEL=debug'))
    const config = async () => (await live('v1', 'ConfigMap', 'slate-dashboard-config'))['data'] as object
    expect(await config()).toMatchObject({ SLATE_LOG_LEVEL: 'debug' })
    await helm('rollback', 'slate', '1')
    expect(await config()).toMatchObject({ SLATE_LOG_LEVEL: 'info' })
    expect(await dashboards()).toBe(2)
    const after = await preload()
    expect(after).toMatchObject({ memory: '256Mi', pods: 1 })
    expect(after.uid).not.toBe(before.uid)
  })

  it('uninstall leaves nothing', async () => {
    const objects = await renderChart({ values: ['values-local.yaml'] })
    await helm('uninstall', 'slate')
    await eventually(
      'every object of the release is gone',
      async (stop) => {
        const kinds = new Map(
          objects.map(({ apiVersion, kind }) => [`${apiVersion} ${kind}`, { apiVersion, kind }]),
        )
        const lists = await Promise.all(
          [...kinds.values(), { apiVersion: 'v1', kind: 'Pod' }].map((kind) => kube.list(kind, stop)),
        )
        const left = lists
          .flat()
          .filter(({ metadata }) => metadata.labels?.['app.kubernetes.io/part-of'] === 'slate-system')
          .map(({ kind, metadata }) => `${kind}/${metadata.name}`)
        return { ok: left.length === 0, seen: left.join(', ') || 'nothing' }
      },
      { timeoutMs: 30_000, intervalMs: 500 },
    )
  })
})
