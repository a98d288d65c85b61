import type { ExecResult, KubeObject } from '../../bootstrap/kube/client.ts'
import type { Engine } from '../../bootstrap/engine/engine.ts'
import { CheckBroke } from '../harness/verdict.ts'
import type { Cluster } from '../harness/cluster.ts'
import type { End, PodEnd, PodPort } from './ends.ts'

/** Somebody who opens connections. */
export interface Source {
  /** Row of the matrix. */
  name: string
  /** As the cluster knows it. */
  end: End
  /** As the specification knows it: labels are the stated ones. */
  stated: End
  run(argv: readonly string[], signal: AbortSignal): Promise<ExecResult>
  /** What a person puts before a command to run it there. */
  prefix: string
}

interface PodObject extends KubeObject {
  spec: {
    nodeName?: string
    hostNetwork?: boolean
    containers: { name: string; image: string; ports?: PodPort[] }[]
  }
  status?: {
    phase?: string
    podIP?: string
    hostIP?: string
    conditions?: { type: string; status: string }[]
    containerStatuses?: { containerID?: string }[]
  }
}

/** A pod with what a matrix needs of it. */
export interface LivePod {
  namespace: string
  name: string
  labels: Record<string, string>
  ip: string
  node: string
  nodeIp: string
  ports: PodPort[]
  container: string
  image: string
  /** Id of its first container at the runtime. */
  containerId: string
  end: PodEnd
}

/** Ready pods with an address of their own, the oldest first; those about to go are left out. */
export function livePods(objects: readonly KubeObject[]): LivePod[] {
  return (objects as PodObject[])
    .filter(
      ({ metadata, spec, status }) =>
        metadata.deletionTimestamp === undefined &&
        spec.hostNetwork !== true &&
        status?.podIP !== undefined &&
        status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true,
    )
    .sort(({ metadata: a }, { metadata: b }) =>
      `${a.creationTimestamp ?? ''} ${a.name}`.localeCompare(`${b.creationTimestamp ?? ''} ${b.name}`),
    )
    .map(({ metadata, spec, status }) => {
      const { namespace = '', name, labels = {} } = metadata
      const ports = spec.containers.flatMap((container) => container.ports ?? [])
      return {
        namespace,
        name,
        labels,
        ip: status?.podIP ?? '',
        node: spec.nodeName ?? '',
        nodeIp: status?.hostIP ?? '',
        ports,
        container: spec.containers[0]?.name ?? '',
        image: spec.containers[0]?.image ?? '',
        containerId: (status?.containerStatuses?.[0]?.containerID ?? '').replace(/^\w+:\/\//, ''),
        end: { kind: 'pod', namespace, name, labels, ports },
      }
    })
}

/** A pod in which the client runs as one more process of its container. */
export function podSource(
  { kube, context }: Pick<Cluster, 'kube' | 'context'>,
  pod: LivePod,
  stated: End,
  name = pod.name,
): Source {
  const { namespace, container, end } = pod
  return {
    name,
    end,
    stated,
    run: (argv, signal) => kube.exec({ namespace, name: pod.name, container }, argv, { signal }),
    prefix: `kubectl --context ${context} exec -n ${namespace} ${pod.name} --`,
  }
}

/**
 * A pod whose image has no client: the node's own client runs in the pod's network namespace, with its address and identity.
 * @throws CheckBroke when the pod's process cannot be found on its node
 */
export async function networkOfPod(
  engine: Engine,
  pod: LivePod,
  options: { name: string; stated: End; signal: AbortSignal },
): Promise<Source> {
  const inspected = await engine.exec(
    pod.node,
    ['crictl', 'inspect', '--output', 'go-template', '--template', '{{.info.pid}}', pod.containerId],
    { signal: options.signal },
  )
  const pid = inspected.stdout.trim()
  if (inspected.exitCode !== 0 || !/^\d+$/.test(pid)) {
    throw new CheckBroke(`No process of pod ${pod.name} on ${pod.node}: ${inspected.stderr.trim() || pid}`)
  }
  const enter = ['nsenter', '--target', pid, '--net']
  return {
    name: options.name,
    end: pod.end,
    stated: options.stated,
    run: (argv, signal) => engine.exec(pod.node, [...enter, ...argv], { signal }),
    prefix: `${engine.kind} exec ${pod.node} ${enter.join(' ')}`,
  }
}
