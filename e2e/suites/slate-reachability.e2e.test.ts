import { randomBytes } from 'node:crypto'
import pLimit from 'p-limit'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { readContract } from '../../manifests/slate/contract.ts'
import { requireCanary } from '../harness/canaries.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { startProbePod } from '../harness/probe-pod.ts'
import { recordOf } from '../harness/record.ts'
import { runLabel } from '../harness/run-id.ts'
import { placeInSlate, requireSlate } from '../harness/slate.ts'
import { CheckBroke, NotProven } from '../harness/verdict.ts'
import {
  apiServerTargets,
  besideDnsTargets,
  dnsTargets,
  kubeletTarget,
} from '../reachability/cluster-targets.ts'
import type { PodEnd } from '../reachability/ends.ts'
import { evaluate } from '../reachability/evaluate-policies.ts'
import { jobsOfSlate, labelsOfJob } from '../reachability/job-pods.ts'
import { requireMatrix, type Target } from '../reachability/matrix.ts'
import { startPeer } from '../reachability/peer-pod.ts'
import type { SlateNetwork } from '../reachability/slate-network.ts'
import { livePods, networkOfPod, type Source } from '../reachability/source.ts'
import { createStage, outsideTarget, podTarget, type Stage } from '../reachability/stage.ts'
import { statedControllerNamespace } from '../reachability/stated.ts'

/*
 * Who may open a connection to whom: as the specification states it, as the policies in the cluster mean it, and as it is when the pods
 * themselves try. Hosts outside the cluster are a container beside the nodes; nothing leaves the machine.
 */
const contract = readContract()
const namespace = contract.namespace.name
/** Ports on which none of SLATE's pods listens: one that the ingress controller may use, and one that nobody may. */
const deafPorts = { routed: 8081, other: 8443 }

let cluster: Cluster
let stage: Stage
const stack = new AsyncDisposableStack()

beforeAll(async () => {
  cluster = await attach(choiceFromEnvironment(), AbortSignal.timeout(30_000))
  stage = stack.use(createStage(cluster, contract))
})
afterAll(() => stack.disposeAsync())
beforeEach(() => {
  requireCanary('enforcement')
  requireSlate(cluster)
})

const sourcesOf = ({ workloads }: SlateNetwork): Source[] => workloads.map(({ source }) => source)

/** A port of the dashboard on which it does not listen. */
function deafDashboard({ workloads }: SlateNetwork, port: number): Target {
  const dashboard = workloads.find(({ row }) => row.component === 'dashboard')
  if (!dashboard) throw new CheckBroke('The contract has no dashboard.')
  const { pod, source } = dashboard
  return {
    ...podTarget(pod, port, { name: 'slate-dashboard, deaf', witness: source, deaf: true }),
    stated: { end: source.stated, port },
  }
}

