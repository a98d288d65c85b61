import { z } from 'zod'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { KubeClient, KubeObject, ListQuery } from '../kube/client.ts'
import { containersOf, podTemplateOf } from '../manifests/pod-template.ts'
import { isOurs } from './ours.ts'

/** What a system takes for granted and an existing cluster may lack. */
export const capabilityNames = ['network policy', 'dns', 'storage', 'metrics', 'ingress'] as const
export type CapabilityName = (typeof capabilityNames)[number]

/** `unknown`: the API does not tell, or may not be asked. */
export const capabilityStates = ['present', 'absent', 'unknown'] as const

export interface Capability {
  name: CapabilityName
  state: (typeof capabilityStates)[number]
  /** Who gives it, or why it is not there. */
  by: string
  /** Whether it is an add-on of ours that gives it. */
  ours: boolean
}

/** A class that is named, or taken where none is. */
export interface FoundClass {
  name: string
  isDefault: boolean
  ours: boolean
}

/** All that was read of a cluster. */
export interface ClusterFacts {
  /** In the order of `capabilityNames`. */
  capabilities: Capability[]
  storageClasses: FoundClass[]
  ingressClasses: FoundClass[]
}

/** Annotations by which a class is the one that is taken where none is named. */
export const defaultStorageClass = 'storageclass.kubernetes.io/is-default-class'
export const defaultIngressClass = 'ingressclass.kubernetes.io/is-default-class'

/**
 * Networks by the images of their DaemonSets, and whether they enforce NetworkPolicies by their documentation. `undefined` where it depends
 * on version or settings, as for kindnet, which does since kind v0.24.
 */
const networks: readonly { image: RegExp; title: string; enforces: boolean | undefined }[] = [
  { image: /\/cilium\/cilium[:@]|\/cilium[:@]v|\/anetd/, title: 'Cilium', enforces: true },
  { image: /calico\/node[:@]|calico-node/, title: 'Calico', enforces: true },
  { image: /antrea-(agent|ubuntu)/, title: 'Antrea', enforces: true },
  { image: /kube-router/, title: 'kube-router', enforces: true },
  { image: /kube-network-policies/, title: 'kube-network-policies', enforces: true },
  { image: /aws-network-policy-agent/, title: 'AWS network policy agent', enforces: true },
  { image: /azure-npm/, title: 'Azure NPM', enforces: true },
  { image: /weave-npc/, title: 'Weave', enforces: true },
  { image: /kindnetd/, title: 'kindnet', enforces: undefined },
  { image: /ovn-?kube/, title: 'OVN-Kubernetes', enforces: true },
  { image: /flannel/, title: 'Flannel', enforces: false },
]

/**
 * What the API tells of each capability, in a fixed order; reads only, and makes nothing. `name` is ours on that cluster. What may not be
 * read is `unknown` with the server's reason.
 * @throws LocalCloudError API_UNREACHABLE, or by the signal
 */
export async function readFacts(kube: KubeClient, name: string, signal: AbortSignal): Promise<ClusterFacts> {
  let storageClasses: FoundClass[] = []
  let ingressClasses: FoundClass[] = []
  const list = (apiVersion: string, kind: string, query: Partial<ListQuery> = {}): Promise<KubeObject[]> =>
    kube.list({ apiVersion, kind, ...query }, signal)
  const looks: Record<CapabilityName, () => Promise<Omit<Capability, 'name'>>> = {
    'network policy': async () => network(await list('apps/v1', 'DaemonSet')),
    dns: async () =>
      dns(
        await list('v1', 'Service', { labelSelector: 'k8s-app=kube-dns' }),
        await list('discovery.k8s.io/v1', 'EndpointSlice', { namespace: 'kube-system' }),
        name,
      ),
    storage: async () => {
      const classes = await list('storage.k8s.io/v1', 'StorageClass')
      storageClasses = classes.map((one) => foundClass(one, defaultStorageClass, name))
      return storage(classes, name)
    },
    metrics: async () =>
      metrics(
        await kube.raw('/apis/metrics.k8s.io/v1beta1/nodes', signal),
        await list('apiregistration.k8s.io/v1', 'APIService'),
        name,
      ),
    ingress: async () => {
      const classes = await list('networking.k8s.io/v1', 'IngressClass')
      ingressClasses = classes.map((one) => foundClass(one, defaultIngressClass, name))
      return ingress(classes, name)
    },
  }
  const capabilities = await Promise.all(
    capabilityNames.map(async (capability) => ({
      name: capability,
      ...(await looks[capability]().catch((error: unknown) => unread(error))),
    })),
  )
  return { capabilities, storageClasses, ingressClasses }
}

const foundClass = (object: KubeObject, annotation: string, name: string): FoundClass => ({
  name: object.metadata.name,
  isDefault: object.metadata.annotations?.[annotation] === 'true',
  ours: isOurs(object, name),
})

function unread(error: unknown): Omit<Capability, 'name'> {
  if (!(error instanceof LocalCloudError) || error.code !== 'API_REFUSED') throw error
  return { state: 'unknown', by: error.message, ours: false }
}

