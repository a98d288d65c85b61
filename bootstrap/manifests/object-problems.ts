import { isKnownKind, schemaProblems, versionsOfKind, type FieldProblem } from './schema.ts'
import { workloadProblems } from './workload-problems.ts'

const label = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/
const subdomain = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/
const qualifiedName = /^([A-Za-z0-9]([\w.-]*[A-Za-z0-9])?)$/
const labelValue = /^([A-Za-z0-9]([\w.-]*[A-Za-z0-9])?)?$/

/** Kinds whose names become a part of host names: RFC 1123 labels of at most 63 characters. */
const labelNamed = new Set(['Namespace', 'Service'])
/** Kinds whose names may hold anything that a path may: roles such as `system:node`. */
const pathNamed = new Set(['Role', 'ClusterRole', 'RoleBinding', 'ClusterRoleBinding'])

/** API groups of Kubernetes itself; a kind in one of them that the schemas do not know is a mistake, not a custom kind. */
const ownGroups = new Set([
  '',
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'apiregistration.k8s.io',
  'apps',
  'autoscaling',
  'batch',
  'coordination.k8s.io',
  'discovery.k8s.io',
  'networking.k8s.io',
  'node.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'scheduling.k8s.io',
  'storage.k8s.io',
  'extensions',
])

/**
 * Everything that is wrong with one object as it stands, without a cluster: its identity (https://kubernetes.io/docs/concepts/
 * overview/working-with-objects/names/, …/labels/), its fields against the schemas of our Kubernetes version, and what a
 * workload must keep to itself. Of custom kinds the identity alone is checked. With `complete: false` the manifest adds fields to
 * an object that is there, so that required ones may be missing.
 */
export function objectProblems(object: unknown, { complete = true } = {}): FieldProblem[] {
  if (typeof object !== 'object' || object === null || Array.isArray(object))
    return [{ field: '', problem: 'is no object' }]
  const { apiVersion, kind, metadata } = object as Record<string, unknown>
  const problems: FieldProblem[] = []
  const need = (field: string, value: unknown): value is string => {
    const there = typeof value === 'string' && value !== ''
    if (!there)
      problems.push({
        field,
        problem: value === undefined || value === null ? 'is required' : 'must be a string',
      })
    return there
  }
  const typed = need('apiVersion', apiVersion) && need('kind', kind)
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) {
    return [...problems, { field: 'metadata', problem: 'is required' }]
  }
  const { name, namespace, labels, annotations } = metadata as Record<string, unknown>
  if (need('metadata.name', name)) problems.push(...nameProblems(String(kind), name))
  if (typeof namespace === 'string' && !(namespace.length <= 63 && label.test(namespace))) {
    problems.push({ field: 'metadata.namespace', problem: `cannot be "${namespace}": no DNS label` })
  }
  problems.push(
    ...keyProblems('metadata.labels', labels, true),
    ...keyProblems('metadata.annotations', annotations, false),
  )
  if (!typed) return problems

  const type = { ...(object as Record<string, unknown>), apiVersion, kind }
  if (isKnownKind(type)) {
    return [...problems, ...schemaProblems(type, complete), ...workloadProblems(type)]
  }
  const group = apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : ''
  if (ownGroups.has(group)) {
    const versions = versionsOfKind(kind)
    const hint = versions.length === 0 ? '' : `; ${kind} is in ${versions.join(', ')}`
    problems.push({ field: 'kind', problem: `${kind} is not known in ${apiVersion}${hint}` })
  }
  return problems
}

function nameProblems(kind: string, name: string): FieldProblem[] {
  const field = 'metadata.name'
  if (pathNamed.has(kind)) {
    return name === '.' || name === '..' || /[/%]/.test(name)
      ? [{ field, problem: `cannot be "${name}": it cannot be a part of a path` }]
      : []
  }
  if (labelNamed.has(kind)) {
    return name.length <= 63 && label.test(name)
      ? []
      : [
          {
            field,
            problem: `cannot be "${name}": a ${kind} needs a DNS label (lower case, digits and dashes, at most 63)`,
          },
        ]
  }
  return name.length <= 253 && subdomain.test(name)
    ? []
    : [
        {
          field,
          problem: `cannot be "${name}": no DNS name (lower case, digits, dashes and dots, at most 253)`,
        },
      ]
}

function keyProblems(field: string, map: unknown, valuesToo: boolean): FieldProblem[] {
  if (typeof map !== 'object' || map === null || Array.isArray(map)) return []
  return Object.entries(map).flatMap(([key, value]) => {
    const slash = key.indexOf('/')
    const prefix = slash === -1 ? undefined : key.slice(0, slash)
    const name = key.slice(slash + 1)
    const at = `${field}[${key}]`
    const good =
      (prefix === undefined || (prefix.length <= 253 && subdomain.test(prefix))) &&
      name.length <= 63 &&
      qualifiedName.test(name)
    if (!good) return [{ field: at, problem: 'has a key that is no qualified name' }]
    if (valuesToo && typeof value === 'string' && !(value.length <= 63 && labelValue.test(value))) {
      return [{ field: at, problem: `cannot be "${value}": no label value` }]
    }
    return []
  })
}
