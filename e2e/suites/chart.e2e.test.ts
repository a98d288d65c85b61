import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCommand, type CommandOutput } from '../../bootstrap/process/run-command.ts'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { helmPath } from '../../bootstrap/tools/helm.ts'
import { renderChart } from '../../charts/slate/chart.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { eventually } from '../harness/eventually.ts'
import { duration, type Look } from '../harness/look.ts'
import { createNamespace, type TestNamespace } from '../harness/namespace.ts'
import { startProbePod } from '../harness/probe-pod.ts'
import { recordOf } from '../harness/record.ts'
import { readSlateContract } from '../harness/slate.ts'
import { snapshot } from '../harness/snapshot.ts'
import { CheckBroke, NotProven } from '../harness/verdict.ts'

// A second SLATE beside the one that kustomize put on the cluster: another namespace, nothing outside of it, one pod of each service,
// and requests so small that both fit on two cores.
const slate = readSlateContract()
const choice = choiceFromEnvironment()
const chart = path.join(choice.paths.repo, 'charts', 'slate')
const release = 'second'
const stepMs = 420_000
const settle = { timeoutMs: 300_000, intervalMs: 1_000 }

const small = (memory: string) => ({
  requests: { cpu: '10m', memory: '64Mi' },
  limits: { cpu: '500m', memory },
})
const one = { replicas: 1, autoscaling: { enabled: false }, resources: small('384Mi') }
const suspended = { suspend: true }
const values = {
  clusterScoped: { create: false },
  storage: { workspace: { hostPath: null } },
  // The host name is taken.
  ingress: { enabled: false },
  limitRange: { container: { min: { cpu: '10m' } } },
  dashboard: one,
  core: one,
  ollama: { resources: small('1Gi') },
  chromadb: { autoscaling: { enabled: false }, resources: small('512Mi') },
  agenticSystem: {
    router: { replicas: 1, resources: small('256Mi') },
    autonomousLoop: { resources: small('256Mi') },
    copilotBridge: { resources: small('256Mi') },
    workflowManager: { resources: small('256Mi') },
  },
  mlPipeline: {
    resources: small('256Mi'),
    // What they make on their schedule is not the release's.
    cronJobs: {
      nightlyHealth: suspended,
      codebaseIndexer: suspended,
      modelTrainer: suspended,
      inferenceBenchmarks: suspended,
      workflowCleanup: suspended,
      instructionSync: suspended,
    },
  },
}
/** What the second revision changes: a field of a Deployment, a ConfigMap, and the template of a Job, which cannot be changed in place. */
const changes = [
  'agenticSystem.router.replicas=2',
  'config.SLATE_LOG_LEVEL=debug',
  'mlPipeline.resources.limits.memory=192Mi',
]

let cluster: Cluster
let folder: string
let program: string
let files: string[]
/** The namespace of the release, and what is in it before anything is installed. */
let space: TestNamespace
let emptySpace: string[]
/** The last step that was seen to work; a step without the one before it proves nothing. */
let reached: 'nothing' | 'install' | 'upgrade' | 'rollback' = 'nothing'

