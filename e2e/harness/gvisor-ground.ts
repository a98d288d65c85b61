import { LocalCloudError } from '../../bootstrap/errors/local-cloud-error.ts'
import type { Condition, KubeClient, KubeObject } from '../../bootstrap/kube/client.ts'
import { podReady } from '../../bootstrap/kube/conditions/pod-ready.ts'
import type { ContainerState, ContainerStatus } from '../../bootstrap/kube/shapes.ts'
import type { Cluster } from './cluster.ts'
import { createNamespace } from './namespace.ts'
import { startNodeHand, type NodeHand } from './node-hand.ts'
import { probeImage, startProbePod, type ProbePod, type ProbePodOptions } from './probe-pod.ts'
import { runLabel } from './run-id.ts'
import { CheckBroke, NotProven } from './verdict.ts'

/** The RuntimeClass that the suite is about. */
export const sandboxClass = 'gvisor'

/** A container of a small pod, as Kubernetes takes it; the image and small requests are filled in. */
export type SmallContainer = { name: string; command: string[] } & Record<string, unknown>

/** Where a suite tries gVisor: a namespace of its own with a pod in the sandbox and its twin outside. Leaving its scope removes both. */
export interface GvisorGround extends AsyncDisposable {
  kube: KubeClient
  runId: string
  namespace: string
  /** A web server in gVisor. */
  inside: ProbePod
  /** The same without the RuntimeClass. */
  outside: ProbePod
  /** On the node of `inside`. */
  hand: NodeHand
  /** Another web server in the namespace. */
  probePod(
    options: Pick<ProbePodOptions, 'name' | 'runtimeClassName' | 'claims'>,
    signal: AbortSignal,
  ): Promise<ProbePod>
  /** A small pod of the RuntimeClass, or of none; root with the runtime's own capabilities, and it does not start again unless told. */
  smallPod(
    name: string,
    containers: readonly SmallContainer[],
    spec?: Record<string, unknown> & { runtimeClassName?: string | undefined },
  ): KubeObject
  /** Makes a pod and returns it when it is Ready. @throws LocalCloudError WAIT_TIMEOUT with its reason */
  start(pod: KubeObject, signal: AbortSignal): Promise<KubeObject>
  /** Makes a pod of one container and returns how that ended. */
  toItsEnd(pod: KubeObject, signal: AbortSignal): Promise<NonNullable<ContainerState['terminated']>>
  /** Processes of the node that belong to a pod's sandbox, as `PID COMMAND`: its shim, its kernel, its file servers. */
  processesOf(ids: readonly string[], signal: AbortSignal): Promise<string[]>
  /** Ids by which containerd knows a pod's sandbox and its containers. */
  idsOf(pod: string, signal: AbortSignal): Promise<string[]>
}

/** Milliseconds within which a pod of ours starts and one that computes nothing ends. */
const startMs = 60_000

