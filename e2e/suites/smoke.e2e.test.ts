import { randomBytes } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import { controlPlaneRequests } from '../../bootstrap/fit/control-plane.ts'
import { add, podRequests } from '../../bootstrap/fit/pod-requests.ts'
import type { PodSpec } from '../../bootstrap/manifests/pod-template.ts'
import { kubectl } from '../../bootstrap/tools/kubectl.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { assertNegative, type Check } from '../harness/controls.ts'
import { engineHere } from '../harness/engine-here.ts'
import { eventually } from '../harness/eventually.ts'
import { describeHttp, request, type HttpOutcome } from '../harness/http-client.ts'
import { judgeIdentity } from '../harness/identity.ts'
import type { Look } from '../harness/look.ts'
import { createNamespace } from '../harness/namespace.ts'
import { probePort, startProbePod, type ProbePod } from '../harness/probe-pod.ts'
import type { ConnectOutcome } from '../harness/probe-script.ts'
import { recordOf } from '../harness/record.ts'
import { placeInSlate, readSlateContract, requireSlate } from '../harness/slate.ts'
import { stableFor } from '../harness/stable-for.ts'
import { CheckBroke, NotProven } from '../harness/verdict.ts'
import { openWebSocket } from '../harness/websocket-client.ts'
import { opcodes } from '../harness/websocket-frames.ts'

const slate = readSlateContract()
type Answered = Extract<HttpOutcome, { kind: 'answered' }>
const settle = { timeoutMs: 30_000, intervalMs: 250 }
const brief = { timeoutMs: 2_000, intervalMs: 250 }

let cluster: Cluster
beforeAll(async () => {
  cluster = await attach(choiceFromEnvironment(), AbortSignal.timeout(30_000))
})

const ingress = (path: string, signal: AbortSignal, host = slate.host) =>
  request(`${cluster.ingressUrl}${path}`, { host, timeoutMs: 5_000, signal })

describe('workloads', () => {
  it.each(slate.deployments)(
    'deployment $name has all its replicas available',
    async ({ name, replicas }) => {
      requireSlate(cluster)
      await eventually(
        name,
        async (signal) => {
          const deployment = await cluster.kube.get(
            { apiVersion: 'apps/v1', kind: 'Deployment', name, namespace: slate.namespace },
            signal,
          )
          if (!deployment) return { ok: false, seen: 'no such Deployment' }
          const status = deployment['status'] as
            { availableReplicas?: number; observedGeneration?: number } | undefined
          const available = status?.availableReplicas ?? 0
          return {
            ok: available >= replicas && status?.observedGeneration === deployment.metadata.generation,
            seen: `${String(available)} of ${String(replicas)} available`,
          }
        },
        settle,
      )
    },
  )

  it.each(slate.claims)('claim %s is bound', async (name) => {
    requireSlate(cluster)
    await eventually(
      name,
      async (signal) => {
        const claim = await cluster.kube.get(
          { apiVersion: 'v1', kind: 'PersistentVolumeClaim', name, namespace: slate.namespace },
          signal,
        )
        const phase = (claim?.['status'] as { phase?: string } | undefined)?.phase ?? 'no such claim'
        return { ok: phase === 'Bound', seen: phase }
      },
      settle,
    )
  })
})

describe('a node', () => {
  it('may have as many processes as its machine: it is one container, with all of the cluster in it', async ({
    task,
    signal,
  }) => {
    const provider = cluster.record?.plan.provider
    if (provider === undefined || provider === 'existing')
      throw new NotProven('What a node of others may have is not ours to say.')
    const engine = await engineHere(choiceFromEnvironment().paths, signal)
    const nodes = await cluster.kube.list({ apiVersion: 'v1', kind: 'Node' }, signal)
    for (const { metadata } of nodes) {
      // Of cgroup v1 and of v2; the node sees its own as the root, which with v2 has no limit to show when nothing set one.
      const script = 'cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null || true'
      const { stdout } = await engine.exec(metadata.name, ['sh', '-c', script], { signal })
      const limits = stdout.split('\n').filter((line) => line !== '')
      recordOf(task.meta).facts.push({ name: metadata.name, value: limits.join(', ') || 'no limit' })
      for (const limit of limits) expect(limit).toBe('max')
    }
  })
})

