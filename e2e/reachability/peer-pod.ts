import { randomBytes } from 'node:crypto'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { applyWhenRoom } from '../harness/apply-when-room.ts'
import type { Cluster } from '../harness/cluster.ts'
import { keeps } from '../harness/keep.ts'
import { probePodManifest } from '../harness/probe-pod.ts'
import { CheckBroke } from '../harness/verdict.ts'
import type { End, PodPort, Protocol } from './ends.ts'
import { listenCommand } from './listener.ts'
import { livePods, podSource, type LivePod, type Source } from './source.ts'

export interface PeerOptions {
  cluster: Pick<Cluster, 'kube' | 'context' | 'runId'>
  namespace: string
  /** Row of the matrix, and the beginning of the pod's name. */
  name: string
  /** An image with perl that is in the node. */
  image: string
  labels?: Record<string, string>
  /** Ports on which it listens; it is ready when the first one, a TCP port, answers. */
  ports?: readonly PodPort[]
  /** Request of processor; little, so that a small node has room for all. A LimitRange may ask for more. */
  cpu?: string
  /** PriorityClass; by default none. */
  priorityClassName?: string
  /** As the specification knows it; as the cluster does without this. */
  stated?: End
  signal: AbortSignal
}

/** A pod with the client and a listener, and nothing that a policy could know it by but its labels. */
export interface Peer extends AsyncDisposable {
  pod: LivePod
  source: Source
}

/** How long a peer may take to run, milliseconds; the image is in the node. */
const startMs = 120_000

/** A probe pod's manifest (its security and its resources) with another program in it. */
export function peerManifest(
  options: Omit<PeerOptions, 'cluster' | 'signal'> & { runId: string; command: readonly string[] },
): KubeObject {
  const { namespace, runId, name, labels = {}, image, ports = [], cpu = '5m', command } = options
  const { priorityClassName } = options
  const manifest = probePodManifest({
    namespace,
    runId,
    name,
    labels,
    ...(priorityClassName === undefined ? {} : { priorityClassName }),
  })
  const [probe] = (manifest['spec'] as { containers: KubeObject[] }).containers
  const first = ports[0]
  if (ports.some(({ containerPort }) => containerPort < 1024)) {
    const security = (manifest['spec'] as { securityContext: Record<string, unknown> }).securityContext
    security['sysctls'] = [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }]
  }
  Object.assign(probe ?? {}, {
    image,
    command: [...command],
    ports: [...ports],
    resources: { requests: { cpu, memory: '64Mi' }, limits: { cpu: '200m', memory: '64Mi' } },
  })
  if (first && probe) probe['readinessProbe'] = { tcpSocket: { port: first.containerPort }, periodSeconds: 1 }
  else delete probe?.['readinessProbe']
  return manifest
}

/** Makes the pod and returns when it is ready. @throws LocalCloudError WAIT_TIMEOUT with the pod's reason */
export async function startPeer(options: PeerOptions): Promise<Peer> {
  const { cluster, namespace, ports = [], signal } = options
  const { kube, runId } = cluster
  const name = `${options.name.replaceAll(/[^a-z0-9]+/g, '-')}-${randomBytes(3).toString('hex')}`
  const ref = { apiVersion: 'v1', kind: 'Pod', namespace, name }
  const remove = () =>
    kube.delete(ref, { signal: AbortSignal.timeout(30_000), wait: true, gracePeriodSeconds: 0 })
  const numbers = (wanted: Protocol): number[] =>
    ports.flatMap(({ protocol = 'TCP', containerPort }) => (protocol === wanted ? [containerPort] : []))
  const command = listenCommand({
    tcp: numbers('TCP'),
    udp: numbers('UDP').map((port) => ({ address: '0.0.0.0', port })),
  })
  await applyWhenRoom(kube, peerManifest({ ...options, name, runId, command }), {
    timeoutMs: startMs,
    signal,
  })
  try {
    const object = await kube.waitFor(
      ref,
      (one) => {
        const status = one?.['status'] as { phase?: string } | undefined
        const met = one !== undefined && livePods([one]).length === 1
        return { met, seen: status?.phase ?? 'no pod', fatal: status?.phase === 'Failed' }
      },
      { timeoutMs: startMs, signal },
    )
    const [pod] = object ? livePods([object]) : []
    if (!pod) throw new CheckBroke(`The pod ${namespace}/${name} is gone.`)
    return {
      pod,
      source: podSource(cluster, pod, options.stated ?? pod.end, options.name),
      async [Symbol.asyncDispose]() {
        if (!keeps()) await remove()
      },
    }
  } catch (error) {
    await remove().catch(() => undefined)
    throw error
  }
}
