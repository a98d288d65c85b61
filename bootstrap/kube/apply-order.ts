import type { KubeObject } from './client.ts'

/**
 * Kinds that others need, in the order in which they must exist; kinds of one row go together. A kind that is in no row comes
 * after these and before `last`. Limits and accounts come before the pods that they shape, Services before the pods that get
 * their addresses as environment.
 */
const first: readonly (readonly string[])[] = [
  ['Namespace'],
  ['CustomResourceDefinition'],
  [
    'PriorityClass',
    'StorageClass',
    'RuntimeClass',
    'IngressClass',
    'ResourceQuota',
    'LimitRange',
    'NetworkPolicy',
    'CiliumNetworkPolicy',
    'CiliumClusterwideNetworkPolicy',
    'ServiceAccount',
    'ConfigMap',
    'Secret',
    'ClusterRole',
    'Role',
    'ClusterRoleBinding',
    'RoleBinding',
    'PersistentVolume',
    'PersistentVolumeClaim',
    'Service',
  ],
]

/** Kinds that make the server ask our own pods. */
const last: readonly string[] = [
  'APIService',
  'MutatingWebhookConfiguration',
  'ValidatingWebhookConfiguration',
]

/** Number of the group that `kind` belongs to; all of a group is applied before the next begins. */
function rank(kind: string): number {
  const row = first.findIndex((kinds) => kinds.includes(kind))
  if (row !== -1) return row
  return first.length + (last.includes(kind) ? 1 : 0)
}

/** The objects in groups that are applied one after the other; the order inside a group is kept. */
export function inOrder<T extends { object: KubeObject }>(entries: readonly T[]): T[][] {
  const groups = new Map<number, T[]>()
  for (const entry of entries) {
    const group = rank(entry.object.kind)
    groups.set(group, [...(groups.get(group) ?? []), entry])
  }
  return [...groups.entries()].sort(([a], [b]) => a - b).map(([, group]) => group)
}
