import type { Condition, KubeClient, KubeObject } from '../../bootstrap/kube/client.ts'
import { applyWhenRoom } from './apply-when-room.ts'
import { keeps } from './keep.ts'
import {
  probeScript,
  readConnect,
  ranToItsEnd,
  readHttp,
  type ConnectOutcome,
  type PodHttpOutcome,
} from './probe-script.ts'
import { runLabel } from './run-id.ts'
import { runPriority } from './run-priority.ts'

/** In every node of a cluster of ours; has sh, nc, wget, nslookup and httpd. */
export const probeImage = 'docker.io/library/busybox:1.35.0'

/** Port of the web server that every probe pod runs; its page is the pod's name. */
export const probePort = 8080

export interface ProbePodOptions {
  kube: KubeClient
  namespace: string
  runId: string
  name: string
  labels?: Record<string, string>
  /** Claims to mount: claim name → path. */
  claims?: Record<string, string>
  /** RuntimeClass that it names; by default none. */
  runtimeClassName?: string
  /** CPU that it asks for, so little that many fit; a LimitRange may want more. */
  cpu?: string
  /** PriorityClass; by default none. */
  priorityClassName?: string
  signal: AbortSignal
  /** How long scheduling and starting may take, milliseconds. */
  timeoutMs?: number
}

/** A running pod with clients and a small web server. Leaving its scope deletes it and waits until it is gone. */
export interface ProbePod extends AsyncDisposable {
  name: string
  namespace: string
  uid: string
  ip: string
  /** Opens a new TCP connection to an IPv4 address or a full DNS name. Never throws for what the network does. */
  connect(host: string, port: number, options: ClientOptions): Promise<ConnectOutcome>
  /** One HTTP request on a new connection. With a body it is a POST. */
  http(
    url: string,
    options: ClientOptions & { body?: string; headers?: Record<string, string> },
  ): Promise<PodHttpOutcome>
  /** Runs a shell command and returns its output. @throws Error when it does not end with 0. */
  sh(script: string, signal: AbortSignal): Promise<string>
}

export interface ClientOptions {
  /** Whole seconds that the client waits. */
  timeoutSeconds: number
  signal: AbortSignal
}

/** The pod's manifest; fits the Pod Security level `restricted`. */
export function probePodManifest(
  options: Pick<
    ProbePodOptions,
    'namespace' | 'runId' | 'name' | 'labels' | 'claims' | 'runtimeClassName' | 'cpu' | 'priorityClassName'
  >,
): KubeObject {
  const { namespace, runId, name, labels = {}, claims = {}, cpu = '10m' } = options
  const { runtimeClassName, priorityClassName } = options
  const mounted = Object.entries(claims).map(([claim, mountPath], index) => ({
    volume: { name: `claim-${String(index)}`, persistentVolumeClaim: { claimName: claim } },
    mount: { name: `claim-${String(index)}`, mountPath },
  }))
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { [runLabel]: runId, ...labels } },
    spec: {
      ...(runtimeClassName === undefined ? {} : { runtimeClassName }),
      ...(priorityClassName === undefined ? runPriority() : { priorityClassName }),
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: 0,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 1000,
        runAsGroup: 1000,
        fsGroup: 1000,
        seccompProfile: { type: 'RuntimeDefault' },
      },
      containers: [
        {
          name: 'probe',
          image: probeImage,
          imagePullPolicy: 'IfNotPresent',
          command: [
            '/bin/sh',
            '-c',
            `mkdir -p /tmp/www && hostname > /tmp/www/index.html && exec httpd -f -p ${String(probePort)} -h /tmp/www`,
          ],
          ports: [{ containerPort: probePort }],
          readinessProbe: { tcpSocket: { port: probePort }, periodSeconds: 1 },
          resources: { requests: { cpu, memory: '64Mi' }, limits: { cpu: '200m', memory: '64Mi' } },
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
          volumeMounts: mounted.map(({ mount }) => mount),
        },
      ],
      volumes: mounted.map(({ volume }) => volume),
    },
  }
}

const podReady: Condition = (pod) => {
  if (!pod) return { met: false, seen: 'no pod' }
  const status = pod['status'] as
    | { phase?: string; podIP?: string; conditions?: { type: string; status: string; message?: string }[] }
    | undefined
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')
  const seen = `${status?.phase ?? 'no phase'}${ready?.message === undefined ? '' : `: ${ready.message}`}`
  if (status?.phase === 'Failed' || status?.phase === 'Succeeded') return { met: false, seen, fatal: true }
  return ready?.status === 'True' && status?.podIP !== undefined ? { met: true, seen } : { met: false, seen }
}

/** How often a client is started until one runs to its end; one that does not has found nothing out. */
const attempts = 3

/** Makes the pod and returns when its web server answers. @throws LocalCloudError WAIT_TIMEOUT with the pod's reason. */
export async function startProbePod(options: ProbePodOptions): Promise<ProbePod> {
  const { kube, namespace, name, signal, timeoutMs = 120_000 } = options
  const ref = { apiVersion: 'v1', kind: 'Pod', name, namespace }
  const remove = () =>
    kube.delete(ref, { signal: AbortSignal.timeout(30_000), wait: true, gracePeriodSeconds: 0 })
  await applyWhenRoom(kube, probePodManifest(options), { timeoutMs, signal })
  const ready = await kube.waitFor(ref, podReady, { timeoutMs, signal }).catch(async (error: unknown) => {
    await remove().catch(() => undefined)
    throw error
  })
  const client = async (
    mode: 'tcp' | 'http',
    host: string,
    port: number,
    { timeoutSeconds, signal: stop }: ClientOptions,
    more: string[],
  ) => {
    const argv = ['/bin/sh', '-c', probeScript, 'probe', mode, host, String(port), String(timeoutSeconds)]
    for (let left = attempts; ; left -= 1) {
      const result = await kube
        .exec({ namespace, name, container: 'probe' }, [...argv, ...more], { signal: stop })
        .catch((error: unknown) => {
          stop.throwIfAborted()
          return { exitCode: -1, stdout: '', stderr: error instanceof Error ? error.message : String(error) }
        })
      if (left === 1 || ranToItsEnd(result)) return result
    }
  }
  return {
    name,
    namespace,
    uid: ready?.metadata.uid ?? '',
    ip: (ready?.['status'] as { podIP: string } | undefined)?.podIP ?? '',
    async connect(host, port, clientOptions) {
      return readConnect(await client('tcp', host, port, clientOptions, []))
    },
    async http(url, { body, headers = {}, ...clientOptions }) {
      const { hostname, port, pathname, search } = new URL(url)
      const more = [
        `${pathname}${search}`,
        ...(body === undefined ? [] : ['--post-data', body]),
        ...Object.entries(headers).flatMap(([key, value]) => ['--header', `${key}: ${value}`]),
      ]
      return readHttp(await client('http', hostname, port === '' ? 80 : Number(port), clientOptions, more))
    },
    async sh(script, stop) {
      const result = await kube.exec({ namespace, name, container: 'probe' }, ['/bin/sh', '-c', script], {
        signal: stop,
      })
      if (result.exitCode !== 0) {
        throw new Error(
          `"${script}" in pod ${namespace}/${name} ended with ${String(result.exitCode)}: ${result.stderr.trim()}`,
        )
      }
      return result.stdout
    },
    async [Symbol.asyncDispose]() {
      if (!keeps()) await remove()
    },
  }
}
