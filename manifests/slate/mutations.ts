import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { externalAnnotation } from '../../bootstrap/manifests/reference-problems.ts'
import type { Contract, EnvironmentName } from './contract.ts'
import { at } from '../checks/manifest.ts'

/** A change to one object, and the only kinds of facts that may then fail. */
export interface Mutation {
  environment: EnvironmentName
  /** `Kind/name`. */
  object: string
  change: (manifest: KubeObject) => void
  facts: string[]
}

type Change = (manifest: KubeObject) => void
type Row = [object: string, change: Change, facts: string[]]
type Path = [string | number, ...(string | number)[]]

/** Changes to the rendered objects that the check has to see: at least one for every kind of fact that one object can break. */
export function mutationsOf(contract: Contract): Mutation[] {
  const inEnvironment = (environment: EnvironmentName, rows: Row[]): Mutation[] =>
    rows.map(([object, change, facts]) => ({ environment, object, change, facts }))
  return [
    ...inEnvironment('local', [
      ...clusterRows(contract),
      ...podRows(contract),
      ...deploymentRows(contract),
      ...jobRows(contract),
      ...serviceRows(contract),
      ...networkRows(contract),
      ...scalingRows(contract),
      ...limitRows(contract),
    ]),
    ...inEnvironment('base', statedRows(contract)),
    ...inEnvironment('dev', [[`CronJob/${contract.cronJobs[0]?.name ?? ''}`, pullOf('Never'), ['image']]]),
    ...inEnvironment('staging', [
      [`Ingress/${contract.ingress.name}`, redirect('false'), ['ingress annotations']],
    ]),
    ...inEnvironment('prod', [
      [
        `Deployment/${Object.keys(contract.environments.prod.gpu).at(-1) ?? ''}`,
        set(undefined, ...container, 'resources', 'limits', 'nvidia.com/gpu'),
        ['GPU'],
      ],
    ]),
  ]
}

const pod = ['spec', 'template', 'spec'] as const
const container = [...pod, 'containers', 0] as const
const cronTemplate = ['spec', 'jobTemplate', 'spec', 'template'] as const
const cronPod = [...cronTemplate, 'spec'] as const
const cronContainer = [...cronPod, 'containers', 0] as const

const pullOf = (policy: string): Change => set(policy, ...cronContainer, 'imagePullPolicy')
const redirect = (value: string): Change =>
  set(value, 'metadata', 'annotations', 'nginx.ingress.kubernetes.io/ssl-redirect')

function clusterRows(contract: Contract): Row[] {
  const [role] = contract.roles
  const roleId = `Role/${role?.name ?? ''}`
  const bindingId = `RoleBinding/${role?.binding ?? ''}`
  const ingressId = `Ingress/${contract.ingress.name}`
  return [
    [
      `Namespace/${contract.namespace.name}`,
      set('privileged', 'metadata', 'labels', 'pod-security.kubernetes.io/enforce'),
      ['namespace labels'],
    ],
    [ingressId, set('1', 'metadata', 'labels', 'app.kubernetes.io/version'), ['common labels']],
    [ingressId, set('default', 'metadata', 'namespace'), ['namespace of the object']],
    [roleId, append('delete', 'rules', 0, 'verbs'), ['role rules']],
    [roleId, set(['one'], 'rules', 0, 'resourceNames'), ['role rules']],
    [bindingId, set('other', 'roleRef', 'name'), ['role binding']],
    [bindingId, set('default', 'subjects', 0, 'name'), ['role binding']],
    [
      `ClusterRole/${contract.emptyClusterRole.name}`,
      append({ apiGroups: [''], resources: ['nodes'], verbs: ['get'] }, 'rules'),
      ['empty cluster role'],
    ],
    [
      'PersistentVolumeClaim/slate-data-pvc',
      set('4Gi', 'spec', 'resources', 'requests', 'storage'),
      ['claim'],
    ],
    ['PersistentVolumeClaim/slate-data-pvc', set(['ReadWriteMany'], 'spec', 'accessModes'), ['claim']],
    ['PersistentVolumeClaim/slate-data-pvc', set('fast', 'spec', 'storageClassName'), ['volume of a claim']],
    [
      'PersistentVolumeClaim/slate-workspace-pvc',
      set(undefined, 'spec', 'volumeName'),
      ['volume of a claim'],
    ],
    [
      'PersistentVolume/slate-workspace-pv',
      set('Delete', 'spec', 'persistentVolumeReclaimPolicy'),
      ['volume'],
    ],
    ['PersistentVolume/slate-workspace-pv', set('/', 'spec', 'hostPath', 'path'), ['volume']],
    ['ConfigMap/slate-instructions', set('x', 'data', 'more.yaml'), ['ConfigMap keys']],
    ['ConfigMap/slate-model-files', set('FROM phi\n', 'data', 'Modelfile.slate-fast'), ['ConfigMap values']],
    [
      `ConfigMap/${contract.addresses.configMap}`,
      set('localhost:1', 'data', contract.addresses.variables[0] ?? ''),
      ['addresses of the stores', 'ConfigMap values'],
    ],
    ['Secret/slate-github-secret', set('dG9rZW4=', 'data', 'token'), ['Secret placeholder']],
  ]
}