const ending = new AsyncDisposableStack()
beforeAll(async () => {
  const signal = AbortSignal.timeout(60_000)
  cluster = await attach(choice, signal)
  program = await helmPath({ paths: cluster.paths, signal })
  folder = mkdtempSync(path.join(tmpdir(), 'local-cloud-chart-'))
  ending.defer(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  const file = path.join(folder, 'values.json')
  writeFileSync(file, JSON.stringify(values))
  files = [path.join(chart, 'values-local.yaml'), file]
}, 90_000)
afterAll(() => ending.disposeAsync(), 180_000)

/** A namespace with what Kubernetes itself puts into one; with everything in it, it goes when the suite ends. */
async function prepareSpace(signal: AbortSignal): Promise<void> {
  const { kube, runId, record, name } = cluster
  if (record && !record.plan.systems.some((one) => one.name === 'slate' && one.environment === 'local')) {
    throw new NotProven(
      `The cluster ${name} was made without SLATE's local overlay, whose images the release uses.`,
    )
  }
  space = ending.use(
    await createNamespace({ kube, runId, purpose: 'chart', podSecurity: 'baseline', signal }),
  )
  ending.defer(async () => {
    await helm(['uninstall', release, '--ignore-not-found'], AbortSignal.timeout(60_000))
  })
  await eventually(
    'the namespace has its own objects',
    async (stop) => {
      emptySpace = await inSpace(stop)
      const own = ['ConfigMap kube-root-ca.crt', 'ServiceAccount default']
      return { ok: own.every((one) => emptySpace.includes(one)), seen: emptySpace.join(', ') || 'nothing' }
    },
    { timeoutMs: 30_000, intervalMs: 500, signal },
  )
}

/** Helm on this cluster and namespace, without any setting of the user's. */
const helm = (argv: readonly string[], signal: AbortSignal): Promise<CommandOutput> =>
  runCommand(
    program,
    [
      ...argv,
      '--namespace',
      space.name,
      '--kubeconfig',
      cluster.kubeconfigFile,
      '--kube-context',
      cluster.context,
    ],
    {
      signal,
      env: { HOME: folder, HELM_CACHE_HOME: folder, HELM_CONFIG_HOME: folder, HELM_DATA_HOME: folder },
    },
  )
const valuesFlags = () => files.flatMap((file) => ['--values', file])
const set = (assignments: readonly string[]) => assignments.flatMap((assignment) => ['--set', assignment])

function need(step: typeof reached): void {
  if (reached !== step) throw new NotProven(`The step "${step}" was not seen to work before.`)
}

/** Objects that the chart renders for a revision. */
const renderedObjects = (assignments: readonly string[] = []): Promise<KubeObject[]> =>
  renderChart({ release, namespace: space.name, values: files, set: assignments })

/** `Kind name` of everything in the namespace, heartbeats left out. */
async function inSpace(signal: AbortSignal): Promise<string[]> {
  const place = ` ${space.name}/`
  return [...(await snapshot(cluster.kube, signal)).keys()]
    .filter((key) => key.includes(place))
    .map((key) => key.replace(place, ' '))
    .sort()
}

const refOf = ({ apiVersion, kind, metadata: { name } }: KubeObject) => ({
  apiVersion,
  kind,
  name,
  namespace: space.name,
})

async function live(object: KubeObject, signal: AbortSignal): Promise<KubeObject> {
  const found = await cluster.kube.get(refOf(object), signal)
  if (!found) throw new CheckBroke(`There is no ${object.kind} ${object.metadata.name}.`)
  return found
}

const named = (objects: readonly KubeObject[], kind: string, name: string): KubeObject => {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === name)
  if (!found) throw new CheckBroke(`The chart renders no ${kind} ${name}.`)
  return found
}

/** The preload Job as it is now. */
const preload = async (objects: readonly KubeObject[], signal: AbortSignal) =>
  live(named(objects, 'Job', 'slate-model-preload'), signal)

/** Every object exists and is the release's; every Deployment has its pods, every claim its volume, and the preload Job has ended well. */
function works(objects: readonly KubeObject[], pods: Record<string, number>) {
  return async (signal: AbortSignal): Promise<Look> => {
    const found = await Promise.all(objects.map((object) => cluster.kube.get(refOf(object), signal)))
    const problems = objects.flatMap((object, at): string[] => {
      const { kind, metadata } = object
      const now = found[at]
      const name = `${kind} ${metadata.name}`
      if (!now) return [`no ${name}`]
      if (now.metadata.annotations?.['meta.helm.sh/release-name'] !== release)
        return [`${name} is not the release's`]
      if (kind === 'Deployment') return deploymentProblem(name, now, pods[metadata.name] ?? 1)
      const status = now['status'] as
        { phase?: string; conditions?: { type: string; status: string }[] } | undefined
      if (kind === 'PersistentVolumeClaim' && status?.phase !== 'Bound')
        return [`${name} ${status?.phase ?? 'new'}`]
      const complete = status?.conditions?.some(
        ({ type, status: is }) => type === 'Complete' && is === 'True',
      )
      if (kind === 'Job' && complete !== true) return [`${name} not complete`]
      return []
    })
    return {
      ok: problems.length === 0,
      seen: problems.join(', ') || `${String(objects.length)} objects as they should be`,
    }
  }
}

