/** A pod's specification as far as references and ports are read; every field may be missing or wrong. */
export interface PodSpec {
  hostNetwork?: boolean
  serviceAccountName?: string
  containers?: Container[]
  initContainers?: Container[]
  imagePullSecrets?: { name?: string }[]
  priorityClassName?: string
  runtimeClassName?: string
  nodeSelector?: Record<string, string>
  /** What the runtime class adds to the containers' requests. */
  overhead?: Record<string, unknown>
  volumes?: {
    name?: string
    persistentVolumeClaim?: { claimName?: string }
    configMap?: Reference & { items?: { key?: string }[] }
    secret?: { secretName?: string; optional?: boolean; items?: { key?: string }[] }
    projected?: {
      sources?: {
        configMap?: Reference & { items?: { key?: string }[] }
        secret?: Reference & { items?: { key?: string }[] }
      }[]
    }
  }[]
}

export interface Reference {
  name?: string
  optional?: boolean
}

export interface Container {
  name?: string
  image?: string
  imagePullPolicy?: string
  /** Of an init container: `Always` makes it one that stays beside the others. */
  restartPolicy?: string
  resources?: { requests?: Record<string, unknown>; limits?: Record<string, unknown> }
  ports?: { name?: string; containerPort?: number }[]
  env?: {
    name?: string
    valueFrom?: {
      configMapKeyRef?: Reference & { key?: string }
      secretKeyRef?: Reference & { key?: string }
    }
  }[]
  envFrom?: { configMapRef?: Reference; secretRef?: Reference }[]
  volumeMounts?: { name?: string; mountPath?: string }[]
  livenessProbe?: Probe
  readinessProbe?: Probe
  startupProbe?: Probe
}

export interface Probe {
  httpGet?: { port?: number | string }
  tcpSocket?: { port?: number | string }
  grpc?: { port?: number | string }
}

export interface PodTemplate {
  /** Where the pod's specification stands in its object, such as `spec.template.spec`. */
  path: string
  labels: Record<string, string>
  spec: PodSpec
  /** Names of volumes that the workload itself brings: a StatefulSet's claim templates. */
  claims: string[]
}

interface TemplateShape {
  metadata?: { labels?: Record<string, string> }
  spec?: PodSpec
}

/** The pod that an object is or makes; undefined for kinds that make none. */
export function podTemplateOf(object: Record<string, unknown>): PodTemplate | undefined {
  const { kind } = object
  const spec = (object['spec'] ?? {}) as Record<string, unknown>
  if (kind === 'Pod') return template('spec', object, [])
  if (kind === 'CronJob') {
    const job = (spec['jobTemplate'] as { spec?: { template?: TemplateShape } } | undefined)?.spec
    return template('spec.jobTemplate.spec.template.spec', job?.template, [])
  }
  if (
    !['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job', 'ReplicationController'].includes(
      String(kind),
    )
  )
    return undefined
  const claims = spec['volumeClaimTemplates'] as { metadata?: { name?: string } }[] | undefined
  return template(
    'spec.template.spec',
    spec['template'] as TemplateShape | undefined,
    (Array.isArray(claims) ? claims : []).flatMap((claim) => claim.metadata?.name ?? []),
  )
}

function template(path: string, shape: TemplateShape | undefined, claims: string[]): PodTemplate | undefined {
  if (typeof shape?.spec !== 'object') return undefined
  return { path, labels: shape.metadata?.labels ?? {}, spec: shape.spec, claims }
}

/** All containers with their paths, init containers first. */
export function containersOf(pod: PodTemplate): { path: string; container: Container }[] {
  return (['initContainers', 'containers'] as const).flatMap((list) =>
    (Array.isArray(pod.spec[list]) ? pod.spec[list] : []).map((container, index) => ({
      path: `${pod.path}.${list}[${String(index)}]`,
      container,
    })),
  )
}

/** A list, or none where the manifest has something else; the schema check has told about that. */
export const listOf = <T>(value: readonly T[] | undefined): readonly T[] => {
  const given: unknown = value
  return Array.isArray(given) && value !== undefined ? value : []
}