/** Facts of every pod, tried on a Deployment, a CronJob and the preload job. */
function podRows(contract: Contract): Row[] {
  const deployment = `Deployment/${contract.deployments[0]?.name ?? ''}`
  const cronJob = `CronJob/${contract.cronJobs[0]?.name ?? ''}`
  const preload = `Job/${contract.preload.name}`
  const init = [...pod, 'initContainers', 0] as const
  const ofGpu = `Deployment/${Object.keys(contract.environments.base.gpu)[0] ?? ''}`
  return [
    [
      deployment,
      set('x', 'spec', 'template', 'metadata', 'labels', 'app.kubernetes.io/component'),
      ['pod labels'],
    ],
    [
      cronJob,
      set('dashboard', ...cronTemplate, 'metadata', 'labels', 'app.kubernetes.io/component'),
      ['pod labels'],
    ],
    [
      deployment,
      append({ name: 'sidecar', resources: resources('50m', '64Mi') }, ...pod, 'containers'),
      ['containers', 'container security context', 'image', 'GPU'],
    ],
    [deployment, set('default', ...pod, 'serviceAccountName'), ['service account']],
    [cronJob, set('default', ...cronPod, 'serviceAccountName'), ['service account']],
    [cronJob, set(false, ...cronPod, 'automountServiceAccountToken'), ['token of the service account']],
    [
      'Deployment/ollama',
      set(undefined, ...pod, 'automountServiceAccountToken'),
      ['token of the service account'],
    ],
    [deployment, set(true, ...pod, 'enableServiceLinks'), ['service variables']],
    [preload, set(undefined, ...pod, 'enableServiceLinks'), ['service variables']],
    [deployment, set('slate-gpu-priority', ...pod, 'priorityClassName'), ['priority']],
    [cronJob, set(undefined, ...cronPod, 'priorityClassName'), ['priority']],
    [deployment, set(0, ...pod, 'securityContext', 'runAsUser'), ['pod security context']],
    ['Deployment/ollama', set(true, ...pod, 'securityContext', 'runAsNonRoot'), ['pod security context']],
    [
      deployment,
      set([], ...container, 'securityContext', 'capabilities', 'drop'),
      ['container security context'],
    ],
    [preload, set(true, ...init, 'securityContext', 'privileged'), ['container security context']],
    [deployment, set('slate:latest', ...container, 'image'), ['image']],
    [deployment, set('IfNotPresent', ...container, 'imagePullPolicy'), ['image']],
    [preload, set('IfNotPresent', ...init, 'imagePullPolicy'), ['image']],
    ['Deployment/chromadb', set('chroma:latest', ...container, 'image'), ['image']],
    [ofGpu, set('1', ...container, 'resources', 'limits', 'nvidia.com/gpu'), ['GPU']],
    [
      cronJob,
      set('1', ...cronContainer, 'resources', 'limits', 'nvidia.com/gpu'),
      ['GPU', 'resources of a job'],
    ],
    [deployment, set({ 'nvidia.com/gpu.present': 'true' }, ...pod, 'nodeSelector'), ['node selector']],
    [deployment, set('core', ...container, 'command', 3), ['entrypoint']],
    [cronJob, set('model-trainer', ...cronContainer, 'command', 3), ['entrypoint']],
    [preload, set(['true'], ...init, 'command'), ['entrypoint']],
    [
      cronJob,
      set([], ...cronContainer, 'env'),
      ['addresses of the stores', 'identity of the pod', 'environment of a job'],
    ],
    [deployment, set([], ...container, 'envFrom'), ['addresses of the stores']],
    [
      preload,
      set('spec.nodeName', ...init, 'env', 0, 'valueFrom', 'fieldRef', 'fieldPath'),
      ['identity of the pod'],
    ],
  ]
}