describe.concurrent('who reaches whom', () => {
  it('pods of SLATE reach every workload and every Service of SLATE', async ({ task, signal }) => {
    const network = await stage.network(signal)
    const { world, targets } = network
    await requireMatrix(recordOf(task.meta), {
      title: 'within SLATE',
      sources: sourcesOf(network),
      targets,
      world,
      contract,
      signal,
    })
  })

  it('a pod of another namespace reaches the dashboard on 8080 and nothing else, whatever its labels', async ({
    task,
    signal,
  }) => {
    const [{ source }, network] = await Promise.all([stage.outsider(), stage.network(signal)])
    const { world, targets } = network
    await requireMatrix(recordOf(task.meta), {
      title: 'from another namespace',
      sources: [source],
      targets: [
        ...targets,
        deafDashboard(network, deafPorts.routed),
        deafDashboard(network, deafPorts.other),
      ],
      world,
      contract,
      signal,
    })
  })

  it('the ingress controller reaches the routed services on their ports and nothing else', async ({
    task,
    signal,
  }) => {
    const [engine, network] = await Promise.all([stage.engine(), stage.network(signal)])
    const controllers = statedControllerNamespace(contract)
    const [pod] = livePods(
      await cluster.kube.list({ apiVersion: 'v1', kind: 'Pod', namespace: controllers }, signal),
    )
    if (!pod) throw new NotProven(`No pod with an address of its own is ready in ${controllers}.`)
    const controller = await networkOfPod(engine, pod, {
      name: 'ingress controller',
      stated: pod.end,
      signal,
    })
    await requireMatrix(recordOf(task.meta), {
      title: 'from the ingress controller',
      sources: [controller],
      targets: [
        ...network.targets,
        deafDashboard(network, deafPorts.routed),
        deafDashboard(network, deafPorts.other),
      ],
      world: network.world,
      contract,
      signal,
    })
  })

  it('a machine outside the cluster reaches the dashboard on 8080 and nothing else', async ({
    task,
    signal,
  }) => {
    const [host, network] = await Promise.all([stage.outsideHost(), stage.network(signal)])
    await host.findPods(
      network.workloads.map(({ pod }) => pod),
      signal,
    )
    await requireMatrix(recordOf(task.meta), {
      title: 'from outside the cluster',
      sources: [host.source],
      // A Service's address means nothing outside of the cluster.
      targets: [
        ...network.targets.filter(({ witnessed }) => witnessed === undefined),
        deafDashboard(network, deafPorts.other),
      ],
      world: network.world,
      contract,
      signal,
    })
  })

  it('every pod of SLATE asks the cluster DNS, and nobody else on port 53', async ({ task, signal }) => {
    const [{ source: witness, pod }, network] = await Promise.all([stage.outsider(), stage.network(signal)])
    const name = 'pod of another namespace'
    await requireMatrix(recordOf(task.meta), {
      title: 'DNS',
      sources: sourcesOf(network),
      targets: [
        ...(await dnsTargets(cluster, witness, signal)),
        ...(await besideDnsTargets(cluster, witness, signal)),
        podTarget(pod, 53, { name, witness, protocol: 'UDP' }),
        podTarget(pod, 53, { name, witness }),
      ],
      world: network.world,
      contract,
      signal,
    })
  })

  it('the API server is reached by the services that have its token, not by Ollama and Chroma', async ({
    task,
    signal,
  }) => {
    const [{ source: witness }, network] = await Promise.all([stage.outsider(), stage.network(signal)])
    const [service, own] = await apiServerTargets(cluster, witness, signal)
    if (!service || !own) throw new CheckBroke('The API server has no address.')
    await requireMatrix(recordOf(task.meta), {
      title: 'API server',
      sources: sourcesOf(network),
      targets: [
        service,
        own,
        kubeletTarget(own, witness),
        ...(await dnsTargets(cluster, witness, signal)).slice(1),
      ],
      world: network.world,
      contract,
      signal,
    })
  })

  it("outside of the cluster SLATE's own services reach GitHub on 443 and the API server's port, Ollama and Chroma nothing", async ({
    task,
    signal,
  }) => {
    const [{ source: witness }, network] = await Promise.all([
      stage.outsider(),
      stage.network(signal),
      stage.outsideHost(),
    ])
    const { github, private: ranges, beyond, nowhere } = stage.addresses
    const to = (address: string, port: Parameters<typeof outsideTarget>[1], protocol?: 'TCP' | 'UDP') =>
      outsideTarget(address, port, witness, protocol)
    const [first = ''] = github
    const [range = ''] = ranges
    await requireMatrix(recordOf(task.meta), {
      title: 'outside addresses',
      sources: sourcesOf(network),
      targets: [
        ...github.map((address) => to(address, 443)),
        to(first, 80),
        to(first, 53),
        to(first, 6443),
        to(beyond, 443),
        ...ranges.map((address) => to(address, 6443)),
        to(range, 443),
        to(range, 53),
        to(nowhere, 443),
        to(nowhere, 80),
        to(nowhere, 6443),
        to(nowhere, 53),
        to(nowhere, 53, 'UDP'),
        ...(await dnsTargets(cluster, witness, signal)).slice(1),
      ],
      world: network.world,
      contract,
      signal,
    })
  })

  it('no pod of SLATE reaches a pod of another namespace', async ({ task, signal }) => {
    const [{ source: witness, pod }, network] = await Promise.all([stage.outsider(), stage.network(signal)])
    const name = 'pod of another namespace'
    await requireMatrix(recordOf(task.meta), {
      title: 'to another namespace',
      sources: sourcesOf(network),
      targets: [
        podTarget(pod, 8080, { name, witness }),
        podTarget(pod, 443, { name, witness }),
        ...(await dnsTargets(cluster, witness, signal)).slice(1),
      ],
      world: network.world,
      contract,
      signal,
    })
  })
})

