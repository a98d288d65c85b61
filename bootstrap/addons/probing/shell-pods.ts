import { podReady } from '../../kube/conditions/pod-ready.ts'
import type { KubeObject } from '../../kube/client.ts'
import type { ProbeContext } from '../addon.ts'

/** Port on which a serving shell pod answers HTTP. */
export const servedPort = 8080
const startMs = 100_000

export interface ShellPod {
  name: string
  /** Default: the probe's namespace. */
  namespace?: string
  /** Shell script that must not end; default: sleep. */
  script?: string
  /** Text that the pod answers to GET / on port 8080; replaces `script`. */
  serves?: string
  /** Name of a pod of the same probe that this one should not share a node with, where there are several. */
  awayFrom?: string
  volumes?: { claim: string; mountPath: string }[]
  /** RuntimeClass that it names; by default none. */
  runtimeClassName?: string
  /** Extended resources that it asks for, by name: `{ 'nvidia.com/gpu': 1 }`. */
  devices?: Record<string, number>
}

/** A pod that is Ready. */
export interface RunningPod {
  name: string
  namespace: string
  uid: string
  ip: string
  startedAt: string
}

/** The object of a small pod with the probe's shell image; its label `probe-pod` is its name, and it ends at once. */
export function shellPod(context: Pick<ProbeContext, 'namespace' | 'shellImage'>, pod: ShellPod): KubeObject {
  const serve = `mkdir -p /tmp/www && printf '%s' "$SERVES" > /tmp/www/index.html && exec httpd -f -p ${String(servedPort)} -h /tmp/www`
  const script = pod.serves === undefined ? (pod.script ?? 'exec sleep 3600') : serve
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: pod.name,
      namespace: pod.namespace ?? context.namespace,
      labels: { 'app.kubernetes.io/managed-by': 'local-cloud', 'probe-pod': pod.name },
    },
    spec: {
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: 0,
      ...(pod.runtimeClassName === undefined ? {} : { runtimeClassName: pod.runtimeClassName }),
      ...(pod.awayFrom === undefined ? {} : { affinity: awayFrom(pod.awayFrom) }),
      containers: [
        {
          name: 'shell',
          image: context.shellImage,
          imagePullPolicy: 'IfNotPresent',
          command: ['sh', '-c', script],
          ...(pod.serves === undefined
            ? {}
            : {
                env: [{ name: 'SERVES', value: pod.serves }],
                readinessProbe: { tcpSocket: { port: servedPort }, periodSeconds: 1 },
              }),
          resources: {
            requests: { cpu: '5m', memory: '8Mi' },
            ...(pod.devices === undefined ? {} : { limits: pod.devices }),
          },
          volumeMounts: (pod.volumes ?? []).map(({ claim, mountPath }) => ({ name: claim, mountPath })),
        },
      ],
      volumes: (pod.volumes ?? []).map(({ claim }) => ({
        name: claim,
        persistentVolumeClaim: { claimName: claim },
      })),
    },
  }
}

/**
 * Starts the pods together and returns when all are Ready, in the same order.
 * @throws LocalCloudError WAIT_TIMEOUT with the reason of a pod that does not get Ready within a minute
 */
export async function startShellPods<const Pods extends readonly ShellPod[]>(
  context: ProbeContext,
  pods: Pods,
): Promise<{ [Index in keyof Pods]: RunningPod }> {
  const { kube, signal } = context
  const objects = pods.map((pod) => shellPod(context, pod))
  await kube.apply(objects, { signal, dryRun: 'skip' })
  const running = await Promise.all(objects.map((object) => untilReady(context, object)))
  return running as { [Index in keyof Pods]: RunningPod }
}

async function untilReady({ kube, signal }: ProbeContext, { metadata }: KubeObject): Promise<RunningPod> {
  const namespace = metadata.namespace ?? ''
  const ref = { apiVersion: 'v1', kind: 'Pod', namespace, name: metadata.name }
  const ready = await kube.waitFor(ref, podReady, { timeoutMs: startMs, signal })
  const status = ready?.status as { podIP?: string; startTime?: string } | undefined
  return {
    name: metadata.name,
    namespace,
    uid: ready?.metadata.uid ?? '',
    ip: status?.podIP ?? '',
    startedAt: status?.startTime ?? '',
  }
}

const awayFrom = (name: string): object => ({
  podAntiAffinity: {
    preferredDuringSchedulingIgnoredDuringExecution: [
      {
        weight: 100,
        podAffinityTerm: {
          labelSelector: { matchLabels: { 'probe-pod': name } },
          topologyKey: 'kubernetes.io/hostname',
        },
      },
    ],
  },
})
