import { availableParallelism, release, totalmem } from 'node:os'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import type { Cluster } from '../harness/cluster.ts'
import type { EnvironmentFact } from './run-report.ts'

interface NodeStatus {
  nodeInfo?: {
    kubeletVersion?: string
    containerRuntimeVersion?: string
    osImage?: string
    kernelVersion?: string
  }
  allocatable?: Record<string, string>
}

/** What a reader must know to judge a result: versions, where the images come from, how strong the machine is, and the tiers it has. */
export async function describeEnvironment(cluster: Cluster, signal: AbortSignal): Promise<EnvironmentFact[]> {
  const { kube, record } = cluster
  const nodes = await kube.list({ apiVersion: 'v1', kind: 'Node' }, signal)
  const runtimes = await kube.list({ apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass' }, signal)
  return [
    ...clusterFacts(cluster, nodes),
    ...imageFacts(record),
    ...tierFacts(nodes, runtimes),
    ...machineFacts(),
  ]
}

function clusterFacts(
  { name, context, ingressUrl, record }: Cluster,
  nodes: readonly KubeObject[],
): EnvironmentFact[] {
  const info = (nodes[0]?.['status'] as NodeStatus | undefined)?.nodeInfo
  return group('Cluster', {
    name: `${name} (context ${context})`,
    Kubernetes: info?.kubeletVersion,
    nodes: `${String(nodes.length)}: ${nodes.map((node) => node.metadata.name).join(', ')}`,
    runtime: info?.containerRuntimeVersion,
    'node system': info?.osImage,
    kernel: info?.kernelVersion,
    ingress: ingressUrl,
    'add-ons': record?.plan.addons.map((addon) => `${addon.name} ${addon.version}`).join(', '),
    systems: record?.plan.systems.map((system) => `${system.name}/${system.environment}`).join(', '),
    'made by': record === undefined ? 'somebody else' : `local-cloud ${record.toolVersion}`,
  })
}

const imageFacts = (record: Cluster['record']): EnvironmentFact[] =>
  group('Images', { source: record?.images?.source, because: record?.images?.why })

/** What kinds of machine the cluster has; a suite whose tier is "none" reports `not proven`. */
function tierFacts(nodes: readonly KubeObject[], runtimes: readonly KubeObject[]): EnvironmentFact[] {
  const gpus = nodes.flatMap((node) =>
    Object.entries((node['status'] as NodeStatus | undefined)?.allocatable ?? {}).flatMap(
      ([resource, count]) =>
        resource.includes('/gpu') ? [`${node.metadata.name}: ${count} × ${resource}`] : [],
    ),
  )
  return group('Tiers', {
    GPU: gpus.length === 0 ? 'none' : gpus.join(', '),
    sandbox: runtimes.length === 0 ? 'none' : runtimes.map((runtime) => runtime.metadata.name).join(', '),
    'more than one node': nodes.length > 1 ? 'yes' : 'no',
  })
}

const machineFacts = (): EnvironmentFact[] =>
  group('Machine', {
    CPU: `${String(availableParallelism())} cores`,
    memory: `${(totalmem() / 2 ** 30).toFixed(1)} GiB`,
    kernel: release(),
    Node: process.version,
  })

const group = (name: string, facts: Record<string, string | undefined>): EnvironmentFact[] =>
  Object.entries(facts).flatMap(([fact, value]) =>
    value === undefined || value === '' ? [] : [{ group: name, name: fact, value }],
  )