function deploymentRows(contract: Contract): Row[] {
  const object = `Deployment/${contract.deployments[0]?.name ?? ''}`
  return [
    [object, set(1, 'spec', 'replicas'), ['replicas']],
    [object, set('Recreate', 'spec', 'strategy', 'type'), ['rollout']],
    ['Deployment/chromadb', set({ type: 'RollingUpdate' }, 'spec', 'strategy'), ['rollout']],
    [object, append({ containerPort: 1 }, ...container, 'ports'), ['container ports']],
    [object, set('/healthz', ...container, 'startupProbe', 'httpGet', 'path'), ['startup probe']],
    [object, set(29, ...container, 'startupProbe', 'failureThreshold'), ['startup probe']],
    [object, set(1, ...container, 'livenessProbe', 'httpGet', 'port'), ['liveness probe']],
    [object, set(31, ...container, 'livenessProbe', 'periodSeconds'), ['liveness probe']],
    [object, set(1, ...container, 'readinessProbe', 'initialDelaySeconds'), ['readiness probe']],
    [object, set(undefined, ...container, 'readinessProbe'), ['readiness probe']],
    [object, set('x', ...pod, 'volumes', 0, 'persistentVolumeClaim', 'claimName'), ['claims mounted']],
    [object, set([], ...container, 'volumeMounts'), ['claims mounted']],
    [
      'Deployment/ollama',
      set('/data', ...container, 'volumeMounts', 0, 'mountPath'),
      ['mount path of a claim'],
    ],
    [object, set([], ...pod, 'volumes'), ['claims mounted', 'ConfigMaps mounted']],
    ['Deployment/slate-workflow-manager', replaceSecret('other'), ['Secrets read']],
    [object, set(undefined, 'metadata', 'annotations', externalAnnotation), ['Secrets from outside']],
    [
      object,
      set('DoNotSchedule', ...pod, 'topologySpreadConstraints', 0, 'whenUnsatisfiable'),
      ['topology spread'],
    ],
    [
      object,
      set('1', 'spec', 'template', 'metadata', 'annotations', 'prometheus.io/port'),
      ['scrape annotations'],
    ],
  ]
}

function jobRows({ cronJobs, preload }: Contract): Row[] {
  const object = `CronJob/${cronJobs[0]?.name ?? ''}`
  const job = `Job/${preload.name}`
  return [
    [object, set('0 1 * * *', 'spec', 'schedule'), ['schedule']],
    [object, set(601, 'spec', 'jobTemplate', 'spec', 'activeDeadlineSeconds'), ['deadline of a run']],
    [object, set('Allow', 'spec', 'concurrencyPolicy'), ['CronJob fields']],
    [object, set(true, 'spec', 'suspend'), ['CronJob fields']],
    [object, set(undefined, 'spec', 'timeZone'), ['CronJob fields']],
    [object, set(6, 'spec', 'jobTemplate', 'spec', 'backoffLimit'), ['retries of a run']],
    [object, set('OnFailure', ...cronPod, 'restartPolicy'), ['retries of a run']],
    [object, set('/data', ...cronContainer, 'volumeMounts', 0, 'mountPath'), ['volumes of a job']],
    [
      'CronJob/slate-codebase-indexer',
      set(false, ...cronContainer, 'volumeMounts', 0, 'readOnly'),
      ['volumes of a job'],
    ],
    [job, set('x', ...pod, 'volumes', 0, 'configMap', 'name'), ['volumes of a job']],
    [object, append({ name: 'SLATE_MORE', value: '1' }, ...cronContainer, 'env'), ['environment of a job']],
    [object, append({ name: 'SLATE_BASE_MODELS', value: 'tiny' }, ...cronContainer, 'env'), ['base models']],
    [job, append({ name: 'SLATE_BASE_MODELS', value: 'pull' }, ...container, 'env'), ['base models']],
    [object, set(resources('100m', '256Mi'), ...cronContainer, 'resources'), ['resources of a job']],
    [job, set(3601, 'spec', 'ttlSecondsAfterFinished'), ['preload job']],
    [job, set(4, 'spec', 'backoffLimit'), ['preload job']],
    [job, initAsMain, ['volumes of a job', 'environment of a job', 'base models', 'container that waits']],
  ]
}

