import { randomBytes, randomInt } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { deploymentAvailable } from '../../bootstrap/kube/conditions/deployment-available.ts'
import { podReady } from '../../bootstrap/kube/conditions/pod-ready.ts'
import { requireCanary } from '../harness/canaries.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { assertNegative } from '../harness/controls.ts'
import { engineHere } from '../harness/engine-here.ts'
import { eventually } from '../harness/eventually.ts'
import type { Look } from '../harness/look.ts'
import { createNamespace, type TestNamespace } from '../harness/namespace.ts'
import { probePodManifest, probePort, startProbePod, type ProbePod } from '../harness/probe-pod.ts'
import { recordOf } from '../harness/record.ts'
import { runLabel } from '../harness/run-id.ts'
import { evaluateIn } from '../harness/slate-pods.ts'
import { CheckBroke, NotProven } from '../harness/verdict.ts'
import {
  chainWords,
  readyPodOfWorkload,
  requireZones,
  sendTask,
  zoneA,
  zoneB,
  zonesObjects,
  zonesOverlay,
  type TaskSeen,
} from '../harness/zones.ts'
import { nodeKnocker, outsideKnocker, probeKnocker, requireDoors, type Door } from '../reachability/doors.ts'
import { measureLeak } from '../reachability/leak-window.ts'
import { startOutsideHost } from '../reachability/outside-host.ts'
import { livePods } from '../reachability/source.ts'

/*
 * Who may open a connection to whom between the zones (L22, L39, L53): measured from the agents' own pods, in their sandbox, from a pod
 * that no policy knows, and from the first instant of a pod. Then the same as a user sees it: a task that crosses the zones, and fails when
 * a policy says so.
 */
const brainPort = 8000
const kubeletPort = 10250
const monitoring = 'monitoring'

let cluster: Cluster
let space: TestNamespace
let outsider: ProbePod
const stack = new AsyncDisposableStack()

beforeAll(async () => {
  const signal = AbortSignal.timeout(120_000)
  cluster = await attach(choiceFromEnvironment(), signal)
  requireZones(cluster)
  const { kube, runId } = cluster
  space = stack.use(await createNamespace({ kube, runId, purpose: 'zones', signal }))
  outsider = stack.use(await startProbePod({ kube, runId, namespace: space.name, name: 'outsider', signal }))
}, 180_000)
afterAll(() => stack.disposeAsync())
beforeEach(() => {
  requireCanary('enforcement')
  requireZones(cluster)
})

const brain = (signal: AbortSignal) =>
  readyPodOfWorkload(cluster, { namespace: zoneA, name: 'deepseek-v32' }, signal)
const agent = (name: string, signal: AbortSignal) =>
  readyPodOfWorkload(cluster, { namespace: zoneB, name }, signal)
const isOnNode = (): boolean => zonesOverlay(cluster) !== 'pod-network'

async function clusterIp(namespace: string, name: string, signal: AbortSignal): Promise<string> {
  const service = await cluster.kube.get({ apiVersion: 'v1', kind: 'Service', namespace, name }, signal)
  const address = (service?.['spec'] as { clusterIP?: string } | undefined)?.clusterIP
  if (address === undefined) throw new CheckBroke(`There is no Service ${namespace}/${name}.`)
  return address
}

/** Everything that is knocked at, by the name that the stated table has for it. */
async function doorsOf(outside: string, signal: AbortSignal): Promise<Door[]> {
  const [deepseek, orchestrator, metacognition, prometheus, service, dns, api] = await Promise.all([
    brain(signal),
    agent('agent-orchestrator', signal),
    agent('metacognition', signal),
    readyPodOfWorkload(cluster, { namespace: monitoring, name: 'prometheus' }, signal),
    clusterIp(zoneA, 'deepseek-v32', signal),
    clusterIp('kube-system', 'kube-dns', signal),
    clusterIp('default', 'kubernetes', signal),
  ])
  const node = (deepseek.object['status'] as { hostIP?: string } | undefined)?.hostIP ?? ''
  return [
    { name: 'brain', address: deepseek.ip, port: brainPort },
    { name: 'brain by its Service', address: service, port: brainPort },
    { name: 'orchestrator', address: orchestrator.ip, port: 9000 },
    { name: 'metacognition', address: metacognition.ip, port: 9001 },
    { name: 'Prometheus', address: prometheus.ip, port: 9090 },
    { name: 'DNS', address: dns, port: 53 },
    { name: 'API server', address: api, port: 443 },
    { name: "node's kubelet", address: node, port: kubeletPort },
    { name: 'another pod', address: outsider.ip, port: probePort },
    { name: 'a machine outside', address: outside, port: 443 },
  ]
}

