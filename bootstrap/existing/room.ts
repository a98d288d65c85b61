import { add, amounts, podRequests, type Amounts } from '../fit/pod-requests.ts'
import type { KubeObject } from '../kube/client.ts'
import type { PodSpec } from '../manifests/pod-template.ts'

/** What the nodes of a cluster that is not ours have, and what the pods of others ask for. */
export interface Room {
  cores: number
  memory: number
  others: Amounts
}

/** Whether a node takes ordinary pods: it is ready, not cordoned, and has no taint that keeps them away. */
export function isSchedulable(node: KubeObject): boolean {
  const { unschedulable = false, taints = [] } = (node['spec'] ?? {}) as {
    unschedulable?: boolean
    taints?: { effect?: string }[]
  }
  const { conditions = [] } = (node['status'] ?? {}) as { conditions?: { type?: string; status?: string }[] }
  return (
    !unschedulable &&
    taints.every(({ effect }) => effect === 'PreferNoSchedule') &&
    conditions.some(({ type, status }) => type === 'Ready' && status === 'True')
  )
}

/**
 * Sums up the nodes that take pods, and the pods on them that go on and lie in none of `ownNamespaces`. Whether a single pod finds a node
 * with that much left is not computed. Pure.
 */
export function roomOf(
  nodes: readonly KubeObject[],
  pods: readonly KubeObject[],
  ownNamespaces: ReadonlySet<string>,
): Room {
  const taking = nodes.filter(isSchedulable)
  const names = new Set(taking.map(({ metadata }) => metadata.name))
  const all = taking
    .map((node) =>
      amounts((node['status'] as { allocatable?: Record<string, unknown> } | undefined)?.allocatable),
    )
    .reduce<Amounts>((sum, one) => add(sum, one), {})
  const others = pods
    .filter((pod) => {
      const { nodeName } = (pod['spec'] ?? {}) as { nodeName?: string }
      const { phase } = (pod['status'] ?? {}) as { phase?: string }
      return (
        names.has(nodeName ?? '') &&
        phase !== 'Succeeded' &&
        phase !== 'Failed' &&
        !ownNamespaces.has(pod.metadata.namespace ?? '')
      )
    })
    .map((pod) => podRequests(pod['spec'] as PodSpec))
    .reduce<Amounts>((sum, one) => add(sum, one), {})
  return { cores: all['cpu'] ?? 0, memory: all['memory'] ?? 0, others }
}