/** Opens it. @throws NotProven where the cluster has no RuntimeClass of gVisor */
export async function openGvisorGround(
  { kube, runId }: Pick<Cluster, 'kube' | 'runId'>,
  signal: AbortSignal,
): Promise<GvisorGround> {
  const classRef = { apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', name: sandboxClass }
  if (!(await kube.get(classRef, signal)))
    throw new NotProven(
      'This cluster has no RuntimeClass gvisor (up --runtime-class gvisor), so nothing about it can be proven.',
    )
  const space = await createNamespace({ kube, runId, purpose: 'gvisor', podSecurity: 'privileged', signal })
  const namespace = space.name
  const refTo = (name: string) => ({ apiVersion: 'v1', kind: 'Pod', namespace, name })
  const probePod: GvisorGround['probePod'] = (options, stop) =>
    startProbePod({ kube, namespace, runId, labels: { app: options.name }, signal: stop, ...options })
  const [inside, outside] = await Promise.all([
    probePod({ name: 'inside', runtimeClassName: sandboxClass }, signal),
    probePod({ name: 'outside' }, signal),
  ])
  const placed = await kube.get(refTo(inside.name), signal)
  const node = (placed?.['spec'] as { nodeName?: string } | undefined)?.nodeName ?? ''
  const hand = await startNodeHand(kube, { namespace, runId, node }, signal)
  return {
    kube,
    runId,
    namespace,
    inside,
    outside,
    hand,
    probePod,
    smallPod: (name, containers, spec = {}) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace, labels: { [runLabel]: runId } },
      spec: {
        runtimeClassName: sandboxClass,
        automountServiceAccountToken: false,
        enableServiceLinks: false,
        terminationGracePeriodSeconds: 0,
        restartPolicy: 'Never',
        ...spec,
        containers: containers.map((container) => ({
          image: probeImage,
          imagePullPolicy: 'IfNotPresent',
          resources: { requests: { cpu: '5m', memory: '8Mi' } },
          ...container,
        })),
      },
    }),
    async start(pod, stop) {
      await kube.apply([pod], { signal: stop, dryRun: 'skip' })
      const ready = await kube.waitFor(refTo(pod.metadata.name), podReady, {
        timeoutMs: startMs,
        signal: stop,
      })
      if (!ready) throw new CheckBroke(`${pod.metadata.name} is gone.`)
      return ready
    },
    async toItsEnd(pod, stop) {
      await kube.apply([pod], { signal: stop, dryRun: 'skip' })
      const ended = await kube.waitFor(refTo(pod.metadata.name), hasEnded, {
        timeoutMs: startMs,
        signal: stop,
      })
      const [state] = terminatedOf(ended)
      if (!state) throw new CheckBroke(`${pod.metadata.name} does not tell how it ended.`)
      return state
    },
    async idsOf(pod, stop) {
      const sandboxes = await hand.inNode(`crictl pods -q --namespace ${namespace} --name '^${pod}$'`, stop)
      const found = await kube.get(refTo(pod), stop)
      const containers = statusesOf(found).map(({ containerID = '' }) => containerID.replace(/^.*:\/\//, ''))
      const ids = [...sandboxes.split('\n'), ...containers].filter((id) => id !== '')
      if (ids.length < 2)
        throw new CheckBroke(`Of ${pod} containerd knows only ${ids.join(', ') || 'nothing'}.`)
      return ids
    },
    async processesOf(ids, stop) {
      // The pattern does not find itself.
      const pattern = ids.map((id) => `[${id.charAt(0)}]${id.slice(1)}`).join('|')
      const found = await hand.inNode(`sh -c 'pgrep -a -f "${pattern}" || true'`, stop)
      return found.split('\n').filter((line) => line !== '')
    },
    [Symbol.asyncDispose]: () => space[Symbol.asyncDispose](),
  }
}

type Status = ContainerStatus & { containerID?: string }

/** What the kubelet tells of a pod's containers. */
export const statusesOf = (pod: KubeObject | undefined): Status[] =>
  (pod?.['status'] as { containerStatuses?: Status[] } | undefined)?.containerStatuses ?? []

const terminatedOf = (pod: KubeObject | undefined) =>
  statusesOf(pod).flatMap(({ state }) => (state?.terminated === undefined ? [] : [state.terminated]))

const hasEnded: Condition = (pod) => {
  const [ended] = terminatedOf(pod)
  return ended
    ? { met: true, seen: `ended with ${String(ended.exitCode)}` }
    : { met: false, seen: (pod?.['status'] as { phase?: string } | undefined)?.phase ?? 'no pod' }
}

/** What the API server says to an object that is only tried; `taken` when it would take it. */
export async function tryObject(kube: KubeClient, object: KubeObject, signal: AbortSignal): Promise<string> {
  return kube.apply([object], { signal, dryRun: 'only' }).then(
    () => 'taken',
    (error: unknown) => {
      if (error instanceof LocalCloudError && error.code === 'API_REFUSED') return error.message
      throw error
    },
  )
}