describe.concurrent('pods that are seldom there', () => {
  /** The quota of the namespace leaves room for few, and others need some too. */
  const inSlate = pLimit(2)

  it.for(jobsOfSlate(contract))(
    'a pod of the job $job reaches what the specification says, and only SLATE reaches it',
    async (job, { task, signal }) => {
      const record = recordOf(task.meta)
      const [objects, image, { source: outsider, pod: elsewhere }] = await Promise.all([
        stage.objects(),
        stage.image(),
        stage.outsider(),
        stage.outsideHost(),
      ])
      await inSlate(async () => {
        await using peer = await startPeer({
          cluster,
          namespace,
          name: `e2e-${job.job}`,
          image,
          labels: labelsOfJob(objects, job),
          ...placeInSlate,
          ports: [{ containerPort: 8080 }],
          stated: job.stated,
          signal,
        })
        const network = await stage.network(signal)
        const { world, workloads, targets } = network
        const core = workloads.find(({ row }) => row.component === 'core')
        if (!core) throw new CheckBroke('The contract has no core.')
        const { github, nowhere } = stage.addresses
        const own = {
          ...podTarget(peer.pod, 8080, { name: `pod of ${job.job}`, witness: peer.source }),
          stated: { end: job.stated, port: 8080 },
        }
        await Promise.all([
          requireMatrix(record, {
            title: `from ${job.job}`,
            sources: [{ ...peer.source, name: job.job }],
            targets: [
              ...targets.filter(({ witnessed }) => witnessed !== undefined),
              ...(await dnsTargets(cluster, outsider, signal)),
              ...(await apiServerTargets(cluster, outsider, signal)),
              outsideTarget(github[0] ?? '', 443, outsider),
              outsideTarget(nowhere, 443, outsider),
              podTarget(elsewhere, 8080, { name: 'pod of another namespace', witness: outsider }),
            ],
            world,
            contract,
            signal,
          }),
          requireMatrix(record, {
            title: `to ${job.job}`,
            sources: [outsider, core.source],
            targets: [own, ...targets.filter(({ name }) => name === 'slate-dashboard:8080')],
            world,
            contract,
            signal,
          }),
        ])
      })
    },
  )

  it('a pod of the namespace without any label reaches Ollama, by the policy for all pods alone (A16)', async ({
    task,
    signal,
  }) => {
    const { kube, runId } = cluster
    await inSlate(async () => {
      await using debug = await startProbePod({
        kube,
        runId,
        namespace,
        ...placeInSlate,
        name: `debug-${runId}-${randomBytes(2).toString('hex')}`,
        signal,
      })
      const { world, workloads } = await stage.network(signal)
      const ollama = workloads.find(({ row }) => row.name === 'ollama')
      const port = ollama?.row.ports[0] ?? 0
      if (!ollama) throw new CheckBroke('The contract has no Ollama.')
      const from: PodEnd = { kind: 'pod', namespace, name: debug.name, labels: { [runLabel]: runId } }
      const { open, leaving, entering } = evaluate(world, { from, to: ollama.pod.end, protocol: 'TCP', port })
      const answer = await debug.http(
        `http://ollama-svc.${namespace}.svc.cluster.local:${String(port)}/api/tags`,
        {
          timeoutSeconds: 10,
          signal,
        },
      )
      if (answer.kind === 'could-not-run') throw new CheckBroke(answer.detail)
      expect({ open, leaving: leaving.allowedBy, entering: entering.allowedBy }).toEqual({
        open: true,
        leaving: ['allow-intra-slate'],
        entering: ['allow-intra-slate'],
      })
      expect(answer).toMatchObject({ kind: 'answered', status: 200 })
      recordOf(task.meta).facts.push({
        name: 'entering Ollama is isolated by',
        value: entering.isolatedBy.join(', '),
      })
    })
  })
})
