import type { KubeObject } from '../../../bootstrap/kube/client.ts'
import type { Contract } from '../contract.ts'
import { at, listAt } from '../../checks/manifest.ts'
import type { Fact } from '../../checks/fact.ts'

/** Roles rule by rule, their bindings, and the role that grants nothing. */
export function accessFacts({ roles, emptyClusterRole, namespace }: Contract): Fact[] {
  return [
    {
      fact: 'empty cluster role',
      section: emptyClusterRole.section,
      object: `ClusterRole/${emptyClusterRole.name}`,
      expected: [],
      see: (manifest) => at(manifest, 'rules'),
    },
    ...roles.flatMap((role): Fact[] => [
      {
        fact: 'role rules',
        section: role.section,
        object: `Role/${role.name}`,
        expected: Object.fromEntries(
          Object.entries(role.verbs).map(([resource, verbs]) => [resource, verbs.toSorted()]),
        ),
        see: grantedVerbs,
      },
      {
        fact: 'role binding',
        section: role.section,
        object: `RoleBinding/${role.binding}`,
        expected: {
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: role.name },
          subjects: [{ kind: 'ServiceAccount', name: role.serviceAccount, namespace: namespace.name }],
        },
        see: (manifest) => ({ roleRef: at(manifest, 'roleRef'), subjects: at(manifest, 'subjects') }),
      },
    ]),
  ]
}

/** All rules of a role as one table: `group/resource` → verbs. A rule that names single objects shows up as its own key. */
function grantedVerbs(role: KubeObject): Record<string, string[]> {
  const granted: Record<string, string[]> = {}
  for (const rule of listAt(role, 'rules')) {
    const only = listAt(rule, 'resourceNames')
    for (const group of listAt(rule, 'apiGroups') as string[]) {
      for (const resource of listAt(rule, 'resources') as string[]) {
        const key = `${group === '' ? '' : `${group}/`}${resource}${only.length > 0 ? ` ${only.join()}` : ''}`
        granted[key] = [...new Set([...(granted[key] ?? []), ...(listAt(rule, 'verbs') as string[])])].sort()
      }
    }
  }
  return granted
}
