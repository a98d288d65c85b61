import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../kube/client.ts'
import { externalAnnotation, referenceProblems } from './reference-problems.ts'

const namespace = 'slate'
const object = (apiVersion: string, kind: string, name: string, fields: object = {}): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name, namespace },
  ...fields,
})
const deployment = (spec: object = {}, container: object = {}): KubeObject =>
  object('apps/v1', 'Deployment', 'core', {
    spec: {
      template: {
        metadata: { labels: { app: 'core' } },
        spec: {
          containers: [{ name: 'main', ports: [{ name: 'http', containerPort: 8080 }], ...container }],
          ...spec,
        },
      },
    },
  })
const service = (spec: object = {}): KubeObject =>
  object('v1', 'Service', 'core', {
    spec: { selector: { app: 'core' }, ports: [{ name: 'web', port: 80, targetPort: 'http' }], ...spec },
  })
const ingress = (serviceSpec: object, others: object = {}): KubeObject =>
  object('networking.k8s.io/v1', 'Ingress', 'core', {
    spec: { rules: [{ http: { paths: [{ backend: { service: serviceSpec } }] } }], ...others },
  })
const policy = (podSelector: object, name = 'core'): KubeObject =>
  object('networking.k8s.io/v1', 'NetworkPolicy', name, { spec: { podSelector } })
const claim = (volumeName: string): KubeObject =>
  object('v1', 'PersistentVolumeClaim', 'data', { spec: { volumeName } })
const clusterWide = (kind: string, name: string): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name },
})
const configMap = (data: Record<string, string>): KubeObject =>
  object('v1', 'ConfigMap', 'settings', { data })
const told = (...objects: KubeObject[]): string[] =>
  referenceProblems(objects).map(
    ({ index, problem }) => `${String(index)} ${problem.field} ${problem.problem}`,
  )

describe('a set that holds together', () => {
  it('has no problems', () => {
    expect(
      told(
        deployment(
          {
            serviceAccountName: 'core',
            priorityClassName: 'high',
            volumes: [
              { name: 'a', configMap: { name: 'settings', items: [{ key: 'a' }] } },
              { name: 'b', secret: { secretName: 'key' } },
              { name: 'c', persistentVolumeClaim: { claimName: 'data' } },
              {
                name: 'd',
                projected: {
                  sources: [{ configMap: { name: 'kube-root-ca.crt' } }, { secret: { name: 'key' } }],
                },
              },
            ],
          },
          {
            env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'settings', key: 'a' } } }],
            envFrom: [{ secretRef: { name: 'key' } }, { configMapRef: { name: 'none', optional: true } }],
          },
        ),
        service(),
        ingress({ name: 'core', port: { name: 'web' } }, { tls: [{ secretName: 'key' }] }),
        object('policy/v1', 'PodDisruptionBudget', 'core', {
          spec: { selector: { matchLabels: { app: 'core' } } },
        }),
        object('autoscaling/v2', 'HorizontalPodAutoscaler', 'core', {
          spec: { scaleTargetRef: { kind: 'Deployment', name: 'core' } },
        }),
        object('v1', 'ServiceAccount', 'core'),
        object('v1', 'Secret', 'key', { stringData: { a: 'b' } }),
        claim('disk'),
        clusterWide('PersistentVolume', 'disk'),
        clusterWide('PriorityClass', 'high'),
        policy({ matchLabels: { app: 'core' } }),
        policy({}, 'all'),
        configMap({ a: 'b' }),
      ),
    ).toEqual([])
  })

  it('may name what the workload says that others bring, and nothing else of that kind', () => {
    const pod = deployment(
      {},
      { envFrom: [{ secretRef: { name: 'key' } }, { secretRef: { name: 'token' } }] },
    )
    expect(told(pod)).toHaveLength(2)
    pod.metadata.annotations = { [externalAnnotation]: 'Secret/key, ConfigMap/token' }
    expect(told(pod)).toEqual([
      '0 spec.template.spec.containers[0].envFrom[1] names the Secret token, which is not here',
    ])
  })

  it('may name what kubeadm and every namespace bring', () => {
    const pod = deployment({
      serviceAccountName: 'default',
      volumes: [{ configMap: { name: 'extension-apiserver-authentication' } }],
    })
    expect(told(pod)).toHaveLength(1)
    pod.metadata.namespace = 'kube-system'
    expect(told(pod)).toEqual([])
  })
})