describe('the control plane', () => {
  it('asks for no more than is counted when a system is to fit, so that the rest of the node is for others', async ({
    task,
    signal,
  }) => {
    const provider = cluster.record?.plan.provider
    if (provider === undefined || provider === 'existing')
      throw new NotProven('What a cluster of others sets aside for its control plane is not ours to say.')
    const pods = await cluster.kube.list(
      { apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system', labelSelector: 'tier=control-plane' },
      signal,
    )
    const asked = pods.map((pod) => podRequests(pod['spec'] as PodSpec))
    const sum = asked.reduce((one, other) => add(one, other), {})
    const words = pods.map(({ metadata }, index) => `${metadata.name} ${JSON.stringify(asked[index])}`)
    recordOf(task.meta).facts.push({ name: 'requests', value: words.join(', ') || 'no pods' })
    if (provider === 'k3s') {
      // It is a process of the node.
      expect(words).toEqual([])
      return
    }
    expect(pods).toHaveLength(4)
    expect(Object.keys(sum)).toEqual(Object.keys(controlPlaneRequests))
    for (const [resource, amount] of Object.entries(controlPlaneRequests))
      expect(sum[resource], resource).toBeCloseTo(amount)
  })
})

describe('ingress', () => {
  const podsOf = async (component: string, signal: AbortSignal): Promise<string[]> =>
    (
      await cluster.kube.list(
        {
          apiVersion: 'v1',
          kind: 'Pod',
          namespace: slate.namespace,
          labelSelector: `app.kubernetes.io/component=${component}`,
        },
        signal,
      )
    ).map((pod) => pod.metadata.name)

  it.each(slate.routes.filter(({ path }) => path !== '/ws'))(
    '$path answers as $identity, three times in a row',
    async ({ path, identity, deployment }) => {
      requireSlate(cluster)
      await stableFor(
        3,
        path,
        async (signal) =>
          judgeIdentity(await ingress(path, signal), identity, await podsOf(deployment.component, signal)),
        settle,
      )
    },
  )

  it('/ serves a page, /metrics the format of Prometheus', async ({ signal }) => {
    requireSlate(cluster)
    const shows = (path: string, is: (answer: Answered) => boolean) =>
      eventually(
        path,
        async (stop) => {
          const outcome = await ingress(path, stop)
          return { ok: outcome.kind === 'answered' && is(outcome), seen: describeHttp(outcome) }
        },
        { ...settle, signal },
      )
    await shows('/', ({ headers }) => /^text\/html/.test(headers['content-type'] ?? ''))
    await shows('/metrics', ({ body }) => /^# TYPE \w+ \w+$/m.test(body))
  })

  it('/ws opens a WebSocket to the dashboard and echoes text and binary frames', async ({ task, signal }) => {
    requireSlate(cluster)
    const outcome = await openWebSocket(`${cluster.ingressUrl}/ws`, {
      host: slate.host,
      timeoutMs: 10_000,
      signal,
    })
    if (outcome.kind !== 'open') throw new Error(`/ws did not open: ${outcome.kind} ${outcome.detail}`)
    await using socket = outcome.socket
    expect(socket.headers['x-slate-service']).toBe('dashboard')
    recordOf(task.meta).facts.push({ name: 'pod', value: String(socket.headers['x-slate-pod']) })

    const text = JSON.stringify({ type: 'echo', nonce: randomBytes(8).toString('hex') })
    const bytes = randomBytes(2_000)
    socket.send(text)
    socket.send(bytes)
    const until = performance.now() + 10_000
    let texts = 0
    let binaries = 0
    // The state of the system comes in between, unasked.
    while (texts === 0 || binaries === 0) {
      const frame = await socket.receive(until - performance.now())
      if (frame.opcode === opcodes.text && frame.payload.toString() === text) texts += 1
      if (frame.opcode === opcodes.binary && frame.payload.equals(bytes)) binaries += 1
    }
    expect([texts, binaries]).toEqual([1, 1])
  })

  const answers =
    (path: string, status: number, host = slate.host) =>
    async (signal: AbortSignal) => {
      const outcome = await ingress(path, signal, host)
      return outcome.kind === 'answered'
        ? {
            ok: outcome.status === status,
            seen: `${String(outcome.status)} from ${String(outcome.headers['x-slate-service'] ?? 'no service')}`,
          }
        : { ok: false, seen: describeHttp(outcome) }
    }
  const known: Check = { title: `${slate.host}/api/agents answers`, run: answers('/api/agents', 200) }

  it('an unknown host is refused', async ({ task }) => {
    requireSlate(cluster)
    const stranger = `stranger-${cluster.runId}.example`
    await assertNegative(recordOf(task.meta), {
      negative: { title: `${stranger} answers 404`, run: answers('/api/agents', 404, stranger) },
      control: known,
      settle,
      hold: brief,
    })
  })

  it('an unknown path is refused', async ({ task }) => {
    requireSlate(cluster)
    const path = `/no-such-path-${cluster.runId}`
    await assertNegative(recordOf(task.meta), {
      negative: { title: `${path} answers 404`, run: answers(path, 404) },
      control: known,
      settle,
      hold: brief,
    })
  })
})

describe('inside the cluster', () => {
  const inSlate = (signal: AbortSignal): Promise<ProbePod> => {
    requireSlate(cluster)
    return startProbePod({
      kube: cluster.kube,
      namespace: slate.namespace,
      ...placeInSlate,
      runId: cluster.runId,
      name: `e2e-client-${cluster.runId}-${randomBytes(2).toString('hex')}`,
      labels: { 'app.kubernetes.io/part-of': slate.partOf, 'app.kubernetes.io/component': 'e2e-client' },
      signal,
    })
  }

  async function ask(client: ProbePod, url: string, signal: AbortSignal, body?: unknown): Promise<unknown> {
    const outcome = await client.http(url, {
      timeoutSeconds: 15,
      signal,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
    })
    if (outcome.kind !== 'answered') throw new CheckBroke(`${url}: ${outcome.kind}: ${outcome.detail}`)
    expect(outcome.status, url).toBeGreaterThanOrEqual(200)
    expect(outcome.status, `${url}: ${outcome.body}`).toBeLessThan(300)
    return outcome.body === '' ? undefined : (JSON.parse(outcome.body) as unknown)
  }

  it('Ollama answers through its Service', async ({ task, signal }) => {
    await using client = await inSlate(signal)
    const { host, port } = slate.serviceOf('ollama')
    const base = `http://${host}:${String(port)}`
    const { version } = (await ask(client, `${base}/api/version`, signal)) as { version: string }
    const { models } = (await ask(client, `${base}/api/tags`, signal)) as { models: { name: string }[] }
    expect(version).toMatch(/^\d+\.\d+\.\d+/)
    expect(models).toBeInstanceOf(Array)
    recordOf(task.meta).facts.push(
      { name: 'version', value: version },
      { name: 'models', value: models.map(({ name }) => name).join(', ') || 'none' },
    )
  })

  it('Chroma stores vectors and finds the nearest through its Service', async ({ signal }) => {
    await using client = await inSlate(signal)
    const { host, port } = slate.serviceOf('chromadb')
    const base = `http://${host}:${String(port)}/api/v2`
    await ask(client, `${base}/heartbeat`, signal)
    const collections = `${base}/tenants/default_tenant/databases/default_database/collections`
    const name = `e2e-${cluster.runId}-${randomBytes(3).toString('hex')}`
    const { id } = (await ask(client, collections, signal, { name })) as { id: string }
    await ask(client, `${collections}/${id}/add`, signal, {
      ids: ['north', 'east'],
      embeddings: [
        [0, 1],
        [1, 0],
      ],
      documents: ['up', 'right'],
    })
    const found = (await ask(client, `${collections}/${id}/query`, signal, {
      query_embeddings: [[0.1, 0.9]],
      n_results: 1,
    })) as { ids: string[][]; documents: string[][] }
    expect({ ids: found.ids, documents: found.documents }).toEqual({ ids: [['north']], documents: [['up']] })

    // busybox wget knows GET and POST only; the connection is kept open until the answer is there.
    const path = new URL(`${collections}/${name}`).pathname
    const service = await cluster.kube.get(
      { apiVersion: 'v1', kind: 'Service', namespace: slate.namespace, name: host.split('.')[0] ?? '' },
      signal,
    )
    const { clusterIP } = service?.['spec'] as { clusterIP: string }
    const answer = await client.sh(
      `{ printf 'DELETE ${path} HTTP/1.1\\r\\nHost: ${host}\\r\\nConnection: close\\r\\n\\r\\n'; sleep 10; } | timeout 20 nc ${clusterIP} ${String(port)}`,
      signal,
    )
    expect(answer).toMatch(/^HTTP\/1\.1 200/)
  })
})

describe.concurrent('network', () => {
  /** Two namespaces: a guarded server in one; a client and a server of its own in the other. */
  async function pair(stack: AsyncDisposableStack, signal: AbortSignal) {
    const { kube, runId } = cluster
    const [guardedSpace, openSpace] = await Promise.all([
      createNamespace({ kube, runId, purpose: 'guarded', signal }),
      createNamespace({ kube, runId, purpose: 'open', signal }),
    ])
    stack.defer(async () => {
      await Promise.all([guardedSpace[Symbol.asyncDispose](), openSpace[Symbol.asyncDispose]()])
    })
    const pod = (namespace: string, name: string) =>
      startProbePod({ kube, runId, namespace, name, labels: { app: name }, signal })
    const [guarded, open, client] = await Promise.all([
      pod(guardedSpace.name, 'guarded'),
      pod(openSpace.name, 'open'),
      pod(openSpace.name, 'client'),
    ])
    const service = (namespace: string, name: string) => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace },
      spec: { selector: { app: name }, ports: [{ port: 80, targetPort: probePort }] },
    })
    await kube.apply([service(guardedSpace.name, 'guarded'), service(openSpace.name, 'open')], {
      signal,
      dryRun: 'skip',
    })
    return { guarded, open, client, guardedSpace, openSpace }
  }

  const client = { timeoutSeconds: 2 }
  const nameOf = (pod: ProbePod) => `${pod.name}.${pod.namespace}.svc.cluster.local`

  /** What the network said; a client that could not run, or a name that did not resolve, says nothing about a policy. */
  function told(outcome: ConnectOutcome): ConnectOutcome {
    if (outcome.kind === 'could-not-run' || outcome.kind === 'dns-failure') {
      throw new CheckBroke(`${outcome.kind}: ${outcome.detail}`)
    }
    return outcome
  }
  const connected = (outcome: ConnectOutcome): Look => ({
    ok: outcome.kind === 'connected',
    seen: outcome.detail,
  })
  const blocked = (outcome: ConnectOutcome): Look => ({
    ok: told(outcome).kind === 'timeout',
    seen: `${outcome.kind}: ${outcome.detail}`,
  })

  it('the clients tell connected, refused and an unknown name apart', async ({ signal }) => {
    await using stack = new AsyncDisposableStack()
    const space = stack.use(
      await createNamespace({ kube: cluster.kube, runId: cluster.runId, purpose: 'clients', signal }),
    )
    const pod = await startProbePod({
      kube: cluster.kube,
      runId: cluster.runId,
      namespace: space.name,
      name: 'client',
      signal,
    })
    for (const [host, port, wanted] of [
      [pod.ip, probePort, 'connected'],
      [pod.ip, probePort + 1, 'refused'],
      [`nobody.${space.name}.svc.cluster.local`, 80, 'dns-failure'],
    ] as const)
      await eventually(
        `${host}:${String(port)} is ${wanted}`,
        async (stop) => {
          const { kind, detail } = await pod.connect(host, port, { ...client, signal: stop })
          return { ok: kind === wanted, seen: `${kind}: ${detail}` }
        },
        { ...settle, signal },
      )
  })

  it('a pod in another namespace reaches a ClusterIP, by name, three times in a row', async ({
    task,
    signal,
  }) => {
    await using stack = new AsyncDisposableStack()
    const { guarded, client: from } = await pair(stack, signal)
    const bodies = await stableFor(
      3,
      'the page behind the ClusterIP',
      async (stop) => {
        const outcome = await from.http(`http://${nameOf(guarded)}/`, { ...client, signal: stop })
        if (outcome.kind === 'could-not-run') throw new CheckBroke(outcome.detail)
        return outcome.kind === 'answered'
          ? {
              ok: outcome.status === 200 && outcome.body.trim() === guarded.name,
              seen: `${String(outcome.status)} ${outcome.body.trim()}`,
            }
          : { ok: false, seen: `${outcome.kind}: ${outcome.detail}` }
      },
      { ...settle, signal },
    )
    recordOf(task.meta).facts.push({ name: 'answers', value: bodies.join(', ') })
  })

  it('a deny-all policy blocks, and only while it is there', async ({ task, signal }) => {
    await using stack = new AsyncDisposableStack()
    const { guarded, open, client: from, guardedSpace } = await pair(stack, signal)
    const policy = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'deny-all', namespace: guardedSpace.name },
      spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
    }
    const reach = (to: ProbePod) => (stop: AbortSignal) =>
      from.connect(nameOf(to), 80, { ...client, signal: stop })
    await assertNegative(recordOf(task.meta), {
      negative: {
        title: 'the guarded server is silent to the client',
        run: async (stop) => blocked(await reach(guarded)(stop)),
      },
      control: {
        title: 'the guarded server answers the client',
        run: async (stop) => connected(await reach(guarded)(stop)),
      },
      beside: {
        title: 'the open server answers the same client',
        run: async (stop) => connected(told(await reach(open)(stop))),
      },
      cause: {
        title: 'NetworkPolicy deny-all in the namespace of the guarded server',
        apply: async () => {
          await cluster.kube.apply([policy], { signal, dryRun: 'skip' })
        },
        remove: () =>
          cluster.kube.delete(
            { ...policy, name: policy.metadata.name, namespace: guardedSpace.name },
            { signal: AbortSignal.timeout(30_000), wait: true },
          ),
      },
      settle: { ...settle, signal },
      hold: { timeoutMs: 10_000, intervalMs: 250, signal },
    })
  })
})

