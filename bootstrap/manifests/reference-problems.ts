import type { KubeObject } from '../kube/client.ts'
import { selects, type LabelSelector } from '../kube/label-selector.ts'
import { containersOf, listOf, podTemplateOf, type PodTemplate, type Reference } from './pod-template.ts'
import type { FieldProblem } from './schema.ts'

/** What a reference points at, for the set of objects that are applied together. */
interface ObjectSet {
  has(kind: string, namespace: string, name: string): boolean
  find(kind: string, namespace: string, name: string): KubeObject | undefined
  pods(namespace: string): PodTemplate[]
}

/** Annotation of a workload: objects (`Kind/name`, by commas) that it refers to and that somebody else brings, a Secret for one. */
export const externalAnnotation = 'local-cloud.io/external'

/** Objects that every cluster or every namespace has by itself. */
const builtIn = new Set([
  'ServiceAccount/default',
  'ConfigMap/kube-root-ca.crt',
  'PriorityClass/system-cluster-critical',
  'PriorityClass/system-node-critical',
])
/** Objects that kubeadm puts into kube-system; a manifest of one of them adds to it and need not be complete. */
const ofKubeadm = new Set([
  'ConfigMap/coredns',
  'ConfigMap/kubeadm-config',
  'ConfigMap/kubelet-config',
  'ConfigMap/cluster-info',
  'ConfigMap/extension-apiserver-authentication',
  'ServiceAccount/coredns',
  'Deployment/coredns',
  'Service/kube-dns',
])

/**
 * What no API server checks: references that lead nowhere inside the set of objects that is applied together. Services,
 * network policies and disruption budgets select pods, autoscalers name workloads, Ingresses name Services and their ports, claims
 * name volumes, pods name claims, ConfigMaps and Secrets with their keys, service accounts and priority classes. Optional
 * references, what a cluster has by itself and what `externalAnnotation` lists pass. Returned by the object's position.
 */
export function referenceProblems(
  objects: readonly KubeObject[],
): { index: number; problem: FieldProblem }[] {
  const set = setOf(objects)
  return [
    ...duplicates(objects),
    ...objects.flatMap((object, index) => problemsOf(object, set).map((problem) => ({ index, problem }))),
  ]
}

/** Whether every cluster has the object before any manifest is applied. */
export const isOfKubeadm = (object: KubeObject): boolean =>
  object.metadata.namespace === 'kube-system' && ofKubeadm.has(`${object.kind}/${object.metadata.name}`)

const namespaceOf = (object: KubeObject): string => object.metadata.namespace ?? ''
const keyOf = (kind: string, namespace: string, name: string): string => `${kind} ${namespace}/${name}`

function setOf(objects: readonly KubeObject[]): ObjectSet {
  const byKey = new Map(
    objects.map((object) => [keyOf(object.kind, namespaceOf(object), object.metadata.name), object]),
  )
  return {
    has: (kind, namespace, name) =>
      byKey.has(keyOf(kind, namespace, name)) ||
      builtIn.has(`${kind}/${name}`) ||
      (namespace === 'kube-system' && ofKubeadm.has(`${kind}/${name}`)),
    find: (kind, namespace, name) => byKey.get(keyOf(kind, namespace, name)),
    pods: (namespace) =>
      objects
        .filter((object) => namespaceOf(object) === namespace)
        .flatMap((object) => podTemplateOf(object) ?? []),
  }
}

function duplicates(objects: readonly KubeObject[]): { index: number; problem: FieldProblem }[] {
  const first = new Map<string, number>()
  return objects.flatMap((object, index) => {
    const group = object.apiVersion.includes('/') ? object.apiVersion.split('/')[0] : ''
    const key = `${String(group)} ${keyOf(object.kind, namespaceOf(object), object.metadata.name)}`
    const earlier = first.get(key)
    if (earlier === undefined) {
      first.set(key, index)
      return []
    }
    return [
      {
        index,
        problem: { field: 'metadata.name', problem: `is the same object as document ${String(earlier + 1)}` },
      },
    ]
  })
}

function problemsOf(object: KubeObject, set: ObjectSet): FieldProblem[] {
  const namespace = namespaceOf(object)
  const pod = podTemplateOf(object)
  const own = pod ? podProblems(pod, namespace, withExternal(set, externalOf(object))) : []
  const spec = (object['spec'] ?? {}) as Record<string, unknown>
  switch (object.kind) {
    case 'Service':
      return [...own, ...serviceProblems(spec, namespace, set)]
    case 'PodDisruptionBudget':
      return [...own, ...budgetProblems(spec, namespace, set)]
    case 'NetworkPolicy':
      return [...own, ...policyProblems(spec, namespace, set)]
    case 'PersistentVolumeClaim':
      return [...own, ...claimProblems(spec, set)]
    case 'HorizontalPodAutoscaler':
      return [...own, ...autoscalerProblems(spec, namespace, set)]
    case 'Ingress':
      return [...own, ...ingressProblems(spec, namespace, set)]
    default:
      return own
  }
}