function serviceRows({ services, ingress }: Contract): Row[] {
  const object = `Service/${services.rows[0]?.name ?? ''}`
  const ingressId = `Ingress/${ingress.name}`
  const path = ['spec', 'rules', 0, 'http', 'paths', 3] as const
  return [
    [object, set('NodePort', 'spec', 'type'), ['service type']],
    [object, set(80, 'spec', 'ports', 0, 'port'), ['service ports']],
    [
      'Service/chromadb-svc',
      set({ 'app.kubernetes.io/component': 'chromadb' }, 'spec', 'selector'),
      ['service selector'],
    ],
    [ingressId, set('traefik', 'spec', 'ingressClassName'), ['ingress class and host']],
    [ingressId, set('other.local', 'spec', 'rules', 0, 'host'), ['ingress class and host']],
    [ingressId, set('Exact', ...path, 'pathType'), ['ingress routes']],
    [ingressId, set('ollama-svc', ...path, 'backend', 'service', 'name'), ['ingress routes']],
    [
      ingressId,
      set('51', 'metadata', 'annotations', 'nginx.ingress.kubernetes.io/limit-rps'),
      ['ingress annotations'],
    ],
    [ingressId, redirect('true'), ['ingress annotations']],
  ]
}

function networkRows({ networkPolicies }: Contract): Row[] {
  const [deny] = networkPolicies
  const denyAll = `NetworkPolicy/${deny?.name ?? ''}`
  const github = 'NetworkPolicy/allow-github-egress'
  const ingress = 'NetworkPolicy/allow-ingress-to-services'
  const ollama = 'NetworkPolicy/allow-ollama-from-slate'
  const anyone = { from: [{ namespaceSelector: {} }] }
  const block = ['spec', 'egress', 0, 'to', 0, 'ipBlock'] as const
  return [
    [denyAll, set({ matchLabels: { a: 'b' } }, 'spec', 'podSelector'), ['policy pods']],
    [github, append('ollama', 'spec', 'podSelector', 'matchExpressions', 0, 'values'), ['policy pods']],
    [github, set('NotIn', 'spec', 'podSelector', 'matchExpressions', 0, 'operator'), ['policy pods']],
    [denyAll, set(['Ingress'], 'spec', 'policyTypes'), ['policy directions']],
    [denyAll, set([{}], 'spec', 'ingress'), ['policy ingress']],
    [ollama, set([anyone], 'spec', 'ingress'), ['policy ingress']],
    [ollama, set([], 'spec', 'ingress', 0, 'from'), ['policy ingress']],
    [ingress, set(8085, 'spec', 'ingress', 0, 'ports', 4, 'port'), ['policy ingress']],
    [ingress, set(8090, 'spec', 'ingress', 0, 'ports', 4, 'endPort'), ['policy ingress']],
    [ingress, set('UDP', 'spec', 'ingress', 0, 'ports', 0, 'protocol'), ['policy ingress']],
    [ollama, set([{ to: [{ podSelector: {} }] }], 'spec', 'egress'), ['policy egress']],
    [github, set('0.0.0.0/0', ...block, 'cidr'), ['policy egress']],
    [github, set(['140.82.112.0/24'], ...block, 'except'), ['policy egress']],
    [github, set(undefined, 'spec', 'egress', 1, 'to', 0, 'podSelector'), ['policy egress']],
  ]
}

function scalingRows({ autoscalers, disruptionBudgets }: Contract): Row[] {
  const object = `HorizontalPodAutoscaler/${autoscalers[0]?.name ?? ''}`
  const budget = `PodDisruptionBudget/${disruptionBudgets[0]?.name ?? ''}`
  return [
    [object, set('slate-core', 'spec', 'scaleTargetRef', 'name'), ['autoscaler target']],
    [object, set(5, 'spec', 'maxReplicas'), ['autoscaler limits']],
    [object, set(undefined, 'spec', 'minReplicas'), ['autoscaler limits']],
    [
      object,
      set(71, 'spec', 'metrics', 0, 'resource', 'target', 'averageUtilization'),
      ['autoscaler metrics'],
    ],
    [object, set('AverageValue', 'spec', 'metrics', 1, 'resource', 'target', 'type'), ['autoscaler metrics']],
    [object, set(59, 'spec', 'behavior', 'scaleUp', 'stabilizationWindowSeconds'), ['autoscaler behavior']],
    [object, set(2, 'spec', 'behavior', 'scaleDown', 'policies', 0, 'value'), ['autoscaler behavior']],
    [
      `HorizontalPodAutoscaler/${autoscalers.find(({ behavior }) => behavior === undefined)?.name ?? ''}`,
      set({ scaleDown: { stabilizationWindowSeconds: 0 } }, 'spec', 'behavior'),
      ['autoscaler behavior'],
    ],
    [budget, set(0, 'spec', 'minAvailable'), ['disruption budget']],
    [budget, set({ matchLabels: {} }, 'spec', 'selector'), ['disruption budget']],
  ]
}

