import type { KubeObject } from '../../bootstrap/kube/client.ts'
import type { ApiRequest } from '../../bootstrap/kube/http.ts'

/** A request that is really sent, and the right that it takes. Everything that writes is a dry run. */
export interface AccessSample {
  title: string
  /** As the contract calls it: `create batch/jobs`. */
  right: string
  /** Whether the right would have to be one in the accounts' own namespace; nothing is granted in other places. */
  within: boolean
  request: Omit<ApiRequest, 'signal'>
}

/** Objects that the requests are about; all of them are there. */
export interface SampleTargets {
  namespace: string
  /** A namespace of somebody else. */
  elsewhere: string
  pod: string
  /** Name of a ConfigMap and of a Secret that the test made. */
  own: string
  /** A Deployment and a ServiceAccount that nothing happens to. */
  deployment: string
  account: string
}

const dryRun = { dryRun: 'All' }
const annotated = { metadata: { annotations: { 'io.local-cloud.e2e': 'never written' } } }

/** One request for every verb of the contract's tables, and for the ways out of them. */
export function accessSamples(targets: SampleTargets): AccessSample[] {
  const { namespace, elsewhere, pod, own, deployment, account } = targets
  const core = `/api/v1/namespaces/${namespace}`
  const apps = `/apis/apps/v1/namespaces/${namespace}`
  const batch = `/apis/batch/v1/namespaces/${namespace}`
  const bindings = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`

  const inside = (right: string, request: AccessSample['request']): AccessSample => ({
    title: right,
    right,
    within: true,
    request,
  })
  const outside = (right: string, where: string, path: string): AccessSample => ({
    title: `${right} ${where}`,
    right,
    within: false,
    request: { method: 'GET', path },
  })
  const read = (right: string, path: string) => inside(right, { method: 'GET', path })
  const watch = (right: string, path: string) => read(right, `${path}?watch=1&timeoutSeconds=1`)
  const create = (right: string, path: string, body: unknown) =>
    inside(right, { method: 'POST', path, query: dryRun, body })
  const patch = (right: string, path: string) =>
    inside(right, {
      method: 'PATCH',
      path,
      query: dryRun,
      contentType: 'application/merge-patch+json',
      body: annotated,
    })
  const remove = (right: string, path: string) => inside(right, { method: 'DELETE', path, query: dryRun })
  const named = (apiVersion: string, kind: string, name: string): KubeObject => ({
    apiVersion,
    kind,
    metadata: { name, namespace },
  })

  return [
    read('list pods', `${core}/pods`),
    watch('watch pods', `${core}/pods`),
    read('get pods/log', `${core}/pods/${pod}/log?tailLines=1`),
    read('get pods/status', `${core}/pods/${pod}/status`),
    patch('patch pods', `${core}/pods/${pod}`),
    read('list services', `${core}/services`),
    read('list events', `${core}/events`),
    read('list configmaps', `${core}/configmaps`),
    create('create configmaps', `${core}/configmaps`, named('v1', 'ConfigMap', `${own}-new`)),
    inside('update configmaps', {
      method: 'PUT',
      path: `${core}/configmaps/${own}`,
      query: dryRun,
      body: named('v1', 'ConfigMap', own),
    }),
    patch('patch configmaps', `${core}/configmaps/${own}`),
    remove('delete configmaps', `${core}/configmaps/${own}`),
    read('get secrets', `${core}/secrets/${own}`),
    read('list secrets', `${core}/secrets`),
    watch('watch secrets', `${core}/secrets`),
    create('create secrets', `${core}/secrets`, named('v1', 'Secret', `${own}-new`)),
    patch('patch secrets', `${core}/secrets/${own}`),
    remove('delete secrets', `${core}/secrets/${own}`),
    read('list apps/deployments', `${apps}/deployments`),
    patch('patch apps/deployments', `${apps}/deployments/${deployment}`),
    read('list batch/jobs', `${batch}/jobs`),
    create('create batch/jobs', `${batch}/jobs`, {
      ...named('batch/v1', 'Job', `${own}-new`),
      spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'job', image: 'none' }] } } },
    }),
    read('list batch/cronjobs', `${batch}/cronjobs`),
    create('create rbac.authorization.k8s.io/rolebindings', bindings, {
      ...named('rbac.authorization.k8s.io/v1', 'RoleBinding', `${own}-new`),
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ kind: 'ServiceAccount', name: account, namespace }],
    }),
    create('create serviceaccounts/token', `${core}/serviceaccounts/${account}/token`, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {},
    }),
    outside('list pods', 'in another namespace', `/api/v1/namespaces/${elsewhere}/pods`),
    outside('list configmaps', 'in another namespace', `/api/v1/namespaces/${elsewhere}/configmaps`),
    outside('list secrets', 'in another namespace', `/api/v1/namespaces/${elsewhere}/secrets`),
    outside('list pods', 'in all namespaces', '/api/v1/pods'),
    outside('list namespaces', 'of the cluster', '/api/v1/namespaces'),
    outside('list nodes', 'of the cluster', '/api/v1/nodes'),
  ]
}