function deploymentProblem(name: string, now: KubeObject, pods: number): string[] {
  const status = now['status'] as
    | { availableReplicas?: number; updatedReplicas?: number; replicas?: number; observedGeneration?: number }
    | undefined
  const settled =
    status?.observedGeneration === now.metadata.generation &&
    status?.availableReplicas === pods &&
    status.updatedReplicas === pods &&
    status.replicas === pods
  return settled ? [] : [`${name} ${String(status?.availableReplicas ?? 0)} of ${String(pods)} available`]
}

/** UIDs and generations of all Deployments and UIDs of all claims, to tell what a revision touched. */
async function identities(
  objects: readonly KubeObject[],
  signal: AbortSignal,
): Promise<Record<string, string>> {
  const entries = await Promise.all(
    objects
      .filter(({ kind }) => ['Deployment', 'PersistentVolumeClaim', 'Service'].includes(kind))
      .map(async (object) => {
        const { metadata } = await live(object, signal)
        return [
          `${object.kind} ${metadata.name}`,
          `${metadata.uid ?? ''} ${String(metadata.generation ?? '')}`,
        ]
      }),
  )
  return Object.fromEntries(entries) as Record<string, string>
}

const config = async (signal: AbortSignal): Promise<string | undefined> => {
  const found = await cluster.kube.get(
    { apiVersion: 'v1', kind: 'ConfigMap', name: 'slate-dashboard-config', namespace: space.name },
    signal,
  )
  return (found?.['data'] as Record<string, string> | undefined)?.['SLATE_LOG_LEVEL']
}

const statusOf = async (signal: AbortSignal): Promise<{ revision: number; status: string }> => {
  const { stdout } = await helm(['status', release, '--output', 'json'], signal)
  const { version, info } = JSON.parse(stdout) as { version: number; info: { status: string } }
  return { revision: version, status: info.status }
}

