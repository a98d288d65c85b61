import { availableParallelism, release, totalmem } from 'node:os'
import { adaptations as findAdaptations } from '../../bootstrap/host/adaptations.ts'
import { offersOf, offerWords } from '../../bootstrap/gpu/gpu-offer.ts'
import { detectHostLimits, type HostLimits } from '../../bootstrap/host/host-limits.ts'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { tierWarning } from '../../bootstrap/plan/gpu-plan.ts'
import { providerWords } from '../../bootstrap/providers/provider-words.ts'
import type { Cluster } from '../harness/cluster.ts'
import { profileOf } from '../harness/profile.ts'
import { runLabel } from '../harness/run-id.ts'
import { imagesOfPods } from './pod-images.ts'
import type { EnvironmentFact } from './run-report.ts'

interface NodeStatus {
  nodeInfo?: {
    kubeletVersion?: string
    containerRuntimeVersion?: string
    osImage?: string
    kernelVersion?: string
    architecture?: string
  }
  allocatable?: Record<string, string>
}

/**
 * What a reader must know to judge a result: provider and versions, which images run by their digests, how strong the machine is, what it
 * forbids and how the cluster was adapted to that, and the tiers it has.
 */
export async function describeEnvironment(
  cluster: Cluster,
  signal: AbortSignal,
  limits: HostLimits = detectHostLimits(),
): Promise<EnvironmentFact[]> {
  const { kube, record } = cluster
  const nodes = await kube.list({ apiVersion: 'v1', kind: 'Node' }, signal)
  const runtimes = await kube.list({ apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass' }, signal)
  const namespaces = await kube.list({ apiVersion: 'v1', kind: 'Namespace' }, signal)
  const pods = (await kube.list({ apiVersion: 'v1', kind: 'Pod' }, signal)).filter(ofNoTest)
  return [
    ...clusterFacts(cluster, nodes),
    ...tierFacts(nodes, runtimes),
    ...machineFacts(limits),
    // Another machine's limits say nothing about a cluster that was not made here.
    ...(record === undefined || record.plan.provider === 'existing' ? [] : adaptationFacts(limits)),
    ...imageFacts(record),
    ...namespaces.filter(ofNoTest).flatMap(({ metadata: { name } }) =>
      imagesOfPods(pods.filter(({ metadata }) => metadata.namespace === name)).map(({ image, running }) => ({
        group: `Images running in ${name}`,
        name: image,
        value: running,
      })),
    ),
  ]
}

const ofNoTest = ({ metadata }: KubeObject): boolean => metadata.labels?.[runLabel] === undefined

function clusterFacts(cluster: Cluster, nodes: readonly KubeObject[]): EnvironmentFact[] {
  const { name, context, record } = cluster
  const info = (nodes[0]?.['status'] as NodeStatus | undefined)?.nodeInfo
  return group('Cluster', {
    name: `${name} (context ${context})`,
    provider: record ? providerWords(record.plan.provider, record.images?.source) : 'not known',
    profile: profileOf(),
    Kubernetes: info?.kubeletVersion,
    nodes: `${String(nodes.length)}: ${nodes.map((node) => node.metadata.name).join(', ')}`,
    runtime: info?.containerRuntimeVersion,
    'node system': info?.osImage,
    kernel: info?.kernelVersion,
    architecture: info?.architecture,
    ingress: record?.plan.provider === 'existing' ? record.plan.ingressUrl : cluster.ingressUrl,
    'add-ons': record?.plan.addons.map((addon) => `${addon.name} ${addon.version}`).join(', '),
    systems: record?.plan.systems.map((system) => `${system.name}/${system.environment}`).join(', '),
    'made by': record === undefined ? 'somebody else' : `local-cloud ${record.toolVersion}`,
    complete:
      record === undefined || record.complete ? undefined : 'no: not everything of its plan was proven',
  })
}

const imageFacts = (record: Cluster['record']): EnvironmentFact[] =>
  group('Images', {
    source: record?.images?.source,
    because: record?.images?.why,
    node: record?.images?.node,
  })

/** What kinds of machine the cluster has; a suite whose tier is "none" reports `not proven`. */
function tierFacts(nodes: readonly KubeObject[], runtimes: readonly KubeObject[]): EnvironmentFact[] {
  const offers = offersOf(nodes)
  const others = nodes.flatMap(({ metadata: { name }, ...node }) =>
    offers.some((offer) => offer.node === name)
      ? []
      : Object.entries((node['status'] as NodeStatus | undefined)?.allocatable ?? {}).flatMap(
          ([resource, count]) => (resource.includes('/gpu') ? [`${name}: ${count} × ${resource}`] : []),
        ),
  )
  const gpus = [...offers.map(offerWords), ...others]
  const [warning] = offers.map(({ tier }) => tierWarning(tier)).filter((words) => words !== '')
  return group('Tiers', {
    GPU: gpus.length === 0 ? 'none' : gpus.join(', '),
    'what that proves': warning,
    sandbox: runtimes.length === 0 ? 'none' : runtimes.map((runtime) => runtime.metadata.name).join(', '),
    'more than one node': nodes.length > 1 ? 'yes' : 'no',
  })
}

function machineFacts(limits: HostLimits): EnvironmentFact[] {
  const { distribution, inotify } = limits
  const linux = limits.platform === 'linux'
  return group('Machine', {
    system: `${distribution === undefined ? limits.platform : `${distribution.id} ${distribution.version}`.trim()}, ${limits.arch}`,
    CPU: `${String(availableParallelism())} cores`,
    memory: `${(totalmem() / 2 ** 30).toFixed(1)} GiB`,
    kernel: release(),
    Node: process.version,
    'control groups': linux ? limits.cgroup : undefined,
    CAP_SYS_RESOURCE: linux ? (limits.capSysResource ? 'there' : 'missing') : undefined,
    'open files': linux ? most(limits.nofileHard) : undefined,
    processes: linux ? most(limits.nprocHard) : undefined,
    'inotify instances': inotify && String(inotify.maxUserInstances),
  })
}

const most = (limit: number): string => (Number.isFinite(limit) ? `at most ${String(limit)}` : 'not limited')

/** What `up` announces: how a cluster made on this host differs from one on an ordinary host. */
function adaptationFacts(limits: HostLimits): EnvironmentFact[] {
  const found = findAdaptations(limits)
  return found.length === 0
    ? [{ group: 'Adaptations to this host', name: 'none', value: 'an ordinary host' }]
    : found.map(({ id, message }) => ({ group: 'Adaptations to this host', name: id, value: message }))
}

const group = (name: string, facts: Record<string, string | undefined>): EnvironmentFact[] =>
  Object.entries(facts).flatMap(([fact, value]) =>
    value === undefined || value === '' ? [] : [{ group: name, name: fact, value }],
  )