/** The objects that the annotation lists, as `Kind/name`. */
function externalOf({ metadata }: KubeObject): Set<string> {
  const listed: unknown = metadata.annotations?.[externalAnnotation]
  return new Set(typeof listed === 'string' ? listed.split(',').map((name) => name.trim()) : [])
}

const withExternal = (set: ObjectSet, external: ReadonlySet<string>): ObjectSet => ({
  ...set,
  has: (kind, namespace, name) => external.has(`${kind}/${name}`) || set.has(kind, namespace, name),
})

function serviceProblems(spec: Record<string, unknown>, namespace: string, set: ObjectSet): FieldProblem[] {
  const selector = spec['selector'] as Record<string, string> | undefined
  if (selector === undefined || Object.keys(selector).length === 0) return []
  const pods = set.pods(namespace).filter((pod) => selects({ matchLabels: selector }, pod.labels))
  if (pods.length === 0) {
    const wanted = Object.entries(selector).map(([key, value]) => `${key}=${value}`)
    return [{ field: 'spec.selector', problem: `selects no pod here (${wanted.join(', ')})` }]
  }
  const ports = listOf(spec['ports'] as { port?: number; targetPort?: number | string }[] | undefined)
  return ports.flatMap(({ targetPort, port }, index) => {
    const target = targetPort ?? port
    const serves = pods.some((pod) => podServes(pod, target))
    if (serves) return []
    return [
      {
        field: `spec.ports[${String(index)}].targetPort`,
        problem: `is ${String(target)}, which no container behind the Service declares`,
      },
    ]
  })
}

/** Whether a pod declares the port; one that declares no ports at all may serve any number. */
function podServes(pod: PodTemplate, target: number | string | undefined): boolean {
  const ports = containersOf(pod).flatMap(({ container }) => listOf(container.ports))
  if (typeof target === 'string') return ports.some((port) => port.name === target)
  return (
    ports.length === 0 || pod.spec.hostNetwork === true || ports.some((port) => port.containerPort === target)
  )
}

function budgetProblems(spec: Record<string, unknown>, namespace: string, set: ObjectSet): FieldProblem[] {
  const selector = spec['selector'] as LabelSelector | undefined
  if (selector === undefined)
    return [{ field: 'spec.selector', problem: 'is missing: the budget protects nothing' }]
  return set.pods(namespace).some((pod) => selects(selector, pod.labels))
    ? []
    : [{ field: 'spec.selector', problem: 'selects no pod here' }]
}

/** An empty selector means every pod of the namespace, of which there may be none yet. */
function policyProblems(spec: Record<string, unknown>, namespace: string, set: ObjectSet): FieldProblem[] {
  const selector = (spec['podSelector'] ?? {}) as LabelSelector
  const all = Object.keys(selector).length === 0
  return all || set.pods(namespace).some((pod) => selects(selector, pod.labels))
    ? []
    : [{ field: 'spec.podSelector', problem: 'selects no pod here' }]
}

function claimProblems(spec: Record<string, unknown>, set: ObjectSet): FieldProblem[] {
  const { volumeName } = spec
  return typeof volumeName !== 'string' || set.has('PersistentVolume', '', volumeName)
    ? []
    : [{ field: 'spec.volumeName', problem: `names the PersistentVolume ${volumeName}, which is not here` }]
}

function autoscalerProblems(
  spec: Record<string, unknown>,
  namespace: string,
  set: ObjectSet,
): FieldProblem[] {
  const { kind, name } = (spec['scaleTargetRef'] ?? {}) as { kind?: string; name?: string }
  if (kind === undefined || name === undefined || set.has(kind, namespace, name)) return []
  return [{ field: 'spec.scaleTargetRef', problem: `names ${kind} ${name}, which is not here` }]
}

interface Backend {
  service?: { name?: string; port?: { name?: string; number?: number } }
}

function ingressProblems(spec: Record<string, unknown>, namespace: string, set: ObjectSet): FieldProblem[] {
  const rules = listOf(spec['rules'] as { http?: { paths?: { backend?: Backend }[] } }[] | undefined)
  const backends: [string, Backend | undefined][] = [
    ['spec.defaultBackend', spec['defaultBackend'] as Backend | undefined],
    ...rules.flatMap((rule, index) =>
      listOf(rule.http?.paths).map((path, position): [string, Backend | undefined] => [
        `spec.rules[${String(index)}].http.paths[${String(position)}].backend`,
        path.backend,
      ]),
    ),
  ]
  const problems = backends.flatMap(([field, backend]) => backendProblems(field, backend, namespace, set))
  for (const [index, tls] of listOf(spec['tls'] as { secretName?: string }[] | undefined).entries()) {
    if (tls.secretName !== undefined && !set.has('Secret', namespace, tls.secretName)) {
      problems.push({
        field: `spec.tls[${String(index)}].secretName`,
        problem: `names the Secret ${tls.secretName}, which is not here`,
      })
    }
  }
  return problems
}

