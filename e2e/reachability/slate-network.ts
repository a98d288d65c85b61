import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { selects, type LabelSelector } from '../../bootstrap/kube/label-selector.ts'
import type { Contract, DeploymentRow } from '../../manifests/slate/contract.ts'
import type { Cluster } from '../harness/cluster.ts'
import { CheckBroke } from '../harness/verdict.ts'
import type { PodEnd } from './ends.ts'
import type { NetworkPolicy, PolicyWorld } from './evaluate-policies.ts'
import type { Target } from './matrix.ts'
import { livePods, podSource, type LivePod, type Source } from './source.ts'

/** One of SLATE's deployments as it runs. */
export interface Workload {
  row: DeploymentRow
  /** The oldest ready pod, which stands for all. */
  pod: LivePod
  source: Source
}

/** SLATE as a network: who is there, what can be dialled, and which policies hold. */
export interface SlateNetwork {
  world: PolicyWorld
  workloads: Workload[]
  /** Each pod and each Service, on every port of the contract. */
  targets: Target[]
  /** Ready pods of SLATE's namespace. */
  pods: LivePod[]
}

/** All policies and namespaces of the cluster as they are now. */
export async function readWorld(kube: Cluster['kube'], signal: AbortSignal): Promise<PolicyWorld> {
  const [policies, namespaces] = await Promise.all([
    kube.list({ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' }, signal),
    kube.list({ apiVersion: 'v1', kind: 'Namespace' }, signal),
  ])
  return {
    policies: policies as unknown as NetworkPolicy[],
    namespaces: Object.fromEntries(namespaces.map(({ metadata }) => [metadata.name, metadata.labels ?? {}])),
  }
}

/** A pod of SLATE as the specification knows it: its labels are the stated ones. */
export const statedPod = (contract: Contract, component: string, name = component): PodEnd => ({
  kind: 'pod',
  namespace: contract.namespace.name,
  name,
  labels: {
    'app.kubernetes.io/component': component,
    'app.kubernetes.io/name': name,
    'app.kubernetes.io/part-of': contract.podLabels.partOf,
  },
})

/** Reads SLATE from the cluster. @throws CheckBroke when a deployment has no ready pod or a Service is not there */
export async function readSlateNetwork(
  cluster: Pick<Cluster, 'kube' | 'context'>,
  contract: Contract,
  signal: AbortSignal,
): Promise<SlateNetwork> {
  const { kube } = cluster
  const namespace = contract.namespace.name
  const [world, deployments, services, objects] = await Promise.all([
    readWorld(kube, signal),
    kube.list({ apiVersion: 'apps/v1', kind: 'Deployment', namespace }, signal),
    kube.list({ apiVersion: 'v1', kind: 'Service', namespace }, signal),
    kube.list({ apiVersion: 'v1', kind: 'Pod', namespace }, signal),
  ])
  const pods = livePods(objects)
  const workloads = contract.deployments.map((row): Workload => {
    const deployment = deployments.find(({ metadata }) => metadata.name === row.name)
    const { selector } = (deployment?.spec ?? {}) as { selector?: LabelSelector }
    const pod = pods.find(({ labels }) => selector !== undefined && selects(selector, labels))
    if (!pod) throw new CheckBroke(`The deployment ${row.name} has no ready pod in ${namespace}.`)
    return {
      row,
      pod,
      source: podSource(cluster, pod, statedPod(contract, row.component, row.name), row.name),
    }
  })
  return {
    world,
    workloads,
    pods,
    targets: [
      ...workloads.flatMap(({ row, pod, source }) =>
        row.ports.map((port): Target => ({
          name: `${row.name}:${String(port)}`,
          dial: { protocol: 'TCP', address: pod.ip, port },
          ends: [{ end: pod.end, port }],
          stated: { end: source.stated, port },
          witness: source,
        })),
      ),
      ...contract.services.rows.flatMap((row) => {
        const service = services.find(({ metadata }) => metadata.name === row.name)
        if (!service) throw new CheckBroke(`There is no Service ${row.name} in ${namespace}.`)
        return row.ports.map((port) => serviceTarget(service, port, row.selector, { workloads, pods }))
      }),
    ],
  }
}

interface ServiceSpec {
  clusterIP: string
  selector?: Record<string, string>
  ports: { port: number; targetPort?: number | string }[]
}

function serviceTarget(
  service: KubeObject,
  port: number,
  statedSelector: Readonly<Record<string, string>>,
  { workloads, pods }: Pick<SlateNetwork, 'workloads' | 'pods'>,
): Target {
  const { name } = service.metadata
  const spec = service.spec as ServiceSpec
  const targetPort = spec.ports.find((one) => one.port === port)?.targetPort ?? port
  const stated = workloads.find(
    ({ source }) =>
      source.stated.kind === 'pod' && selects({ matchLabels: { ...statedSelector } }, source.stated.labels),
  )
  if (!stated) throw new CheckBroke(`The contract has no deployment for the Service ${name}.`)
  const behind = pods.filter(({ labels }) => selects({ matchLabels: spec.selector ?? {} }, labels))
  return {
    name: `${name}:${String(port)}`,
    dial: { protocol: 'TCP', address: spec.clusterIP, port },
    ends: behind.map((pod) => ({
      end: pod.end,
      port:
        typeof targetPort === 'number'
          ? targetPort
          : (pod.ports.find((one) => one.name === targetPort)?.containerPort ?? port),
    })),
    stated: { end: stated.source.stated, port },
    witness: stated.source,
    witnessed: { protocol: 'TCP', address: stated.pod.ip, port },
  }
}
