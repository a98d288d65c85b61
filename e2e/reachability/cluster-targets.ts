import type { Cluster } from '../harness/cluster.ts'
import { CheckBroke } from '../harness/verdict.ts'
import type { Target } from './matrix.ts'
import { livePods, type LivePod, type Source } from './source.ts'
import { addressEnd, podTarget } from './stage.ts'

type Kube = Pick<Cluster, 'kube'>

/** Pods of the cluster's DNS and a pod beside them that is none. */
async function systemPods({ kube }: Kube, signal: AbortSignal): Promise<{ dns: LivePod; other?: LivePod }> {
  const pods = livePods(await kube.list({ apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system' }, signal))
  const isDns = ({ labels }: LivePod): boolean => labels['k8s-app'] === 'kube-dns'
  const dns = pods.find(isDns)
  if (!dns) throw new CheckBroke('No pod of the cluster DNS is ready.')
  const other = pods.find((pod) => !isDns(pod))
  return { dns, ...(other ? { other } : {}) }
}

/** Cluster DNS through its Service, over both protocols. */
export async function dnsTargets(cluster: Kube, witness: Source, signal: AbortSignal): Promise<Target[]> {
  const [{ dns }, service] = await Promise.all([
    systemPods(cluster, signal),
    cluster.kube.get(
      { apiVersion: 'v1', kind: 'Service', namespace: 'kube-system', name: 'kube-dns' },
      signal,
    ),
  ])
  const address = (service?.spec as { clusterIP?: string } | undefined)?.clusterIP
  if (address === undefined) throw new CheckBroke('There is no Service kube-system/kube-dns.')
  return (['UDP', 'TCP'] as const).map((protocol) => ({
    name: `cluster DNS ${protocol} 53`,
    dial: { protocol, address, port: 53 },
    ends: [{ end: dns.end, port: 53 }],
    stated: { end: dns.end, port: 53 },
    witness,
  }))
}

/** The DNS pod itself, another port of it (its metrics), and port 53 of a pod beside it where nothing listens. */
export async function besideDnsTargets(
  cluster: Kube,
  witness: Source,
  signal: AbortSignal,
): Promise<Target[]> {
  const { dns, other } = await systemPods(cluster, signal)
  const metrics = dns.ports.find(({ name }) => name === 'metrics')?.containerPort
  return [
    podTarget(dns, 53, { name: 'pod of the DNS', witness, protocol: 'UDP' }),
    podTarget(dns, 53, { name: 'pod of the DNS', witness }),
    ...(metrics === undefined ? [] : [podTarget(dns, metrics, { name: 'pod of the DNS', witness })]),
    ...(other ? [podTarget(other, 53, { name: 'another pod of kube-system', witness, deaf: true })] : []),
  ]
}

interface Slice {
  endpoints?: { addresses: string[] }[]
  ports?: { port: number }[]
}

/** The API server through its Service and at its own address. */
export async function apiServerTargets(
  { kube }: Kube,
  witness: Source,
  signal: AbortSignal,
): Promise<Target[]> {
  const [service, slices] = await Promise.all([
    kube.get({ apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'kubernetes' }, signal),
    kube.list(
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        namespace: 'default',
        labelSelector: 'kubernetes.io/service-name=kubernetes',
      },
      signal,
    ),
  ])
  const { clusterIP, ports } = (service?.spec ?? {}) as { clusterIP?: string; ports?: { port: number }[] }
  const slice = slices[0] as Slice | undefined
  const ip = slice?.endpoints?.[0]?.addresses[0]
  const port = slice?.ports?.[0]?.port
  if (clusterIP === undefined || ip === undefined || port === undefined) {
    throw new CheckBroke('The Service default/kubernetes has no address or no endpoint.')
  }
  const end = { end: addressEnd(ip), port }
  const to = { ends: [end], stated: end, witness }
  return [
    {
      ...to,
      name: 'API server, Service',
      dial: { protocol: 'TCP', address: clusterIP, port: ports?.[0]?.port ?? 443 },
    },
    { ...to, name: `API server, port ${String(port)}`, dial: { protocol: 'TCP', address: ip, port } },
  ]
}

/** The kubelet of the node with the API server: a live port that is not the API server's. */
export function kubeletTarget(apiServer: Target, witness: Source): Target {
  const port = 10_250
  const { address } = apiServer.dial
  const end = { end: addressEnd(address), port }
  return {
    name: `kubelet, port ${String(port)}`,
    dial: { protocol: 'TCP', address, port },
    ends: [end],
    stated: end,
    witness,
  }
}