describe.concurrent('storage', () => {
  it('a claim keeps its bytes over a new pod', async ({ task, signal }) => {
    const { kube, runId } = cluster
    await using space = await createNamespace({ kube, runId, purpose: 'storage', signal })
    const claim = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'bytes', namespace: space.name },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '16Mi' } } },
    }
    await kube.apply([claim], { signal, dryRun: 'skip' })
    const open = (name: string) =>
      startProbePod({ kube, runId, namespace: space.name, name, claims: { bytes: '/data' }, signal })
    let digest: string
    let first: string
    {
      await using writer = await open('writer')
      first = writer.uid
      digest = await writer.sh(
        'head -c 1048576 /dev/urandom > /data/bytes && sync && sha256sum < /data/bytes',
        signal,
      )
    }
    await using reader = await open('reader')
    expect(reader.uid).not.toBe(first)
    expect(digest).toMatch(/^[0-9a-f]{64}/)
    expect(await reader.sh('sha256sum < /data/bytes', signal)).toBe(digest)
    recordOf(task.meta).facts.push(
      { name: 'sha256', value: digest.slice(0, 12) },
      { name: 'pods', value: `${first}, ${reader.uid}` },
    )
  })
})

describe.concurrent('metrics', () => {
  it('kubectl top has a sample for every node and every pod of SLATE that is a minute old', async ({
    task,
    signal,
  }) => {
    requireSlate(cluster)
    const { kube, kubeconfigFile, context } = cluster
    const top = async (what: string[]): Promise<string[][]> => {
      const { stdout } = await kubectl(['--context', context, 'top', ...what, '--no-headers'], {
        kubeconfigFile,
        signal,
      })
      return stdout
        .trim()
        .split('\n')
        .map((line) => line.split(/\s+/))
    }
    const old = (created: string | undefined) => Date.now() - Date.parse(created ?? '') > 60_000
    await eventually(
      'kubectl top',
      async (stop) => {
        const [nodes, pods, sampledNodes, sampledPods] = await Promise.all([
          kube.list({ apiVersion: 'v1', kind: 'Node' }, stop),
          kube.list(
            {
              apiVersion: 'v1',
              kind: 'Pod',
              namespace: slate.namespace,
              fieldSelector: 'status.phase=Running',
            },
            stop,
          ),
          top(['nodes']),
          top(['pods', '--namespace', slate.namespace]),
        ])
        const sampled = new Map(
          [...sampledNodes, ...sampledPods].map(([name, cpu, memory]) => [
            name,
            `${String(cpu)} ${String(memory)}`,
          ]),
        )
        const wanted = [...nodes, ...pods.filter((pod) => old(pod.metadata.creationTimestamp))].map(
          (one) => one.metadata.name,
        )
        const missing = wanted.filter((name) => !/^\d+m \d+/.test(sampled.get(name) ?? ''))
        const seen = `${String(sampledNodes.length)} nodes, ${String(sampledPods.length)} pods sampled`
        return {
          ok: missing.length === 0 && sampledPods.length > 0,
          seen: missing.length === 0 ? seen : `${seen}; none for ${missing.join(', ')}`,
        }
      },
      { timeoutMs: 90_000, intervalMs: 2_000, signal },
    ).then((value) => recordOf(task.meta).facts.push({ name: 'samples', value }))
  })
})
