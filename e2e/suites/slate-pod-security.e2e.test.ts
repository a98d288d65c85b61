import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { podReady } from '../../bootstrap/kube/conditions/pod-ready.ts'
import { readContract } from '../../manifests/slate/contract.ts'
import { deploymentFacts } from '../../manifests/slate/facts/deployments.ts'
import { inventoryFacts } from '../../manifests/slate/facts/inventory.ts'
import { jobFacts } from '../../manifests/slate/facts/jobs.ts'
import { at, listAt } from '../../manifests/checks/manifest.ts'
import { askAdmission, expectRefused, passesButForQuota } from '../harness/admission.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { execInComponent } from '../harness/component-exec.ts'
import { expectLiveFacts, factsCalled } from '../harness/live-facts.ts'
import { createNamespace } from '../harness/namespace.ts'
import { parkedPod } from '../harness/parked-pod.ts'
import { baselineCases, restrictedCases, violating } from '../harness/pod-security-cases.ts'
import { probePodManifest } from '../harness/probe-pod.ts'
import { processRights, type ProcessRights } from '../harness/process-status.ts'
import { least } from '../harness/quota-fill.ts'
import { recordOf } from '../harness/record.ts'
import { runLabel } from '../harness/run-id.ts'
import { requireSlate } from '../harness/slate.ts'
import { CheckBroke } from '../harness/verdict.ts'

/*
 * What pods may be, and what SLATE's pods are: the namespace's levels of Pod Security, asked by dry runs in the namespace itself, and the rights of the
 * processes that run there.
 */
const contract = readContract()
const namespace = contract.namespace.name
const levelOf = (mode: string): string =>
  contract.namespace.labels[`pod-security.kubernetes.io/${mode}`] ?? ''
/** The container's first process is the one that its image or manifest starts. */
const statusOfMain = ['cat', '/proc/1/status']

let cluster: Cluster
const stack = new AsyncDisposableStack()
beforeAll(async () => {
  cluster = await attach(choiceFromEnvironment(), AbortSignal.timeout(30_000))
  requireSlate(cluster)
})
afterAll(() => stack.disposeAsync())

/** A pod that fits every level. */
const harmless = (): KubeObject =>
  parkedPod({
    namespace,
    runId: cluster.runId,
    name: `parked-${String(process.pid)}`,
    containers: [least(contract.limitRange)],
  })

describe('levels of the namespace', () => {
  it('are those of the table', async ({ signal }) => {
    const facts = factsCalled(inventoryFacts(contract, 'local', []), ['namespace labels'])
    await expectLiveFacts(cluster, namespace, facts, signal)
  })

  it.for(baselineCases)('refuses a pod for $field alone', async (one, { task, signal }) => {
    await expectRefused(
      cluster.kube,
      recordOf(task.meta),
      {
        title: one.field,
        refused: violating(harmless(), one),
        words: `violates PodSecurity "${levelOf('enforce')}:latest": ${one.violates}`,
        twin: harmless(),
        twinTitle: `the same pod without ${one.field}`,
        passes: (answer) => passesButForQuota(answer, contract.quota.name),
      },
      signal,
    )
  })

  it.for(restrictedCases)('lets in a pod with $field, and warns', async (one, { task, signal }) => {
    const [seen, twin] = [
      await askAdmission(cluster.kube, violating(harmless(), one), signal),
      await askAdmission(cluster.kube, harmless(), signal),
    ]
    expect(passesButForQuota(seen, contract.quota.name), seen.seen).toBe(true)
    const words = `would violate PodSecurity "${levelOf('warn')}:latest": `
    expect(seen.warnings).toEqual([expect.stringContaining(words)])
    expect(seen.warnings[0]).toContain(one.violates)
    expect(twin.warnings).toEqual([])
    recordOf(task.meta).facts.push({ name: one.field, value: seen.warnings.join() })
  })
})