function backendProblems(
  field: string,
  backend: Backend | undefined,
  namespace: string,
  set: ObjectSet,
): FieldProblem[] {
  const { name, port } = backend?.service ?? {}
  if (name === undefined) return []
  const service = set.find('Service', namespace, name)
  if (service === undefined)
    return [{ field: `${field}.service.name`, problem: `names the Service ${name}, which is not here` }]
  const ports = listOf((service['spec'] as { ports?: { name?: string; port?: number }[] } | undefined)?.ports)
  const found = ports.some((one) =>
    port?.name === undefined ? one.port === port?.number : one.name === port.name,
  )
  if (found) return []
  return [
    {
      field: `${field}.service.port`,
      problem: `is ${String(port?.name ?? port?.number)}, which the Service ${name} does not have`,
    },
  ]
}

function podProblems(pod: PodTemplate, namespace: string, set: ObjectSet): FieldProblem[] {
  const problems: FieldProblem[] = []
  const need = (
    field: string,
    kind: string,
    reference: Reference | undefined,
    keys: readonly (string | undefined)[] = [],
  ): void => {
    const { name, optional } = reference ?? {}
    if (name === undefined || optional === true) return
    if (!set.has(kind, namespace, name)) {
      problems.push({ field, problem: `names the ${kind} ${name}, which is not here` })
      return
    }
    const target = set.find(kind, namespace, name)
    if (target === undefined) return
    const there = keysOf(target)
    for (const key of keys) {
      if (key !== undefined && !there.has(key))
        problems.push({ field, problem: `names the key ${key}, which the ${kind} ${name} does not have` })
    }
  }
  const { spec, path } = pod
  need(`${path}.serviceAccountName`, 'ServiceAccount', named(spec.serviceAccountName))
  if (spec.priorityClassName !== undefined && !set.has('PriorityClass', '', spec.priorityClassName)) {
    problems.push({
      field: `${path}.priorityClassName`,
      problem: `names the PriorityClass ${spec.priorityClassName}, which is not here`,
    })
  }
  for (const [index, volume] of listOf(spec.volumes).entries()) {
    const at = `${path}.volumes[${String(index)}]`
    const keys = (items: { key?: string }[] | undefined): (string | undefined)[] =>
      listOf(items).map((item) => item.key)
    need(
      `${at}.persistentVolumeClaim.claimName`,
      'PersistentVolumeClaim',
      named(volume.persistentVolumeClaim?.claimName),
    )
    need(`${at}.configMap.name`, 'ConfigMap', volume.configMap, keys(volume.configMap?.items))
    const { secret } = volume
    need(
      `${at}.secret.secretName`,
      'Secret',
      secret?.optional === true ? undefined : named(secret?.secretName),
      keys(secret?.items),
    )
    for (const [position, source] of listOf(volume.projected?.sources).entries()) {
      need(
        `${at}.projected.sources[${String(position)}].configMap`,
        'ConfigMap',
        source.configMap,
        keys(source.configMap?.items),
      )
      need(
        `${at}.projected.sources[${String(position)}].secret`,
        'Secret',
        source.secret,
        keys(source.secret?.items),
      )
    }
  }
  for (const { path: at, container } of containersOf(pod)) {
    for (const [index, { valueFrom }] of listOf(container.env).entries()) {
      need(`${at}.env[${String(index)}]`, 'ConfigMap', valueFrom?.configMapKeyRef, [
        valueFrom?.configMapKeyRef?.key,
      ])
      need(`${at}.env[${String(index)}]`, 'Secret', valueFrom?.secretKeyRef, [valueFrom?.secretKeyRef?.key])
    }
    for (const [index, source] of listOf(container.envFrom).entries()) {
      need(`${at}.envFrom[${String(index)}]`, 'ConfigMap', source.configMapRef)
      need(`${at}.envFrom[${String(index)}]`, 'Secret', source.secretRef)
    }
  }
  for (const [index, secret] of listOf(spec.imagePullSecrets).entries()) {
    need(`${path}.imagePullSecrets[${String(index)}]`, 'Secret', secret)
  }
  return problems
}

const named = (name: string | undefined): Reference | undefined => (name === undefined ? undefined : { name })

const keysOf = (object: KubeObject): Set<string> =>
  new Set(
    ['data', 'binaryData', 'stringData'].flatMap((part) =>
      Object.keys((object[part] ?? {}) as Record<string, unknown>),
    ),
  )
