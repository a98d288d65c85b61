import { describe, expect, it } from 'vitest'
import { objectProblems } from './object-problems.ts'

const configMap = (metadata: object): object => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata })
const deployment = (container: object, others: object = {}, kind = 'Deployment'): object => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name: 'core' },
  spec: {
    selector: { matchLabels: { app: 'core' } },
    template: {
      metadata: { labels: { app: 'core' } },
      spec: { containers: [{ name: 'main', image: 'slate:local', ...container }], ...others },
    },
    ...(kind === 'StatefulSet'
      ? { serviceName: 'core', volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: {} }] }
      : {}),
  },
})
const told = (object: unknown): string[] =>
  objectProblems(object).map(({ field, problem }) => `${field} ${problem}`)

describe('identity', () => {
  it.each([
    [null, [' is no object']],
    [[], [' is no object']],
    [{}, ['apiVersion is required', 'metadata is required']],
    [{ apiVersion: 'v1', metadata: { name: 'a' } }, ['kind is required']],
    [configMap({}), ['metadata.name is required']],
    [configMap({ name: 'a.b-c' }), []],
    [
      configMap({ name: 'Core' }),
      ['metadata.name cannot be "Core": no DNS name (lower case, digits, dashes and dots, at most 253)'],
    ],
    [configMap({ name: 'a', namespace: 'a.b' }), ['metadata.namespace cannot be "a.b": no DNS label']],
    [
      configMap({ name: 'a', labels: { 'x/y': 'a b' } }),
      ['metadata.labels[x/y] cannot be "a b": no label value'],
    ],
    [
      configMap({ name: 'a', labels: { '-x': 'a' } }),
      ['metadata.labels[-x] has a key that is no qualified name'],
    ],
    [
      configMap({ name: 'a', annotations: { 'X_/y': 'any thing' } }),
      ['metadata.annotations[X_/y] has a key that is no qualified name'],
    ],
    [configMap({ name: 'a', annotations: { 'x.io/y': 'any thing\n' } }), []],
  ])('of %j', (object, expected) => {
    expect(told(object)).toEqual(expected)
  })

  it('wants a label where a name becomes a host name, and less of roles', () => {
    const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a.b' }, spec: {} }
    expect(told(service)[0]).toContain('a Service needs a DNS label')
    const role = {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: 'system:Core' },
      rules: [],
    }
    expect(told(role)).toEqual([])
    role.metadata.name = 'a/b'
    expect(told(role)[0]).toContain('cannot be a part of a path')
  })
})

describe('kinds', () => {
  it('takes custom kinds as they are and tells of kinds that this version does not have', () => {
    expect(
      told({
        apiVersion: 'cilium.io/v2',
        kind: 'CiliumNetworkPolicy',
        metadata: { name: 'a' },
        spec: { any: 1 },
      }),
    ).toEqual([])
    expect(told({ apiVersion: 'extensions/v1beta1', kind: 'Ingress', metadata: { name: 'a' } })).toEqual([
      'kind Ingress is not known in extensions/v1beta1; Ingress is in networking.k8s.io/v1',
    ])
    expect(told({ apiVersion: 'v1', kind: 'Deploymnet', metadata: { name: 'a' } })).toEqual([
      'kind Deploymnet is not known in v1',
    ])
  })

  it('tells what its schema says', () => {
    expect(told({ ...configMap({ name: 'a' }), dta: {} })[0]).toMatch(/^dta is no field here/)
  })
})

describe('workloads', () => {
  const at = 'spec.template.spec.containers[0]'

  it.each([
    [
      'mount',
      deployment({ volumeMounts: [{ name: 'data', mountPath: '/data' }] }),
      `${at}.volumeMounts[0].name names the volume "data", which the pod does not have`,
    ],
    [
      'named probe',
      deployment({
        ports: [{ name: 'http', containerPort: 80 }],
        livenessProbe: { httpGet: { port: 'htpp' } },
      }),
      `${at}.livenessProbe.httpGet.port names the port "htpp", which the container does not have`,
    ],
    [
      'numbered probe',
      deployment({ ports: [{ containerPort: 80 }], startupProbe: { tcpSocket: { port: 81 } } }),
      `${at}.startupProbe.tcpSocket.port is 81, but the container declares 80`,
    ],
  ])('with a %s that leads nowhere', (_what, object, expected) => {
    expect(told(object)).toEqual([expected])
  })

  it('with all of it in place', () => {
    const mount = { volumeMounts: [{ name: 'data', mountPath: '/data' }] }
    expect(told(deployment(mount, { volumes: [{ name: 'data', emptyDir: {} }] }))).toEqual([])
    expect(told(deployment(mount, {}, 'StatefulSet'))).toEqual([])
    expect(told(deployment({ readinessProbe: { grpc: { port: 9000 } } }))).toEqual([])
    expect(
      told(
        deployment(
          { ports: [{ containerPort: 80 }], readinessProbe: { httpGet: { port: 9879 } } },
          { hostNetwork: true },
        ),
      ),
    ).toEqual([])
  })

  it('with a selector that does not match their own pods', () => {
    const object = deployment({}) as { spec: { selector: object } }
    object.spec.selector = { matchLabels: { app: 'cor' } }
    expect(told(object)).toEqual(["spec.selector does not match the labels of the object's own pod template"])
  })

  it('with two containers of one name', () => {
    expect(told(deployment({}, { initContainers: [{ name: 'main', image: 'a' }] }))).toEqual([
      'spec.template.spec.containers has two containers named "main"',
    ])
  })

  it('finds the pods of a CronJob', () => {
    const pod = {
      spec: {
        restartPolicy: 'Never',
        containers: [{ name: 'a', image: 'b', volumeMounts: [{ name: 'c', mountPath: '/' }] }],
      },
    }
    const object = {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name: 'a' },
      spec: { schedule: '* * * * *', jobTemplate: { spec: { template: pod } } },
    }
    expect(told(object)[0]).toMatch(
      /^spec\.jobTemplate\.spec\.template\.spec\.containers\[0\]\.volumeMounts\[0\]\.name/,
    )
  })
})
