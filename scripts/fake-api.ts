import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { KubeObject } from '../bootstrap/kube/client.ts'
import {
  listAnswer,
  refusal,
  startProtocolServer,
  watchLine,
  type Answer,
  type ProtocolServer,
  type SeenRequest,
} from '../bootstrap/kube/protocol-server.ts'
import type { Plan } from '../bootstrap/plan/plan.ts'
import { recordData, type ClusterRecord } from '../bootstrap/steps/record.ts'

/** A Kubernetes API over HTTP that serves objects of a few kinds from memory, for tests of the scripts that work on a cluster. */
export interface FakeApi extends AsyncDisposable {
  server: ProtocolServer
  /** A state directory in which this is the cluster `local-cloud`. */
  stateDir: string
  /** Everything that is there. */
  objects: KubeObject[]
  /** Answers a dry run; default: the object as it was sent. */
  onApply: (object: KubeObject, request: SeenRequest) => Answer
  /** Tells watchers that an object has changed. */
  changed(object: KubeObject): void
}

const kinds: Record<string, { apiVersion: string; kind: string; namespaced: boolean }> = Object.fromEntries(
  [
    'namespaces v1 Namespace cluster',
    'persistentvolumes v1 PersistentVolume cluster',
    'persistentvolumeclaims v1 PersistentVolumeClaim',
    'configmaps v1 ConfigMap',
    'secrets v1 Secret',
    'services v1 Service',
    'serviceaccounts v1 ServiceAccount',
    'resourcequotas v1 ResourceQuota',
    'limitranges v1 LimitRange',
    'deployments apps/v1 Deployment',
    'jobs batch/v1 Job',
    'cronjobs batch/v1 CronJob',
    'horizontalpodautoscalers autoscaling/v2 HorizontalPodAutoscaler',
    'poddisruptionbudgets policy/v1 PodDisruptionBudget',
    'networkpolicies networking.k8s.io/v1 NetworkPolicy',
    'ingresses networking.k8s.io/v1 Ingress',
    'roles rbac.authorization.k8s.io/v1 Role',
    'rolebindings rbac.authorization.k8s.io/v1 RoleBinding',
    'clusterroles rbac.authorization.k8s.io/v1 ClusterRole cluster',
    'priorityclasses scheduling.k8s.io/v1 PriorityClass cluster',
    'endpointslices discovery.k8s.io/v1 EndpointSlice',
  ].map((line) => {
    const [plural = '', apiVersion = '', kind = '', scope] = line.split(' ')
    return [plural, { apiVersion, kind, namespaced: scope === undefined }]
  }),
)

/** The plan of a cluster with a system. */
export const planWith = (systems: Plan['systems']): Plan => ({
  name: 'local-cloud',
  provider: 'kind',
  kubernetesVersion: 'v1.36.4',
  nodes: [{ name: 'local-cloud-control-plane', role: 'control-plane' }],
  listenAddress: '127.0.0.1',
  httpPort: 8080,
  httpsPort: 8443,
  extraMounts: [],
  kubeadmPatches: [],
  addons: [],
  systems,
  mergeKubeconfig: false,
})

/** Starts it with the record of a cluster that was made to this plan. */
export async function startFakeApi(
  record: Pick<ClusterRecord, 'plan' | 'parts' | 'images'>,
): Promise<FakeApi> {
  const watchers = new Map<string, Set<(line: string) => void>>()
  const server = await startProtocolServer((request, response) => {
    if (request.path === '/api' || request.path === '/apis') return { body: discovery(request.path) }
    const own = /^\/api\/v1\/namespaces(?:\/([^/]+))?$/.exec(request.path)
    const found =
      /^\/(?:api|apis\/[^/]+)\/v\d(?:\/namespaces\/([^/]+))?\/([a-z]+)(?:\/([^/]+))?$/.exec(request.path) ??
      []
    const [, namespace, plural = '', name] = own ? ['', undefined, 'namespaces', own[1]] : found
    const type = kinds[plural]
    if (!type) return refusal(404, 'NotFound', `the server could not find ${request.path}`)
    const selected = api.objects.filter(
      (object) =>
        object.kind === type.kind && (namespace === undefined || object.metadata.namespace === namespace),
    )
    if (name !== undefined) {
      if (request.method === 'PATCH') return api.onApply(JSON.parse(request.body) as KubeObject, request)
      const one = selected.find(({ metadata }) => metadata.name === name)
      return one ? { body: one } : refusal(404, 'NotFound', `${plural} "${name}" not found`)
    }
    if (request.query.get('watch') !== 'true') return listAnswer(selected)
    response.writeHead(200, { 'content-type': 'application/json' })
    response.flushHeaders()
    const listeners = watchers.get(type.kind) ?? new Set()
    watchers.set(type.kind, listeners)
    const listener = (line: string): void => {
      response.write(line)
    }
    listeners.add(listener)
    response.on('close', () => listeners.delete(listener))
    return 'streamed'
  })
  const stateDir = mkdtempSync(path.join(tmpdir(), 'local-cloud-script-'))
  const folder = path.join(stateDir, 'clusters', 'local-cloud')
  mkdirSync(folder, { recursive: true })
  writeFileSync(path.join(folder, 'kubeconfig'), readFileSync(server.kubeconfigFile))
  const api: FakeApi = {
    server,
    stateDir,
    objects: [
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'local-cloud-plan', namespace: 'kube-system' },
        data: recordData({ ...record, complete: true, toolVersion: '0.1.0' }),
      },
    ],
    onApply: (object) => ({ body: object }),
    changed(object) {
      for (const tell of watchers.get(object.kind) ?? []) tell(watchLine('MODIFIED', object))
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      rmSync(stateDir, { recursive: true, force: true })
    },
  }
  return api
}

function discovery(root: string): object {
  const groups = new Map<string, object[]>()
  for (const [resource, { apiVersion, kind, namespaced }] of Object.entries(kinds)) {
    if (apiVersion.includes('/') === (root === '/api')) continue
    const entry = {
      resource,
      responseKind: { group: '', version: '', kind },
      scope: namespaced ? 'Namespaced' : 'Cluster',
      verbs: ['get', 'list', 'watch', 'patch', 'delete', 'create'],
    }
    groups.set(apiVersion, [...(groups.get(apiVersion) ?? []), entry])
  }
  return {
    kind: 'APIGroupDiscoveryList',
    items: [...groups].map(([apiVersion, resources]) => {
      const [first = '', second] = apiVersion.split('/')
      return second === undefined
        ? { metadata: {}, versions: [{ version: first, resources }] }
        : { metadata: { name: first }, versions: [{ version: second, resources }] }
    }),
  }
}
