import type { ConnectedKube, KubeObject, ObjectRef } from '../../bootstrap/kube/client.ts'
import { deploymentAvailable } from '../../bootstrap/kube/conditions/deployment-available.ts'
import { objectNamed } from './slate-objects.ts'
import { runLabel } from './run-id.ts'
import { runPriority } from './run-priority.ts'

interface EnvSource {
  configMapKeyRef?: { name: string }
  secretKeyRef?: { name: string }
}

/** The parts of a pod template that a copy reads or changes. */
export interface CopiedPod {
  priorityClassName?: string
  serviceAccountName?: string
  terminationGracePeriodSeconds?: number
  containers: CopiedContainer[]
  volumes?: { name: string; persistentVolumeClaim?: { claimName: string }; configMap?: { name: string } }[]
}

export interface CopiedProbe {
  initialDelaySeconds?: number
  periodSeconds?: number
  timeoutSeconds?: number
  failureThreshold?: number
}

export interface CopiedContainer {
  name: string
  image: string
  imagePullPolicy?: string
  command?: string[]
  env?: { name: string; value?: string; valueFrom?: EnvSource }[]
  envFrom?: { configMapRef?: { name: string }; secretRef?: { name: string } }[]
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> }
  volumeMounts?: { name: string; mountPath: string }[]
  startupProbe?: CopiedProbe
  livenessProbe?: CopiedProbe
  readinessProbe?: CopiedProbe
}

export interface CopiedDeployment extends KubeObject {
  spec: {
    replicas: number
    strategy?: { type: string; rollingUpdate?: Record<string, unknown> }
    selector: { matchLabels: Record<string, string> }
    template: {
      metadata: { labels: Record<string, string>; annotations?: Record<string, string> }
      spec: CopiedPod
    }
  }
}

export interface CopyOptions {
  /** Objects of the overlay, from `slateObjects`. */
  objects: readonly KubeObject[]
  /** Name of the Deployment in the overlay. */
  deployment: string
  /** Of the test. */
  namespace: string
  runId: string
  /** Name and label of the copy, where one namespace holds several; the original's otherwise. */
  as?: string
  /** Claims that come along; a folder of the pod's own takes the place of the others. */
  keepClaims?: readonly string[]
  /** What the copy is to differ in beyond what `differs` says; gets the copy to change in place. */
  change?: (deployment: CopiedDeployment) => void
}

export interface WorkloadCopy {
  /** Everything to apply, the Deployment last. */
  objects: KubeObject[]
  deployment: CopiedDeployment
  /** Name of the Service that leads to the copy, and its first port; absent where the original has none. */
  service?: { name: string; port: number }
  /** How the copy differs from the original, for the report; `change` is not among it. */
  differs: string
}

/** Requests of a copy's container: the node has to hold the copies of several suites beside SLATE. */
const requests = { cpu: '10m', memory: '64Mi' }

/**
 * A Deployment of SLATE for a namespace of a test, with what it needs: its ConfigMaps, Secrets, ServiceAccount (which has no rights
 * there) and the Services that select it. Nothing is applied.
 * @throws Error when the overlay lacks the Deployment or something it refers to
 */
