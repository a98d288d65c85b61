import { beforeEach, describe, expect, it } from 'vitest'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { KubeObject } from '../kube/client.ts'
import { fakeCluster, type FakeCluster } from '../kube/fake-client.ts'
import { capabilityLines, readFacts, type Capability } from './capabilities.ts'
import { collisionsOf, lacksOf } from './needs.ts'
import { marksOf } from './ours.ts'

let cluster: FakeCluster
let metrics: { status: number; body: string }
beforeEach(() => {
  cluster = fakeCluster()
  metrics = { status: 404, body: '' }
  const { client } = cluster
  client.raw = () => Promise.resolve(metrics)
})

const { signal } = new AbortController()
const put = (...objects: KubeObject[]): void => {
  for (const object of objects) {
    const { namespace, name } = object.metadata
    cluster.objects.set(`${object.kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`, object)
  }
}
const daemonSet = (image: string): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'network', namespace: 'kube-system' },
  spec: { template: { spec: { containers: [{ name: 'agent', image }] } } },
})
const storageClass = (name: string, isDefault: boolean, labels = {}): KubeObject => ({
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: {
    name,
    labels,
    annotations: isDefault ? { 'storageclass.kubernetes.io/is-default-class': 'true' } : {},
  },
  provisioner: 'example.com/disk',
})
const ingressClass = (name: string, isDefault = false, labels = {}): KubeObject => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'IngressClass',
  metadata: {
    name,
    labels,
    annotations: isDefault ? { 'ingressclass.kubernetes.io/is-default-class': 'true' } : {},
  },
  spec: { controller: 'example.com/ingress' },
})
const metricsApi = (labels = {}): KubeObject => ({
  apiVersion: 'apiregistration.k8s.io/v1',
  kind: 'APIService',
  metadata: { name: 'v1beta1.metrics.k8s.io', labels },
  spec: { service: { namespace: 'kube-system', name: 'metrics' } },
})
const dnsService: KubeObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'kube-dns', namespace: 'kube-system', labels: { 'k8s-app': 'kube-dns' } },
}
const dnsSlice = (ready: boolean): KubeObject => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: {
    name: 'kube-dns-x',
    namespace: 'kube-system',
    labels: { 'kubernetes.io/service-name': 'kube-dns' },
  },
  endpoints: [{ conditions: { ready } }],
})
const states = async (): Promise<Record<string, string>> =>
  Object.fromEntries(
    (await readFacts(cluster.client, 'lc', signal)).capabilities.map(({ name, state }) => [name, state]),
  )
const one = async (name: Capability['name']): Promise<Capability | undefined> =>
  (await readFacts(cluster.client, 'lc', signal)).capabilities.find((found) => found.name === name)

describe('what the API tells', () => {
  it('of an empty cluster: all absent, and nobody knows of its network; nothing is changed', async () => {
    expect(await states()).toEqual({
      'network policy': 'unknown',
      dns: 'absent',
      storage: 'absent',
      metrics: 'absent',
      ingress: 'absent',
    })
    expect(cluster.changes).toEqual([])
  })

  it('of a cluster that has all: present, and by whom', async () => {
    put(
      daemonSet('quay.io/cilium/cilium:v1.19.5'),
      dnsService,
      dnsSlice(true),
      storageClass('fast', true),
      metricsApi(),
      ingressClass('public', true),
    )
    metrics = { status: 200, body: '{"items":[{},{}]}' }
    const { capabilities } = await readFacts(cluster.client, 'lc', signal)
    expect(capabilityLines(capabilities)).toEqual([
      'network policy  present  Cilium (DaemonSet kube-system/network)',
      'dns             present  Service kube-system/kube-dns, 1 ready',
      'storage         present  StorageClass fast (example.com/disk)',
      'metrics         present  APIService v1beta1.metrics.k8s.io, Service kube-system/metrics, 2 nodes measured',
      'ingress         present  IngressClass public (example.com/ingress, default)',
    ])
    expect(capabilities.some(({ ours }) => ours)).toBe(false)
  })

  it.each([
    ['docker.io/calico/node:v3.30', 'present'],
    ['ghcr.io/flannel-io/flannel:v0.27', 'absent'],
    ['docker.io/kindest/kindnetd:v2025', 'unknown'],
    ['example.com/nobody-knows:1', 'unknown'],
  ])('of the network %s that it is %s', async (image, state) => {
    put(daemonSet(image))
    expect((await one('network policy'))?.state).toBe(state)
  })

  it('is not taken for the thing itself: a Service without endpoints, an API without an answer', async () => {
    put(dnsService, dnsSlice(false), storageClass('slow', false), metricsApi())
    metrics = { status: 503, body: '' }
    expect(await states()).toMatchObject({ dns: 'absent', storage: 'absent', metrics: 'absent' })
    expect((await one('storage'))?.by).toBe('no StorageClass is the default: slow')
    metrics = { status: 200, body: '{"items":[]}' }
    expect((await one('metrics'))?.state).toBe('absent')
  })

  it('says which are ours', async () => {
    put(storageClass('local-path', true, marksOf('lc')), ingressClass('nginx', true, marksOf('other')))
    expect(await one('storage')).toMatchObject({ state: 'present', ours: true })
    expect(await one('ingress')).toMatchObject({ state: 'present', ours: false })
  })

  it('is unknown where it may not be read, and an API that is silent is an error', async () => {
    cluster.fail.list = new LocalCloudError('API_REFUSED', { message: 'you may not list' })
    expect(await states()).toMatchObject({ dns: 'unknown', storage: 'unknown', ingress: 'unknown' })
    cluster.fail.list = new LocalCloudError('API_UNREACHABLE', { message: 'gone' })
    await expect(readFacts(cluster.client, 'lc', signal)).rejects.toMatchObject({ code: 'API_UNREACHABLE' })
  })
})