/** A web server in the host's network of the node that has the brain, with the labels of a model server of inference. */
async function startServerOnNode(
  port: number,
  signal: AbortSignal,
): Promise<AsyncDisposable & { ip: string }> {
  const { kube, runId } = cluster
  const name = `on-node-${randomBytes(2).toString('hex')}`
  const pod = probePodManifest({
    namespace: zoneA,
    runId,
    name,
    labels: { 'app.kubernetes.io/component': 'model-server' },
  })
  const { nodeName } = (await brain(signal)).object['spec'] as { nodeName: string }
  const spec = pod['spec'] as { containers: KubeObject[] }
  Object.assign(spec, { hostNetwork: true, nodeName })
  Object.assign(spec.containers[0] ?? {}, {
    command: ['httpd', '-f', '-p', String(port), '-h', '/tmp'],
    ports: [],
    readinessProbe: { tcpSocket: { port }, periodSeconds: 1 },
  })
  const ref = { apiVersion: 'v1', kind: 'Pod', namespace: zoneA, name }
  const remove = () =>
    kube.delete(ref, { signal: AbortSignal.timeout(30_000), wait: true, gracePeriodSeconds: 0 })
  await kube.apply([pod], { signal, dryRun: 'skip' })
  try {
    const ready = await kube.waitFor(ref, podReady, { timeoutMs: 60_000, signal })
    return {
      ip: (ready?.['status'] as { hostIP?: string } | undefined)?.hostIP ?? '',
      [Symbol.asyncDispose]: remove,
    }
  } catch (error) {
    await remove()
    throw error
  }
}

/** A pod in the namespace monitoring that no policy concerns. */
const startWatcher = (signal: AbortSignal): Promise<ProbePod> => {
  const { kube, runId } = cluster
  const name = `watcher-${randomBytes(2).toString('hex')}`
  return startProbePod({ kube, runId, namespace: monitoring, name, signal })
}