describe('pods', () => {
  it.for(['pod security context', 'container security context'])(
    'every workload has the %s of the table',
    async (name, { signal }) => {
      const workloads = [...deploymentFacts(contract, 'local', []), ...jobFacts(contract, 'local', [])]
      const lasting = (object: string): boolean => !object.startsWith('Job/')
      await expectLiveFacts(cluster, namespace, factsCalled(workloads, [name], lasting), signal)
    },
  )

  it('every pod has the security contexts of the table', async ({ task, signal }) => {
    const contextOf = new Map([
      ...contract.deployments.map(({ component, runsAs }) => [component, runsAs] as const),
      ...contract.cronJobs.map(({ job }) => [job, 'user'] as const),
      [contract.preload.component, 'user'] as const,
    ])
    const labelSelector = `app.kubernetes.io/part-of=${contract.podLabels.partOf},!${runLabel}`
    const all = await cluster.kube.list({ apiVersion: 'v1', kind: 'Pod', namespace, labelSelector }, signal)
    const pods = all.flatMap((pod) => {
      const runsAs = contextOf.get(pod.metadata.labels?.['app.kubernetes.io/component'] ?? '')
      return runsAs === undefined ? [] : [{ pod, runsAs }]
    })
    expect(pods.length).toBeGreaterThanOrEqual(contract.deployments.length)
    for (const { pod, runsAs } of pods) {
      const { name } = pod.metadata
      expect(at(pod, 'spec', 'securityContext'), name).toEqual(contract.podSecurity[runsAs])
      const containers = [...listAt(pod, 'spec', 'initContainers'), ...listAt(pod, 'spec', 'containers')]
      for (const container of containers) {
        expect(at(container, 'securityContext'), name).toEqual(contract.containerSecurity.context)
      }
    }
    recordOf(task.meta).facts.push({ name: 'pods', value: String(pods.length) })
  })
})

describe('processes', () => {
  let ordinary: ProcessRights
  beforeAll(async () => {
    const signal = AbortSignal.timeout(90_000)
    const { kube, runId } = cluster
    const space = stack.use(
      await createNamespace({ kube, runId, purpose: 'rights', podSecurity: 'baseline', signal }),
    )
    const pod = probePodManifest({ namespace: space.name, runId, name: 'ordinary' })
    const spec = pod['spec'] as { securityContext?: unknown; containers: [{ securityContext?: unknown }] }
    delete spec.securityContext
    delete spec.containers[0].securityContext
    await kube.apply([pod], { signal, dryRun: 'skip' })
    const { name } = pod.metadata
    await kube.waitFor({ apiVersion: 'v1', kind: 'Pod', name, namespace: space.name }, podReady, {
      timeoutMs: 60_000,
      signal,
    })
    const { stdout } = await kube.exec({ namespace: space.name, name }, statusOfMain, { signal })
    ordinary = processRights(stdout)
  })

  it.for(contract.deployments)(
    '$name runs as its user, with no privilege and no way to one',
    async ({ component, runsAs }, { task, signal }) => {
      // A process that nobody restricts shows what the same file looks like otherwise.
      if (ordinary.capabilities.length === 0 || ordinary.noNewPrivileges || ordinary.users[0] !== 0) {
        throw new CheckBroke(`An ordinary process looks restricted too: ${JSON.stringify(ordinary)}`)
      }
      const { stdout } = await execInComponent(cluster.kube, { namespace, component }, statusOfMain, signal)
      const rights = processRights(stdout)
      const { runAsUser, runAsGroup } = contract.podSecurity[runsAs]
      expect(rights).toEqual({
        users: Array.from({ length: 4 }, () => runAsUser),
        groups: Array.from({ length: 4 }, () => runAsGroup),
        capabilities: [],
        noNewPrivileges: true,
        seccompFilter: true,
      })
      recordOf(task.meta).controls.push({
        negative: { title: 'rights of the process', seen: JSON.stringify(rights) },
        before: { title: 'a process that nobody restricts', seen: JSON.stringify(ordinary) },
        after: { title: 'user of the table', seen: String(runAsUser) },
      })
    },
  )
})
