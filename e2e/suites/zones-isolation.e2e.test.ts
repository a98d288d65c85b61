import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { podReady } from '../../bootstrap/kube/conditions/pod-ready.ts'
import { expectRefused } from '../harness/admission.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { keeps } from '../harness/keep.ts'
import { createNamespace, type TestNamespace } from '../harness/namespace.ts'
import { baselineCases, restrictedCases, violating } from '../harness/pod-security-cases.ts'
import { probePodManifest } from '../harness/probe-pod.ts'
import { recordOf } from '../harness/record.ts'
import { runLabel } from '../harness/run-id.ts'
import { CheckBroke, ExpectationFailed } from '../harness/verdict.ts'
import { readyPodOfWorkload, requireZones, zoneB } from '../harness/zones.ts'

/*
 * Zone B is sandboxed and has no capabilities (L52, L54); what goes beyond that are decisions (Z24). Everything is looked at in the agents'
 * own pods and in a twin of each that lacks what keeps it in: the same image and program without the sandbox, with capabilities, writable,
 * with a token.
 */
const agents = ['agent-orchestrator', 'metacognition']

let cluster: Cluster
let open: TestNamespace
const stack = new AsyncDisposableStack()
beforeAll(async () => {
  const signal = AbortSignal.timeout(60_000)
  cluster = await attach(choiceFromEnvironment(), signal)
  requireZones(cluster)
  const { kube, runId } = cluster
  open = stack.use(
    await createNamespace({ kube, runId, purpose: 'twins', podSecurity: 'privileged', signal }),
  )
}, 90_000)
afterAll(() => stack.disposeAsync())

interface Spec {
  runtimeClassName?: string
  automountServiceAccountToken?: boolean
  securityContext?: object
  containers: { image: string; securityContext?: object; [field: string]: unknown }[]
  [field: string]: unknown
}