function limitRows({ quota, limitRange, priorityClasses, deployments }: Contract): Row[] {
  const quotaId = `ResourceQuota/${quota.name}`
  const object = `Deployment/${deployments[0]?.name ?? ''}`
  return [
    [quotaId, set('21', 'spec', 'hard', 'pods'), ['resource quota']],
    [quotaId, set(['BestEffort'], 'spec', 'scopes'), ['resource quota']],
    [`LimitRange/${limitRange.name}`, set('9', 'spec', 'limits', 0, 'max', 'cpu'), ['limit range']],
    [`LimitRange/${limitRange.name}`, append({ type: 'Pod' }, 'spec', 'limits'), ['limit range']],
    ...priorityClasses.rows.map(({ name }): Row => [
      `PriorityClass/${name}`,
      set(999, 'value'),
      ['priority class'],
    ]),
    [`PriorityClass/${priorityClasses.rows[0]?.name ?? ''}`, set(true, 'globalDefault'), ['priority class']],
    [object, set('49m', ...container, 'resources', 'requests', 'cpu'), ['container limits']],
    ['Deployment/ollama', set('33Gi', ...container, 'resources', 'limits', 'memory'), ['container limits']],
    [object, set(undefined, ...container, 'resources', 'limits', 'cpu'), ['container limits']],
    [
      'Job/slate-model-preload',
      set('9', ...pod, 'initContainers', 0, 'resources', 'limits', 'cpu'),
      ['resources of a job', 'container limits'],
    ],
    [object, set('300m', ...container, 'resources', 'requests', 'cpu'), ['sum of requests']],
    [object, set(resources('50m', '2Gi'), ...container, 'resources'), ['sum of requests']],
    [object, set(resources('8', '192Mi'), ...container, 'resources'), ['quota admits', 'sum of requests']],
  ]
}

/** What the guide states, and what the second GPU of the quota is for. */
function statedRows(contract: Contract): Row[] {
  const [name = ''] = Object.keys(contract.environments.base.resources)
  return [
    [`Deployment/${name}`, set('251m', ...container, 'resources', 'requests', 'cpu'), ['stated resources']],
    [
      'Deployment/slate-agent-router',
      set('2', ...container, 'resources', 'limits', 'nvidia.com/gpu'),
      ['GPU', 'quota admits'],
    ],
    ['Deployment/chromadb', set('32Gi', ...container, 'resources', 'limits', 'memory'), ['quota admits']],
  ]
}

function replaceSecret(name: string): Change {
  return (manifest) => {
    const env = at(manifest, ...container, 'env') as { valueFrom?: { secretKeyRef?: { name: string } } }[]
    for (const { valueFrom } of env) if (valueFrom?.secretKeyRef) valueFrom.secretKeyRef.name = name
  }
}

/** The container that waits becomes one that runs beside the other. */
const initAsMain: Change = (manifest) => {
  const spec = at(manifest, ...pod) as { initContainers?: unknown[]; containers: unknown[] }
  spec.containers = [...(spec.initContainers ?? []), ...spec.containers]
  delete spec.initContainers
}

function resources(cpu: string, memory: string) {
  return { requests: { cpu, memory }, limits: { cpu, memory } }
}

/** Puts a value under the keys; undefined takes the key away. */
export function set(value: unknown, ...path: Path): Change {
  return (manifest) => {
    const parent = at(manifest, ...path.slice(0, -1))
    const [last] = path.slice(-1)
    if (last === undefined || typeof parent !== 'object' || parent === null)
      throw new Error(`nothing at ${path.join('.')}`)
    if (value === undefined) Reflect.deleteProperty(parent, last)
    else (parent as Record<string | number, unknown>)[last] = value
  }
}

function append(value: unknown, ...path: Path): Change {
  return (manifest) => {
    const list = at(manifest, ...path)
    if (!Array.isArray(list)) throw new Error(`no list at ${path.join('.')}`)
    list.push(value)
  }
}