describe('what a system lacks', () => {
  const claim = (storageClassName?: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'data', namespace: 'slate' },
    spec: storageClassName === undefined ? {} : { storageClassName },
  })
  const kind = (name: string, spec = {}): KubeObject => ({
    apiVersion: 'v1',
    kind: name,
    metadata: { name: 'x', namespace: 'slate' },
    spec,
  })
  const lacks = async (objects: KubeObject[], addons: string[] = []): Promise<string[]> =>
    lacksOf({ objects, addons, facts: await readFacts(cluster.client, 'lc', signal) }).map(
      ({ capability, stops }) => `${capability}${stops ? ' stops' : ''}`,
    )

  it('on an empty cluster', async () => {
    expect(await lacks([claim()])).toEqual(['storage stops'])
    expect(await lacks([claim('fast')])).toEqual(['storage stops'])
    expect(await lacks([claim('')])).toEqual([])
    expect(await lacks([kind('Service')])).toEqual(['dns stops'])
    expect(await lacks([kind('HorizontalPodAutoscaler')])).toEqual(['metrics'])
    expect(await lacks([kind('Ingress', { ingressClassName: 'nginx' })])).toEqual(['ingress'])
    expect(await lacks([kind('NetworkPolicy')])).toEqual(['network policy'])
  })

  it('is nothing where the cluster or an add-on of ours gives it', async () => {
    const objects = [claim(), kind('HorizontalPodAutoscaler'), kind('Ingress', { ingressClassName: 'nginx' })]
    expect(await lacks(objects, ['local-path', 'metrics-server', 'traefik'])).toEqual([])
    put(storageClass('fast', true), ingressClass('nginx'), daemonSet('docker.io/calico/node:v3'))
    expect(await lacks([claim(), claim('fast'), kind('NetworkPolicy')])).toEqual([])
    expect(await lacks([kind('Ingress', { ingressClassName: 'nginx' })])).toEqual([])
    expect(await lacks([kind('Ingress', { ingressClassName: 'other' })])).toEqual(['ingress'])
  })
})

describe('add-ons that are there from somebody else', () => {
  const collisions = async (...addons: string[]): Promise<string[]> =>
    collisionsOf(addons, await readFacts(cluster.client, 'lc', signal)).map(
      (line) => line.split(':')[0] ?? '',
    )

  it('collide with a default class, a class of the name, and any metrics API', async () => {
    expect(await collisions('local-path', 'metrics-server', 'traefik')).toEqual([])
    put(storageClass('fast', true), metricsApi(), ingressClass('public', true))
    metrics = { status: 503, body: '' }
    expect(await collisions('local-path', 'metrics-server', 'traefik')).toEqual([
      'local-path',
      'metrics-server',
      'traefik',
    ])
    expect(await collisions('local-path')).toEqual(['local-path'])
    expect(await collisions()).toEqual([])
  })

  it('do not when they are ours, or in nobody’s way', async () => {
    put(
      storageClass('local-path', true, marksOf('lc')),
      storageClass('slow', false),
      metricsApi(marksOf('lc')),
      ingressClass('nginx', true, marksOf('lc')),
      ingressClass('public'),
    )
    expect(await collisions('local-path', 'metrics-server', 'traefik')).toEqual([])
    put(ingressClass('nginx', false))
    expect(await collisions('traefik')).toEqual(['traefik'])
  })
})