/** A pod of the same image and program, in a namespace that lets everything in, changed as told. Runs until the test ends. */
async function twinOf(name: string, change: (spec: Spec) => void, signal: AbortSignal): Promise<string> {
  const { kube, runId } = cluster
  const { object } = await readyPodOfWorkload(cluster, { namespace: zoneB, name }, signal)
  const own = object['spec'] as Spec
  const [container] = own.containers
  if (!container) throw new CheckBroke(`${name} has no container.`)
  const spec: Spec = {
    ...(own.runtimeClassName === undefined ? {} : { runtimeClassName: own.runtimeClassName }),
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 0,
    securityContext: own.securityContext ?? {},
    containers: [
      {
        name,
        image: container.image,
        imagePullPolicy: 'IfNotPresent',
        args: container['args'],
        env: container['env'],
        securityContext: container.securityContext ?? {},
        resources: { requests: { cpu: '10m', memory: '64Mi' }, limits: { cpu: '500m', memory: '384Mi' } },
      },
    ],
  }
  change(spec)
  const twin: KubeObject = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${name}-${randomBytes(3).toString('hex')}`,
      namespace: open.name,
      labels: { [runLabel]: runId },
    },
    spec,
  }
  const ref = { apiVersion: 'v1', kind: 'Pod', namespace: open.name, name: twin.metadata.name }
  await kube.apply([twin], { signal, dryRun: 'skip' })
  onTestFinished(async () => {
    // What it asks for is needed elsewhere. One that cannot be deleted now goes with its namespace.
    if (!keeps()) await kube.delete(ref, { signal: AbortSignal.timeout(30_000) }).catch(() => undefined)
  })
  await kube.waitFor(ref, podReady, { timeoutMs: 60_000, signal })
  return twin.metadata.name
}

/** What a program prints in a pod, trimmed; its exit code is part of it when it is not 0. */
async function run(
  pod: { namespace: string; name: string },
  argv: readonly string[],
  signal: AbortSignal,
): Promise<string> {
  const { exitCode, stdout, stderr } = await cluster.kube.exec(pod, argv, { signal })
  return exitCode === 0 ? stdout.trim() : `exit ${String(exitCode)}: ${stderr.trim()}`
}

/** Asks an agent's own pod and its twin the same, and records both. */
async function both(
  name: string,
  twin: string,
  argv: readonly string[],
  signal: AbortSignal,
): Promise<{ own: string; twin: string }> {
  const pod = await readyPodOfWorkload(cluster, { namespace: zoneB, name }, signal)
  const [mine, other] = [
    await run({ namespace: zoneB, name: pod.name }, argv, signal),
    await run({ namespace: open.name, name: twin }, argv, signal),
  ]
  return { own: mine, twin: other }
}

const node = (expression: string): string[] => ['node', '-p', expression]

describe.each(agents)('%s', (name) => {
  it('runs on the sandbox’s kernel; its twin without the runtime class on that of the node', async ({
    task,
    signal,
  }) => {
    const twin = await twinOf(
      name,
      (spec) => {
        delete spec.runtimeClassName
      },
      signal,
    )
    const { object } = await readyPodOfWorkload(cluster, { namespace: zoneB, name }, signal)
    const { nodeName } = object['spec'] as { nodeName: string }
    const host = await cluster.kube.get({ apiVersion: 'v1', kind: 'Node', name: nodeName }, signal)
    const kernel = (host?.['status'] as { nodeInfo: { kernelVersion: string } } | undefined)?.nodeInfo
      .kernelVersion
    const release = await both(name, twin, node('require("node:os").release()'), signal)
    // The document's own look: kubectl exec deploy/agent-orchestrator -- cat /proc/version (L174).
    const version = await both(name, twin, ['cat', '/proc/version'], signal)
    recordOf(task.meta).facts.push(
      { name: '/proc/version in the sandbox', value: version.own },
      { name: '/proc/version in the twin', value: version.twin },
    )
    const log = await both(name, twin, ['dmesg'], signal)
    expect(object['spec']).toMatchObject({ runtimeClassName: 'gvisor' })
    if (release.twin !== kernel)
      throw new CheckBroke(`The twin's kernel is ${release.twin}, that of its node ${String(kernel)}.`)
    expect(release.own).not.toBe(kernel)
    expect(version.own).toContain('gvisor')
    expect(version.twin).not.toContain('gvisor')
    expect(log.own).toContain('Starting gVisor')
    // The machine's log, or that it may not be read.
    expect(log.twin).not.toContain('gVisor')
  })

  it('has no capability; its twin as root with the default ones has', async ({ task, signal }) => {
    const twin = await twinOf(
      name,
      (spec) => {
        spec.securityContext = { runAsUser: 0 }
        for (const container of spec.containers) container.securityContext = {}
      },
      signal,
    )
    const status = await both(name, twin, ['cat', '/proc/1/status'], signal)
    const sets = (text: string): Record<string, string> =>
      Object.fromEntries(
        [...text.matchAll(/^(Cap\w+):\s*([0-9a-f]+)$/gm)].map(([, set = '', bits = '']) => [set, bits]),
      )
    const [own, other] = [sets(status.own), sets(status.twin)]
    recordOf(task.meta).facts.push({
      name: 'capabilities',
      value: `${JSON.stringify(own)}, twin ${JSON.stringify(other)}`,
    })
    if (!/[1-9a-f]/.test(other['CapEff'] ?? ''))
      throw new CheckBroke(`The twin has no capabilities either: ${JSON.stringify(other)}`)
    for (const set of ['CapPrm', 'CapEff', 'CapBnd']) expect(own[set], set).toMatch(/^0+$/)
  })

  it('cannot write to its root file system; its twin without that rule can (Z24)', async ({ signal }) => {
    const twin = await twinOf(
      name,
      (spec) => {
        spec.securityContext = { runAsUser: 0 }
        for (const container of spec.containers) container.securityContext = {}
      },
      signal,
    )
    // A folder that is the agent's own. /tmp is no measure: the sandbox has its own there, in memory.
    const write = node(
      '(() => { try { require("node:fs").writeFileSync("/app/compile-cache/e2e", "x"); return "written" } catch (error) { return error.code } })()',
    )
    expect(await both(name, twin, write, signal)).toEqual({ own: 'EROFS', twin: 'written' })
  })

  it('has no token and is nobody’s root; its twin that asks for a token has one (Z24)', async ({
    signal,
  }) => {
    const twin = await twinOf(
      name,
      (spec) => {
        spec.automountServiceAccountToken = true
        spec.securityContext = { runAsUser: 0 }
      },
      signal,
    ).catch((error: unknown) => {
      throw error instanceof Error
        ? new CheckBroke(`The twin does not run: ${error.message}`, { cause: error })
        : error
    })
    const look = node(
      '[require("node:fs").existsSync("/var/run/secrets/kubernetes.io/serviceaccount/token"), process.getuid()].join()',
    )
    expect(await both(name, twin, look, signal)).toEqual({ own: 'false,1000', twin: 'true,0' })
  })
})

describe('the namespace agents', () => {
  const harmless = (): KubeObject =>
    probePodManifest({ namespace: zoneB, runId: cluster.runId, name: `asked-${cluster.runId}` })

  it.for([...baselineCases, ...restrictedCases])(
    'refuses a pod for $field alone (Z24)',
    async (one, { task, signal }) => {
      await expectRefused(
        cluster.kube,
        recordOf(task.meta),
        {
          title: one.field,
          refused: violating(harmless(), one),
          words: 'violates PodSecurity "restricted:latest": ',
          twin: harmless(),
          twinTitle: `the same pod without ${one.field}`,
          passes: ({ ok }) => ok,
        },
        signal,
      )
    },
  )
})

describe('the RuntimeClass gvisor', () => {
  it('is there with the handler runsc; a pod that names another class is refused', async ({
    task,
    signal,
  }) => {
    const ref = { apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', name: 'gvisor' }
    const found = await cluster.kube.get(ref, signal)
    if (!found) throw new ExpectationFailed('There is no RuntimeClass gvisor (Z03).')
    expect(found['handler']).toBe('runsc')
    const named = (runtimeClassName: string): KubeObject => {
      const pod = probePodManifest({ namespace: zoneB, runId: cluster.runId, name: `asked-${cluster.runId}` })
      Object.assign(pod['spec'] as object, { runtimeClassName })
      return pod
    }
    await expectRefused(
      cluster.kube,
      recordOf(task.meta),
      {
        title: 'a pod of a runtime class that is not there',
        refused: named('nonesuch'),
        words: 'RuntimeClass "nonesuch" not found',
        twin: named('gvisor'),
        twinTitle: 'the same pod of gvisor',
        passes: ({ ok }) => ok,
      },
      signal,
    )
  })
})