describe('the chart', () => {
  it(
    'install makes every workload available, with models, and touches nothing outside of its namespace',
    async ({ task, signal }) => {
      await prepareSpace(signal)
      const priorities = async () =>
        (await cluster.kube.list({ apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass' }, signal)).map(
          ({ metadata }) => `${metadata.name} ${metadata.uid ?? ''} ${metadata.resourceVersion ?? ''}`,
        )
      const before = await priorities()
      const objects = await renderedObjects()
      expect([...new Set(objects.map(({ metadata }) => metadata.namespace))]).toEqual([space.name])

      const started = performance.now()
      await helm(['install', release, chart, ...valuesFlags()], signal)
      const installed = performance.now()
      await eventually('every object of the release works', works(objects, {}), { ...settle, signal })
      recordOf(task.meta).facts.push(
        { name: 'objects', value: String(objects.length) },
        { name: 'helm install', value: duration(installed - started) },
        { name: 'until all works', value: duration(performance.now() - started) },
      )
      expect(await statusOf(signal)).toEqual({ revision: 1, status: 'deployed' })
      expect(await priorities()).toEqual(before)

      const { kube, runId } = cluster
      await using client = await startProbePod({ kube, runId, namespace: space.name, name: 'client', signal })
      const get = async (deployment: string, url: string, stop: AbortSignal) => {
        const { host, port } = slate.serviceOf(deployment)
        const outcome = await client.http(
          `http://${host.split('.')[0] ?? ''}.${space.name}.svc.cluster.local:${String(port)}${url}`,
          { timeoutSeconds: 10, signal: stop },
        )
        if (outcome.kind === 'could-not-run') throw new CheckBroke(outcome.detail)
        return outcome
      }
      for (const { name, entrypoint } of slate.deployments) {
        // slate-core has no Service; Ollama and ChromaDB do not say who they are.
        if (entrypoint === undefined || name === 'slate-core') continue
        await eventually(
          `${name} answers through its Service`,
          async (stop) => {
            const outcome = await get(name, '/health', stop)
            if (outcome.kind !== 'answered') return { ok: false, seen: `${outcome.kind}: ${outcome.detail}` }
            const service = outcome.headers['x-slate-service'] ?? 'nobody'
            return {
              ok: outcome.status === 200 && service === entrypoint,
              seen: `${String(outcome.status)} from ${service}`,
            }
          },
          { timeoutMs: 60_000, intervalMs: 1_000, signal },
        )
      }
      const wanted = Object.keys(named(objects, 'ConfigMap', 'slate-model-files')['data'] as object)
        .map((file) => `${file.replace('Modelfile.', '')}:latest`)
        .sort()
      const answer = await get('ollama', '/api/tags', signal)
      if (answer.kind !== 'answered') throw new CheckBroke(`Ollama: ${answer.kind}: ${answer.detail}`)
      const { models } = JSON.parse(answer.body) as { models: { name: string }[] }
      const has = models.map(({ name }) => name).sort()
      recordOf(task.meta).facts.push({ name: 'models', value: has.join(', ') })
      expect(has).toEqual(expect.arrayContaining(wanted))
      reached = 'install'
    },
    stepMs,
  )

  it(
    'upgrade changes what its values change, and nothing else',
    async ({ task, signal }) => {
      need('install')
      const objects = await renderedObjects(changes)
      const before = await identities(objects, signal)
      const job = await preload(objects, signal)
      expect(await config(signal)).toBe('info')

      await helm(['upgrade', release, chart, ...valuesFlags(), ...set(changes)], signal)
      await eventually(
        'every object of the second revision works',
        works(objects, { 'slate-agent-router': 2 }),
        { ...settle, signal },
      )
      expect(await statusOf(signal)).toEqual({ revision: 2, status: 'deployed' })
      expect(await config(signal)).toBe('debug')
      const after = await identities(objects, signal)
      expect(Object.keys(after).filter((name) => after[name] !== before[name])).toEqual([
        'Deployment slate-agent-router',
      ])
      const again = await preload(objects, signal)
      expect(again.metadata.uid).not.toBe(job.metadata.uid)
      recordOf(task.meta).facts.push({
        name: 'preload Job',
        value: `${job.metadata.uid ?? ''}, then ${again.metadata.uid ?? ''}`,
      })
      reached = 'upgrade'
    },
    stepMs,
  )

  it(
    'rollback brings the first revision back',
    async ({ signal }) => {
      need('upgrade')
      const objects = await renderedObjects()
      const before = await identities(objects, signal)
      const job = await preload(objects, signal)
      await helm(['rollback', release, '1'], signal)
      await eventually('every object of the first revision works again', works(objects, {}), {
        ...settle,
        signal,
      })
      expect(await statusOf(signal)).toEqual({ revision: 3, status: 'deployed' })
      expect(await config(signal)).toBe('info')
      const after = await identities(objects, signal)
      expect(Object.keys(after).filter((name) => after[name] !== before[name])).toEqual([
        'Deployment slate-agent-router',
      ])
      expect((await preload(objects, signal)).metadata.uid).not.toBe(job.metadata.uid)
      reached = 'rollback'
    },
    stepMs,
  )

  it(
    'uninstall leaves nothing of the release',
    async ({ task, signal }) => {
      need('rollback')
      const volumes = async (stop: AbortSignal) =>
        (await cluster.kube.list({ apiVersion: 'v1', kind: 'PersistentVolume' }, stop))
          .filter(
            ({ spec }) => (spec as { claimRef?: { namespace?: string } }).claimRef?.namespace === space.name,
          )
          .map(({ metadata }) => metadata.name)
      const full = await inSpace(signal)
      const added = full.filter((key) => !emptySpace.includes(key))
      // The same look sees a release that is there.
      expect(added.length).toBeGreaterThan((await renderedObjects()).length)
      expect(await volumes(signal)).toHaveLength(slate.claims.length)
      recordOf(task.meta).facts.push({ name: 'objects before', value: String(added.length) })

      await helm(['uninstall', release], signal)
      await eventually(
        'the namespace holds what it held before the release',
        async (stop) => {
          const left = [
            ...(await inSpace(stop)).filter((key) => !emptySpace.includes(key)),
            ...(await volumes(stop)).map((name) => `PersistentVolume ${name}`),
          ]
          return { ok: left.length === 0, seen: left.join(', ') || 'nothing of the release' }
        },
        { timeoutMs: 180_000, intervalMs: 2_000, signal },
      )
      const { stdout } = await helm(['list', '--output', 'json'], signal)
      expect(JSON.parse(stdout)).toEqual([])
    },
    stepMs,
  )
})
