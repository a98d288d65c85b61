import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { podTemplateOf } from '../../bootstrap/manifests/pod-template.ts'
import { renderKustomization } from '../../bootstrap/manifests/render.ts'
import { readContract, type EnvironmentName } from '../../manifests/slate/contract.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { createNamespace, type TestNamespace } from '../harness/namespace.ts'
import { recordOf } from '../harness/record.ts'
import { CheckBroke } from '../harness/verdict.ts'

/*
 * The overlays that do not run on this machine, judged by the real API server: every object as a server-side dry run in a namespace made
 * for it, and one pod of every workload against Pod Security, quota and limit range as they stand in the overlay.
 */
const contract = readContract()
const environments = (Object.keys(contract.environments) as EnvironmentName[]).filter(
  (name) => name !== 'base' && name !== 'local',
)
/** Kinds that must really be there for the admission of pods to speak. */
const admission = ['ResourceQuota', 'LimitRange', 'ServiceAccount']

let cluster: Cluster
beforeAll(async () => {
  cluster = await attach(choiceFromEnvironment(), AbortSignal.timeout(30_000))
})

it('NVIDIA’s device plugin is accepted by the API server', async ({ signal }) => {
  const { kube, paths } = cluster
  const { render } = contract.optional.devicePlugin
  const objects = await renderKustomization(`${paths.repo}/${render}`, { paths, signal })
  const changes = await kube.apply(objects, { signal, dryRun: 'only' })
  expect(changes.map(({ object: { kind, namespace } }) => `${namespace ?? ''} ${kind}`)).toEqual([
    `${contract.optional.devicePlugin.namespace} DaemonSet`,
  ])
})

describe.each(environments)('environment %s', (environment) => {
  let space: TestNamespace
  let objects: KubeObject[]
  let pods: KubeObject[]
  const stack = new AsyncDisposableStack()

  beforeAll(async () => {
    const signal = AbortSignal.timeout(150_000)
    const { kube, runId, paths } = cluster
    const rendered = await renderKustomization(`${paths.repo}/${contract.environments[environment].render}`, {
      paths,
      signal,
    })
    const namespace = rendered.find(({ kind }) => kind === 'Namespace')
    if (!namespace) throw new CheckBroke(`The overlay ${environment} renders no Namespace.`)
    space = stack.use(
      await createNamespace({
        kube,
        runId,
        purpose: environment,
        podSecurity: 'baseline',
        labels: namespace.metadata.labels ?? {},
        signal,
      }),
    )
    objects = rendered
      .filter(({ kind }) => kind !== 'Namespace')
      .map((object) => moved(object, namespace.metadata.name, space.name))
    await kube.apply(
      objects.filter(({ kind }) => admission.includes(kind)),
      { signal },
    )
    pods = objects.flatMap((object) => podOf(object, space.name))
  })
  afterAll(() => stack.disposeAsync())

  it('is accepted whole by the API server', async ({ task, signal }) => {
    const changes = await cluster.kube.apply(objects, { signal, dryRun: 'only' })
    expect(changes).toHaveLength(objects.length)
    recordOf(task.meta).facts.push({ name: 'objects accepted', value: String(changes.length) })
    // The server has judged them, and made none.
    const deployments = await cluster.kube.list(
      { apiVersion: 'apps/v1', kind: 'Deployment', namespace: space.name },
      signal,
    )
    expect(deployments).toEqual([])
  })

  it('is refused when one field is wrong', async ({ signal }) => {
    const broken = objects.map((object) =>
      object.kind === 'HorizontalPodAutoscaler'
        ? { ...object, spec: { ...(object['spec'] as object), maxReplicas: 0 } }
        : object,
    )
    await expect(cluster.kube.apply(broken, { signal, dryRun: 'only' })).rejects.toThrow(/maxReplicas/)
  })

  it('every pod of it passes Pod Security, quota and limit range', async ({ task, signal }) => {
    expect(pods.length).toBeGreaterThan(0)
    const changes = await cluster.kube.apply(pods, { signal, dryRun: 'only' })
    expect(changes.map(({ object }) => object.name)).toEqual(pods.map(({ metadata }) => metadata.name))
    recordOf(task.meta).facts.push({ name: 'pods admitted', value: String(changes.length) })
  })

  it.each<[why: string, change: (container: Container) => void, refusal: RegExp]>([
    [
      'Pod Security',
      (container) => {
        container.securityContext = {
          ...container.securityContext,
          privileged: true,
          allowPrivilegeEscalation: true,
        }
      },
      /violates PodSecurity "baseline.*privileged/s,
    ],
    [
      'the limit range',
      (container) => {
        container.resources = {
          requests: { cpu: '1' },
          limits: { cpu: String(Number(contract.limitRange.max.cpu) + 1), memory: '1Gi' },
        }
      },
      /maximum cpu usage per Container/,
    ],
    [
      'the quota',
      (container) => {
        const beyond = String(Number(contract.quota.hard['requests.nvidia.com/gpu']) + 1)
        container.resources = {
          ...container.resources,
          limits: { ...container.resources?.limits, 'nvidia.com/gpu': beyond },
        }
      },
      new RegExp(`exceeded quota: ${contract.quota.name}.*nvidia`, 's'),
    ],
  ])('a pod that differs in one field is refused by %s', async (_why, change, refusal) => {
    const signal = AbortSignal.timeout(30_000)
    const admitted = pods.find(({ metadata }) => metadata.name.endsWith('-dashboard'))
    if (!admitted) throw new CheckBroke('The overlay has no pod of the dashboard.')
    const twin = structuredClone(admitted)
    const [container] = (twin['spec'] as { containers: Container[] }).containers
    if (!container) throw new CheckBroke('The pod of the dashboard has no container.')
    change(container)
    await expect(cluster.kube.apply([admitted], { signal, dryRun: 'only' })).resolves.toHaveLength(1)
    await expect(cluster.kube.apply([twin], { signal, dryRun: 'only' })).rejects.toThrow(refusal)
  })
})

interface Container {
  securityContext?: Record<string, unknown>
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> }
}

/** The object in another namespace, its subjects with it. */
function moved(object: KubeObject, from: string, to: string): KubeObject {
  const copy = structuredClone(object)
  if (copy.metadata.namespace === from) copy.metadata.namespace = to
  for (const subject of (copy['subjects'] ?? []) as { namespace?: string }[]) {
    if (subject.namespace === from) subject.namespace = to
  }
  return copy
}

/** A pod as the workload would make it; none for kinds that make no pods. */
function podOf(object: KubeObject, namespace: string): KubeObject[] {
  const template = podTemplateOf(object)
  if (template === undefined) return []
  return [
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: object.metadata.name, namespace, labels: template.labels },
      spec: template.spec,
    },
  ]
}