export function copyWorkload(options: CopyOptions): WorkloadCopy {
  const { objects, namespace, runId, as = options.deployment, keepClaims = [] } = options
  const deployment = moved(
    objectNamed(objects, `Deployment/${options.deployment}`),
    options,
  ) as CopiedDeployment
  const { template, selector } = deployment.spec
  const originalLabels = { ...template.metadata.labels }
  deployment.metadata.name = as
  for (const labels of [template.metadata.labels, selector.matchLabels]) labels['app.kubernetes.io/name'] = as
  const pod = template.spec
  const claims = (pod.volumes ?? []).flatMap(
    ({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName ?? [],
  )
  pod.volumes = (pod.volumes ?? []).map((volume) =>
    volume.persistentVolumeClaim !== undefined && !keepClaims.includes(volume.persistentVolumeClaim.claimName)
      ? ({ name: volume.name, emptyDir: {} } as { name: string })
      : volume,
  )
  for (const { resources } of pod.containers) if (resources) resources.requests = { ...requests }
  delete pod.priorityClassName
  Object.assign(pod, runPriority())
  const needed = new Set([
    ...referencesOf(pod),
    ...claims.filter((name) => keepClaims.includes(name)).map((name) => `PersistentVolumeClaim/${name}`),
    ...(pod.serviceAccountName === undefined ? [] : [`ServiceAccount/${pod.serviceAccountName}`]),
  ])
  const services = objects.filter(
    (one) =>
      one.kind === 'Service' &&
      selects((one['spec'] as { selector?: Record<string, string> }).selector, originalLabels),
  )
  const copiedServices = services.map((one) => {
    const copy = moved(one, options)
    const spec = copy['spec'] as { selector: Record<string, string>; ports: { port: number }[] }
    if (as !== options.deployment) copy.metadata.name = `${one.metadata.name}-${as}`
    spec.selector = { ...spec.selector, 'app.kubernetes.io/name': as }
    return { copy, port: spec.ports[0]?.port ?? 0 }
  })
  options.change?.(deployment)
  const [first] = copiedServices
  return {
    objects: [
      ...[...needed].map((id) => moved(objectNamed(objects, id), options)),
      ...copiedServices.map(({ copy }) => copy),
      deployment,
    ],
    deployment,
    ...(first === undefined ? {} : { service: { name: first.copy.metadata.name, port: first.port } }),
    differs: [
      `in namespace ${namespace}`,
      ...(as === options.deployment ? [] : [`named ${as}`]),
      ...claims.filter((name) => !keepClaims.includes(name)).map((name) => `an empty folder for ${name}`),
      `requests ${requests.cpu} CPU and ${requests.memory}`,
      'a priority by which it displaces nobody',
    ].join(', '),
  }

  function moved(object: KubeObject, { namespace: to }: CopyOptions): KubeObject {
    const copy = structuredClone(object)
    copy.metadata.namespace = to
    copy.metadata.labels = { ...copy.metadata.labels, [runLabel]: runId }
    return copy
  }
}

/**
 * Lets a copy be ready as soon as its program answers, where the probes are not what the test is about: the startup probe begins after 1 s
 * and comes every second, with no less time in all than the original's.
 */
export function startsSoon({ spec }: CopiedDeployment): void {
  for (const { startupProbe } of spec.template.spec.containers) {
    if (!startupProbe) continue
    const { initialDelaySeconds = 0, periodSeconds = 10, failureThreshold = 3 } = startupProbe
    Object.assign(startupProbe, {
      initialDelaySeconds: 1,
      periodSeconds: 1,
      failureThreshold: initialDelaySeconds + periodSeconds * failureThreshold,
    })
  }
}

/** A copy that runs. */
export interface RunningCopy extends WorkloadCopy {
  ref: ObjectRef
  /** Address of its Service inside the cluster; empty where there is none. */
  clusterIP: string
}

/**
 * Applies a copy and returns when all its replicas are available; with `wait: false` as soon as it is applied.
 * @throws LocalCloudError WAIT_TIMEOUT with the reason of its pods
 */
export async function startCopy(
  kube: ConnectedKube,
  options: CopyOptions & { signal: AbortSignal; wait?: boolean; timeoutMs?: number },
): Promise<RunningCopy> {
  const { signal, namespace, wait = true, timeoutMs = 90_000 } = options
  const copy = copyWorkload(options)
  await kube.apply(copy.objects, { signal, dryRun: 'skip' })
  const ref = { apiVersion: 'apps/v1', kind: 'Deployment', namespace, name: copy.deployment.metadata.name }
  if (wait) await kube.waitFor(ref, deploymentAvailable, { timeoutMs, signal })
  const service =
    copy.service &&
    (await kube.get({ apiVersion: 'v1', kind: 'Service', namespace, name: copy.service.name }, signal))
  return {
    ...copy,
    ref,
    clusterIP: (service?.['spec'] as { clusterIP?: string } | undefined)?.clusterIP ?? '',
  }
}

/** `Kind/name` of the ConfigMaps and Secrets that a pod reads. */
function referencesOf({ containers, volumes = [] }: CopiedPod): string[] {
  const configMap = (name: string | undefined) => (name === undefined ? [] : [`ConfigMap/${name}`])
  const secret = (name: string | undefined) => (name === undefined ? [] : [`Secret/${name}`])
  return [
    ...volumes.flatMap((volume) => configMap(volume.configMap?.name)),
    ...containers.flatMap(({ env = [], envFrom = [] }) => [
      ...env.flatMap(({ valueFrom }) => [
        ...configMap(valueFrom?.configMapKeyRef?.name),
        ...secret(valueFrom?.secretKeyRef?.name),
      ]),
      ...envFrom.flatMap((from) => [...configMap(from.configMapRef?.name), ...secret(from.secretRef?.name)]),
    ]),
  ]
}

const selects = (selector: Record<string, string> | undefined, labels: Record<string, string>): boolean =>
  selector !== undefined && Object.entries(selector).every(([key, value]) => labels[key] === value)