describe('references that lead nowhere', () => {
  const at = 'spec.template.spec'
  it.each<[string, KubeObject[], string]>([
    [
      'a Service without pods',
      [service({ selector: { app: 'cor', tier: 'a' } }), deployment()],
      '0 spec.selector selects no pod here (app=cor, tier=a)',
    ],
    [
      'a Service whose pods are elsewhere',
      [service(), { ...deployment(), metadata: { name: 'core', namespace: 'other' } }],
      '0 spec.selector selects no pod here (app=core)',
    ],
    [
      'a named target port',
      [service({ ports: [{ port: 80, targetPort: 'https' }] }), deployment()],
      '0 spec.ports[0].targetPort is https, which no container behind the Service declares',
    ],
    [
      'a numbered target port',
      [service({ ports: [{ port: 80 }] }), deployment()],
      '0 spec.ports[0].targetPort is 80, which no container behind the Service declares',
    ],
    [
      'a budget',
      [
        object('policy/v1', 'PodDisruptionBudget', 'core', {
          spec: { selector: { matchLabels: { app: 'cor' } } },
        }),
        deployment(),
      ],
      '0 spec.selector selects no pod here',
    ],
    [
      'a budget without a selector',
      [object('policy/v1', 'PodDisruptionBudget', 'core', { spec: {} })],
      '0 spec.selector is missing: the budget protects nothing',
    ],
    [
      'a network policy',
      [policy({ matchLabels: { app: 'cor' } }), deployment()],
      '0 spec.podSelector selects no pod here',
    ],
    [
      'a claim without its volume',
      [claim('disk'), clusterWide('PersistentVolume', 'other')],
      '0 spec.volumeName names the PersistentVolume disk, which is not here',
    ],
    [
      'a priority class',
      [deployment({ priorityClassName: 'high' })],
      `0 ${at}.priorityClassName names the PriorityClass high, which is not here`,
    ],
    [
      'an autoscaler',
      [
        object('autoscaling/v2', 'HorizontalPodAutoscaler', 'core', {
          spec: { scaleTargetRef: { kind: 'StatefulSet', name: 'core' } },
        }),
        deployment(),
      ],
      '0 spec.scaleTargetRef names StatefulSet core, which is not here',
    ],
    [
      'an Ingress without its Service',
      [ingress({ name: 'cor', port: { number: 80 } }), service(), deployment()],
      '0 spec.rules[0].http.paths[0].backend.service.name names the Service cor, which is not here',
    ],
    [
      'an Ingress with another port',
      [ingress({ name: 'core', port: { number: 81 } }), service(), deployment()],
      '0 spec.rules[0].http.paths[0].backend.service.port is 81, which the Service core does not have',
    ],
    [
      'an Ingress without its certificate',
      [
        ingress({ name: 'core', port: { number: 80 } }, { tls: [{ secretName: 'tls' }] }),
        service(),
        deployment(),
      ],
      '0 spec.tls[0].secretName names the Secret tls, which is not here',
    ],
    [
      'a claim',
      [deployment({ volumes: [{ persistentVolumeClaim: { claimName: 'data' } }] })],
      `0 ${at}.volumes[0].persistentVolumeClaim.claimName names the PersistentVolumeClaim data, which is not here`,
    ],
    [
      'a ConfigMap',
      [deployment({ volumes: [{ configMap: { name: 'settings' } }] })],
      `0 ${at}.volumes[0].configMap.name names the ConfigMap settings, which is not here`,
    ],
    [
      'a key of a ConfigMap',
      [
        deployment({}, { env: [{ valueFrom: { configMapKeyRef: { name: 'settings', key: 'b' } } }] }),
        configMap({ a: '' }),
      ],
      `0 ${at}.containers[0].env[0] names the key b, which the ConfigMap settings does not have`,
    ],
    [
      'a Secret',
      [deployment({ volumes: [{ secret: { secretName: 'key' } }] })],
      `0 ${at}.volumes[0].secret.secretName names the Secret key, which is not here`,
    ],
    [
      'a Secret as environment',
      [deployment({}, { envFrom: [{ secretRef: { name: 'key' } }] })],
      `0 ${at}.containers[0].envFrom[0] names the Secret key, which is not here`,
    ],
    [
      'a service account',
      [deployment({ serviceAccountName: 'core' })],
      `0 ${at}.serviceAccountName names the ServiceAccount core, which is not here`,
    ],
    [
      'a pull secret',
      [deployment({ imagePullSecrets: [{ name: 'pull' }] })],
      `0 ${at}.imagePullSecrets[0] names the Secret pull, which is not here`,
    ],
    [
      'an object that is there twice',
      [configMap({}), { ...configMap({}), apiVersion: 'v1' }],
      '1 metadata.name is the same object as document 1',
    ],
  ])('%s', (_what, objects, expected) => {
    expect(told(...objects)).toEqual([expected])
  })

  it('are not asked of a Service without a selector', () => {
    expect(told(service({ selector: undefined }))).toEqual([])
  })
})