describe('who reaches whom', () => {
  it('the orchestrator alone reaches the brain, metacognition DNS alone, and nobody else comes into Zone B', async ({
    task,
    signal,
  }) => {
    const { kube, paths } = cluster
    // An address that belongs to nobody (TEST-NET-1, RFC 5737).
    const outsideAddress = `192.0.2.${String(randomInt(1, 255))}`
    const [orchestrator, metacognition, deepseek] = await Promise.all([
      agent('agent-orchestrator', signal),
      agent('metacognition', signal),
      brain(signal),
    ])
    await using stack = new AsyncDisposableStack()
    const outside = stack.use(
      await startOutsideHost({
        cluster,
        engine: await engineHere(paths, signal),
        addresses: [outsideAddress],
        signal,
      }),
    )
    const watcher = stack.use(await startWatcher(signal))
    const pods = await kube.list({ apiVersion: 'v1', kind: 'Pod' }, signal)
    await outside.findPods(livePods(pods), signal)
    const rows = [
      nodeKnocker(cluster, { name: 'agent-orchestrator', namespace: zoneB, pod: orchestrator.name }),
      nodeKnocker(cluster, { name: 'metacognition', namespace: zoneB, pod: metacognition.name }),
      nodeKnocker(cluster, { name: 'brain', namespace: zoneA, pod: deepseek.name }),
      probeKnocker('a pod of monitoring', watcher),
      probeKnocker('a pod elsewhere', outsider),
    ]
    const doors = await doorsOf(outsideAddress, signal)
    const record = recordOf(task.meta)
    const brains = ['brain', 'brain by its Service']
    const agents = ['orchestrator', 'metacognition']
    const world = ['DNS', 'API server', "node's kubelet", 'another pod', 'a machine outside']
    await requireDoors(record, {
      title: `the zones, overlay ${zonesOverlay(cluster)}`,
      rows,
      doors,
      open: {
        // Nobody can keep a pod from itself.
        'agent-orchestrator': [...brains, ...agents, 'DNS'],
        metacognition: ['metacognition', 'DNS'],
        // What is in the host's network is the node, which no policy keeps from the pods on it (Z01); in the pod network Zone A comes
        // nowhere (Z02).
        brain: isOnNode() ? [...brains, ...agents, 'Prometheus', ...world] : brains,
        'a pod of monitoring': [...brains, ...agents, 'Prometheus', ...world],
        // Kept away from a brain on a node by a policy for nodes (Z01), from one in the pod network by those of inference (Z02).
        'a pod elsewhere': world,
      },
      signal,
    })
    // A machine outside has no way to the addresses of Services.
    const services = ['brain by its Service', 'DNS', 'API server']
    await requireDoors(record, {
      title: 'a machine beside the nodes',
      rows: [outsideKnocker(outside.source), probeKnocker('a pod of monitoring', watcher)],
      doors: doors.filter(({ name }) => !services.includes(name)),
      open: {
        [outside.source.name]: ["node's kubelet", 'another pod', 'a machine outside'],
        'a pod of monitoring': ['brain', ...agents, 'Prometheus', ...world],
      },
      signal,
    })
    record.facts.push({
      name: 'ingress to Zone A',
      value: isOnNode()
        ? 'closed by the policy for nodes: the model server has the address of the node (Z01)'
        : 'closed by the policies of inference (Z02)',
    })
  })

  it('no policy of a namespace holds a pod in the host’s network; a policy for nodes does (Z01)', async ({
    task,
    signal,
  }) => {
    const { kube, runId } = cluster
    const guard = (await zonesObjects(cluster, 'local')).find(
      ({ kind, metadata }) => kind === 'CiliumClusterwideNetworkPolicy' && metadata.name === 'brain-on-node',
    )
    if (!guard) throw new CheckBroke('The overlay local has no CiliumClusterwideNetworkPolicy brain-on-node.')
    const port = randomInt(18_000, 19_000)
    await using stack = new AsyncDisposableStack()
    const server = stack.use(await startServerOnNode(port, signal))
    const watcher = stack.use(await startWatcher(signal))
    const connects = (from: ProbePod, wanted: string) => async (stop: AbortSignal) => {
      const { kind, detail } = await from.connect(server.ip, port, { timeoutSeconds: 2, signal: stop })
      if (kind === 'could-not-run') throw new CheckBroke(detail)
      return { ok: kind === wanted, seen: `${from.name}: ${kind}` }
    }
    const copy: KubeObject = {
      ...(JSON.parse(
        JSON.stringify(guard).replaceAll(`"port":"${String(brainPort)}"`, `"port":"${String(port)}"`),
      ) as KubeObject),
      metadata: { name: `e2e-guard-${runId}`, labels: { [runLabel]: runId } },
    }
    await assertNegative(recordOf(task.meta), {
      negative: { title: 'a pod elsewhere does not reach it', run: connects(outsider, 'timeout') },
      control: {
        title: 'a pod elsewhere reaches it, although inference-default-deny selects it',
        run: connects(outsider, 'connected'),
      },
      beside: { title: 'a pod of monitoring reaches it', run: connects(watcher, 'connected') },
      cause: {
        title: `CiliumClusterwideNetworkPolicy ${copy.metadata.name}`,
        apply: async () => {
          await kube.apply([copy], { signal, dryRun: 'skip' })
        },
        remove: () =>
          kube.delete(
            { apiVersion: copy.apiVersion, kind: copy.kind, name: copy.metadata.name },
            { signal: AbortSignal.timeout(30_000), wait: true },
          ),
      },
      settle: { timeoutMs: 30_000, intervalMs: 300, signal },
      hold: { timeoutMs: 5000, intervalMs: 300, signal },
    })
  })

  it.for([
    { runtime: 'the sandbox', runtimeClass: 'gvisor' },
    { runtime: "the node's own runtime", runtimeClass: undefined },
  ])(
    'a new pod of Zone B in $runtime gets through to nobody, from its first instruction on (Z07)',
    async ({ runtime, runtimeClass }, { task, signal }) => {
      const [deepseek, dns, orchestrator] = await Promise.all([
        brain(signal),
        clusterIp('kube-system', 'kube-dns', signal),
        agent('agent-orchestrator', signal),
      ])
      const [container] = (orchestrator.object['spec'] as { containers: { image: string }[] }).containers
      // The brain keeps away whom Zone B might let out; another pod lets everybody in.
      const forbidden = [
        { name: 'the brain', address: deepseek.ip, port: brainPort },
        { name: 'another pod', address: outsider.ip, port: probePort },
      ]
      const windows = await Promise.all(
        forbidden.map(async ({ name, address, port }) => {
          const window = await measureLeak(cluster, {
            namespace: zoneB,
            image: container?.image ?? '',
            labels: { 'app.kubernetes.io/name': `starting-${randomBytes(2).toString('hex')}` },
            ...(runtimeClass === undefined ? {} : { runtimeClass }),
            forbidden: { protocol: 'TCP', address, port },
            allowed: { protocol: 'TCP', address: dns, port: 53 },
            lastingMs: 5000,
            signal,
          })
          return { name, ...window }
        }),
      )
      recordOf(task.meta).facts.push(
        ...windows.map(({ name, leaks, attempts, lastedMs, firstAllowedMs }) => ({
          name: `leak window in ${runtime}, to ${name}`,
          value: `${String(leaks.length)} of ${String(attempts)} attempts in ${String(lastedMs)} ms got through; DNS after ${String(firstAllowedMs)} ms`,
        })),
      )
      for (const { name, attempts, leaks, firstAllowedMs } of windows) {
        // Without a way that opens, silence would prove nothing.
        expect(firstAllowedMs, `DNS beside ${name}`).toBeDefined()
        expect(attempts).toBeGreaterThan(20)
        expect(leaks, `to ${name}`).toEqual([])
      }
    },
  )
})