const at = ({ kind, metadata: { namespace, name } }: KubeObject): string =>
  `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`

function network(daemonSets: readonly KubeObject[]): Omit<Capability, 'name'> {
  const found = daemonSets.flatMap((object) => {
    const template = podTemplateOf(object)
    const images = template ? containersOf(template).map(({ container }) => container.image ?? '') : []
    const known = networks.find(({ image }) => images.some((one) => image.test(one)))
    return known ? [{ ...known, object }] : []
  })
  const [one] = [...found].sort((a, b) => rank(a.enforces) - rank(b.enforces))
  if (!one) return { state: 'unknown', by: 'no network that is known here', ours: false }
  const by = `${one.title} (${at(one.object)})`
  if (one.enforces === undefined)
    return { state: 'unknown', by: `${by}, which does in some versions`, ours: false }
  return one.enforces
    ? { state: 'present', by, ours: false }
    : { state: 'absent', by: `${by} enforces none`, ours: false }
}

const rank = (enforces: boolean | undefined): number =>
  enforces === true ? 0 : enforces === undefined ? 1 : 2

function dns(
  services: readonly KubeObject[],
  slices: readonly KubeObject[],
  name: string,
): Omit<Capability, 'name'> {
  const [service] = services
  if (!service) return { state: 'absent', by: 'no Service is labelled k8s-app=kube-dns', ours: false }
  if (service.metadata.namespace !== 'kube-system')
    return { state: 'present', by: at(service), ours: isOurs(service, name) }
  const ready = slices
    .filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === service.metadata.name)
    .flatMap((slice) => (slice['endpoints'] ?? []) as { conditions?: { ready?: boolean } }[])
    .filter(({ conditions }) => conditions?.ready !== false).length
  return ready === 0
    ? { state: 'absent', by: `${at(service)} has no endpoint that is ready`, ours: false }
    : { state: 'present', by: `${at(service)}, ${String(ready)} ready`, ours: isOurs(service, name) }
}

function storage(classes: readonly KubeObject[], name: string): Omit<Capability, 'name'> {
  const defaults = classes.filter(({ metadata }) => metadata.annotations?.[defaultStorageClass] === 'true')
  const [first] = defaults
  if (first)
    return {
      state: 'present',
      by: defaults.map((one) => `${at(one)} (${String(one['provisioner'])})`).join(', '),
      ours: isOurs(first, name),
    }
  const others = classes.map(({ metadata }) => metadata.name).join(', ')
  return {
    state: 'absent',
    by: others === '' ? 'there is no StorageClass' : `no StorageClass is the default: ${others}`,
    ours: false,
  }
}

/** What is said of a cluster on which nobody has registered the metrics API. */
export const noMetricsApi = 'there is no metrics API'

const nodeMetrics = z.object({ items: z.array(z.unknown()) })

function metrics(
  { status, body }: { status: number; body: string },
  services: readonly KubeObject[],
  name: string,
): Omit<Capability, 'name'> {
  const service = services.find(({ metadata }) => metadata.name === 'v1beta1.metrics.k8s.io')
  if (!service) return { state: 'absent', by: noMetricsApi, ours: false }
  const { service: behind } = service['spec'] as { service?: { namespace?: string; name?: string } }
  const by = `${at(service)}, Service ${behind?.namespace ?? ''}/${behind?.name ?? ''}`
  const ours = isOurs(service, name)
  if (status === 401 || status === 403)
    return { state: 'unknown', by: `${by}, which may not be asked (HTTP ${String(status)})`, ours }
  if (status !== 200) return { state: 'absent', by: `${by}, which answers HTTP ${String(status)}`, ours }
  const parsed = nodeMetrics.safeParse(asJson(body))
  return parsed.success && parsed.data.items.length > 0
    ? { state: 'present', by: `${by}, ${String(parsed.data.items.length)} nodes measured`, ours }
    : { state: 'absent', by: `${by}, which has no sample of a node`, ours }
}

function asJson(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

function ingress(classes: readonly KubeObject[], name: string): Omit<Capability, 'name'> {
  const [first] = classes
  if (!first) return { state: 'absent', by: 'there is no IngressClass', ours: false }
  const by = classes.map((one) => {
    const isDefault = one.metadata.annotations?.[defaultIngressClass] === 'true'
    const { controller } = (one['spec'] ?? {}) as { controller?: string }
    return `${at(one)} (${controller ?? 'no controller'}${isDefault ? ', default' : ''})`
  })
  return { state: 'present', by: by.join(', '), ours: classes.every((one) => isOurs(one, name)) }
}

/** One line a capability, columns below each other: name, state, by whom. */
export function capabilityLines(capabilities: readonly Capability[]): string[] {
  const rows = capabilities.map(
    ({ name, state, by, ours }) => [name, state, ours ? `${by}; ours` : by] as const,
  )
  const width = (column: 0 | 1): number => Math.max(0, ...rows.map((row) => row[column].length))
  return rows.map(([name, state, by]) => `${name.padEnd(width(0))}  ${state.padEnd(width(1))}  ${by}`)
}