describe('a task', () => {
  const ask = async (signal: AbortSignal, timeoutMs = 60_000) =>
    sendTask(cluster, { task: 'What is a zone?', maxTokens: 8, timeoutMs }, signal)

  it('crosses the zones and comes back with the chain of its calls, and metacognition checks the answer', async ({
    task,
    signal,
  }) => {
    const wanted = ['deepseek-v32 answered', 'metacognition answered'].join()
    let done: TaskSeen | undefined
    // A call that a busy machine is too slow for is made again, and is one more in the chain; a way that is closed is in every chain.
    const seen = await eventually(
      'a task has one call of the brain and one of metacognition',
      async (stop) => {
        const sent = await ask(stop, 30_000)
        done = sent.task
        const chain = done.chain.map(({ to, outcome }) => `${to} ${outcome}`).join()
        return {
          ok: sent.status === 200 && done.reason === undefined && chain === wanted,
          seen: `${String(sent.status)}: ${done.reason ?? chainWords(done)}`,
        }
      },
      { timeoutMs: 90_000, intervalMs: 500, signal },
    )
    expect(done?.brain).toMatchObject({ name: 'deepseek-v32', standIn: true })
    expect(done?.answer).toMatch(/^\[stand-in for DeepSeek-V3\.2/)
    recordOf(task.meta).facts.push({ name: 'chain', value: seen })
  })

  it('fails when a policy closes the way to the brain, says why in its chain, and succeeds again after it', async ({
    task,
    signal,
  }) => {
    const { kube, runId } = cluster
    const name = `e2e-deny-${runId}`
    // Policies of Kubernetes only add up; one of Cilium's takes away, and touches nothing of the system's own.
    const target = isOnNode()
      ? { toEntities: ['host', 'remote-node'] }
      : { toEndpoints: [{ matchLabels: { 'k8s:io.kubernetes.pod.namespace': zoneA } }] }
    const deny: KubeObject = {
      apiVersion: 'cilium.io/v2',
      kind: 'CiliumNetworkPolicy',
      metadata: { name, namespace: zoneB, labels: { [runLabel]: runId } },
      spec: {
        endpointSelector: { matchLabels: { 'app.kubernetes.io/name': 'agent-orchestrator' } },
        egressDeny: [{ ...target, toPorts: [{ ports: [{ port: String(brainPort), protocol: 'TCP' }] }] }],
      },
    }
    const succeeds = async (stop: AbortSignal): Promise<Look> => {
      const { status, task: done } = await ask(stop, 8000)
      return { ok: status === 200, seen: `${String(status)}: ${chainWords(done)}` }
    }
    await assertNegative(recordOf(task.meta), {
      negative: {
        title: 'a task does not reach the brain',
        async run(stop) {
          const { status, task: done } = await ask(stop, 4000)
          const isSilent =
            done.chain.length > 0 && done.chain.every(({ outcome }) => outcome === 'unreachable')
          return { ok: status === 502 && isSilent, seen: `${String(status)}: ${chainWords(done)}` }
        },
      },
      control: { title: 'a task reaches the brain', run: succeeds },
      cause: {
        title: `CiliumNetworkPolicy ${name}`,
        apply: async () => {
          await kube.apply([deny], { signal, dryRun: 'skip' })
        },
        remove: () =>
          kube.delete(
            { apiVersion: deny.apiVersion, kind: deny.kind, namespace: zoneB, name },
            { signal: AbortSignal.timeout(30_000), wait: true },
          ),
      },
      settle: { timeoutMs: 60_000, intervalMs: 500, signal },
      hold: { timeoutMs: 10_000, intervalMs: 500, signal },
    })
  })
})

/** Copies of the policies of both zones, between two namespaces of the test. */
function policiesBetween(objects: readonly KubeObject[], a: string, b: string, runId: string): KubeObject[] {
  const ofZones = objects.filter(
    ({ kind, metadata }) => kind === 'NetworkPolicy' && [zoneA, zoneB].includes(metadata.namespace ?? ''),
  )
  const text = JSON.stringify(ofZones)
  const moved = text
    .replaceAll(`"kubernetes.io/metadata.name":"${zoneA}"`, `"kubernetes.io/metadata.name":"${a}"`)
    .replaceAll(`"kubernetes.io/metadata.name":"${zoneB}"`, `"kubernetes.io/metadata.name":"${b}"`)
  return (JSON.parse(moved) as KubeObject[]).map((policy) => ({
    ...policy,
    metadata: {
      name: policy.metadata.name,
      namespace: policy.metadata.namespace === zoneA ? a : b,
      labels: { [runLabel]: runId },
    },
  }))
}

describe('with the model servers in the pod network (Z02), on copies', () => {
  it('the policies hold in both directions: the orchestrator alone comes into Zone A, and Zone A comes nowhere', async ({
    task,
    signal,
  }) => {
    const { kube, runId } = cluster
    const objects = await zonesObjects(cluster, 'pod-network')
    const labels = (name: string, component: string) => ({
      'app.kubernetes.io/name': name,
      'app.kubernetes.io/component': component,
    })
    await using a = await createNamespace({ kube, runId, purpose: 'zone-a', podSecurity: 'baseline', signal })
    await using b = await createNamespace({ kube, runId, purpose: 'zone-b', signal })
    const peer = (namespace: string, name: string, peerLabels: Record<string, string>) =>
      startProbePod({ kube, runId, namespace, name, labels: peerLabels, signal })
    await using orchestrator = await peer(b.name, 'orchestrator', labels('agent-orchestrator', 'agent'))
    await using metacognition = await peer(b.name, 'metacognition', labels('metacognition', 'agent'))
    // Serves no model, but is a model server to every policy.
    await using server = await peer(a.name, 'server', labels('deepseek-v32', 'model-server'))
    // The port of the policies is the model server's: the probe's own web server listens there as well.
    await server.sh(`httpd -p ${String(brainPort)} -h /tmp/www`, signal)
    await metacognition.sh('httpd -p 9001 -h /tmp/www', signal)
    const rows = [
      probeKnocker('agent-orchestrator', orchestrator),
      probeKnocker('metacognition', metacognition),
      probeKnocker('model server', server),
      probeKnocker('a pod elsewhere', outsider),
    ]
    const doors: Door[] = [
      { name: 'brain', address: server.ip, port: brainPort },
      { name: "brain's other port", address: server.ip, port: 8080 },
      { name: 'metacognition', address: metacognition.ip, port: 9001 },
      { name: 'a pod elsewhere', address: outsider.ip, port: 8080 },
    ]
    const names = doors.map(({ name }) => name)
    const open: Record<string, readonly string[]> = {
      'agent-orchestrator': ['brain', 'metacognition'],
      metacognition: ['metacognition'],
      'model server': ['brain', "brain's other port"],
      'a pod elsewhere': ['a pod elsewhere'],
    }
    const record = recordOf(task.meta)
    await requireDoors(record, {
      title: 'before the policies',
      rows,
      doors,
      open: Object.fromEntries(rows.map(({ name }) => [name, names])),
      signal,
    })
    const policies = policiesBetween(objects, a.name, b.name, runId)
    await kube.apply(policies, { signal, dryRun: 'skip' })
    // Each pod's policies are in force at a time of their own.
    const settled = async (stop: AbortSignal): Promise<Look> => {
      const still = await Promise.all(
        rows.map(async (row) => {
          const kinds = await row.knock(doors, stop)
          return names
            .filter((name, index) => kinds[index] === 'connected' && open[row.name]?.includes(name) !== true)
            .map((name) => `${row.name} → ${name}`)
        }),
      )
      const ways = still.flat()
      return { ok: ways.length === 0, seen: ways.length === 0 ? 'all are' : `open: ${ways.join('; ')}` }
    }
    await eventually('what is to be closed is closed', settled, {
      timeoutMs: 90_000,
      intervalMs: 500,
      signal,
    })
    const shut = async (stop: AbortSignal): Promise<Look> => {
      const { kind } = await outsider.connect(server.ip, brainPort, { timeoutSeconds: 2, signal: stop })
      return { ok: kind === 'timeout', seen: kind }
    }
    await assertNegative(record, {
      negative: { title: 'a pod elsewhere does not reach the brain', run: shut },
      control: {
        title: 'the orchestrator reaches it',
        async run(stop) {
          const { kind } = await orchestrator.connect(server.ip, brainPort, {
            timeoutSeconds: 3,
            signal: stop,
          })
          return { ok: kind === 'connected', seen: kind }
        },
      },
      settle: { timeoutMs: 30_000, intervalMs: 500, signal },
      hold: { timeoutMs: 4000, intervalMs: 500, signal },
    })
    const witness = 'it was open before the policies'
    await requireDoors(record, {
      title: 'with the policies',
      rows,
      doors: doors.map((door) => ({ ...door, witness })),
      open,
      signal,
    })
  })
})

describe('metacognition', () => {
  it('is there and checks on its timer what it is offered', async ({ task, signal }) => {
    const ref = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: zoneB, name: 'metacognition' }
    await cluster.kube.waitFor(ref, deploymentAvailable, { timeoutMs: 30_000, signal })
    let id = ''
    // An offer that a busy machine is too slow for is not made again; a way that is closed takes none.
    await eventually(
      'metacognition takes the answer of a task',
      async (stop): Promise<Look> => {
        const { task: done } = await sendTask(
          cluster,
          { task: 'Check this.', maxTokens: 8, timeoutMs: 60_000 },
          stop,
        )
        if (done.state !== 'succeeded') throw new NotProven(`The task did not succeed: ${chainWords(done)}`)
        id = done.id
        const taken = done.chain.some(({ to, outcome }) => to === 'metacognition' && outcome === 'answered')
        return { ok: taken, seen: chainWords(done) }
      },
      { timeoutMs: 90_000, intervalMs: 500, signal },
    )
    const { name } = await agent('metacognition', signal)
    const seen = await eventually(
      'the check of the answer',
      async (stop) => {
        const body = await evaluateIn<{ checks: { taskId: string; result: string; problems: string[] }[] }>(
          cluster,
          { namespace: zoneB, name },
          `(await fetch('http://127.0.0.1:9001/checks')).json()`,
          {},
          stop,
        )
        const check = body.checks.find(({ taskId }) => taskId === id)
        return { ok: check?.result === 'passed', seen: JSON.stringify(check ?? 'not checked yet') }
      },
      { timeoutMs: 60_000, intervalMs: 1000, signal },
    )
    recordOf(task.meta).facts.push({ name: 'check', value: seen })
  })
})
