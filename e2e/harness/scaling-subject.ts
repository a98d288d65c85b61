import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { selectorQuery } from '../../bootstrap/kube/label-selector.ts'
import { millicores } from '../../manifests/slate/quantity.ts'
import type { Contract } from '../../manifests/slate/contract.ts'
import { autoscalerRef, deploymentRef, wholeBehavior } from './autoscaler.ts'
import type { Cluster } from './cluster.ts'
import { execLoad, requestLoad, type Load } from './load.ts'
import { createNamespace } from './namespace.ts'
import { startProbePod } from './probe-pod.ts'
import { runLabel } from './run-id.ts'
import type { ScalingBehavior, ScalingRules } from './scaling-steps.ts'
import { objectNamed, slateObjects } from './slate-objects.ts'
import { CheckBroke } from './verdict.ts'
import { startCopy, type CopiedDeployment } from './workload-copy.ts'

export type AutoscalerRow = Contract['autoscalers'][number]

/** One Deployment as an autoscaler sees it. */
export interface ScaledDeployment {
  namespace: string
  name: string
  labelSelector: string
}

/** A Deployment with its autoscaler, a twin without one, and load for both. Leaving its scope ends the load and deletes what was made. */
export interface ScalingSubject extends AsyncDisposable {
  row: AutoscalerRow
  deployment: ScaledDeployment
  /** Name of the autoscaler; it is in the namespace of the Deployment. */
  autoscaler: string
  /** The same Deployment in another name, which no autoscaler has as its target. */
  twin: ScaledDeployment
  load: Load
  /** What a pod requests, in thousandths of a CPU; utilisation is in percent of it. */
  requestMillicores: number
  /** As the specification has it, or with shorter windows. */
  behavior: ScalingBehavior
  /** How all of this differs from what the specification is about. */
  differs: string
}

/**
 * Windows and periods of a copy, seconds. A decision is made every 15 s: a period below that allows one step in each, and a window between
 * one and two of them delays the first step down by just one. There is none for steps up; that one is observed at length.
 */
export const shortWindows = {
  scaleUp: { window: 0, period: 10 },
  scaleDown: { window: 20, period: 10 },
} as const

/** Requests of a copy's container; the node has to hold ten of them beside SLATE. */
const copyCpu = '10m'

const loadVariable = { name: 'SLATE_LOAD_ENDPOINT', value: 'enabled' }

/**
 * Copies of a Deployment and its autoscaler in a namespace of their own, where only windows and periods of the behavior are shorter and
 * the pods request less CPU, with the load endpoint on. The pods keep an empty folder for each claim.
 * @throws CheckBroke when there is no such autoscaler to copy
 */
export async function shortenedCopies(
  cluster: Cluster,
  contract: Contract,
  row: AutoscalerRow,
  signal: AbortSignal,
): Promise<ScalingSubject> {
  const { kube, runId } = cluster
  await using stack = new AsyncDisposableStack()
  const objects = await slateObjects(cluster, signal)
  const space = stack.use(await createNamespace({ kube, runId, purpose: `scale-${row.target}`, signal }))
  const namespace = space.name
  const original = objectNamed(objects, `Deployment/${row.target}`) as CopiedDeployment
  const copy = { objects, deployment: row.target, namespace, runId, signal, wait: false }
  const change = (deployment: CopiedDeployment) => {
    toLoad(deployment, original)
  }
  const main = await startCopy(kube, { ...copy, change })
  const autoscaler = shortened(objects, row, namespace, runId)
  await kube.apply([autoscaler], { signal, dryRun: 'skip' })
  const twin = await startCopy(kube, { ...copy, as: `${row.target}-twin`, change })
  const port = contract.deployments.find(({ name }) => name === row.target)?.ports[0]
  if (port === undefined) throw new CheckBroke(`${row.target} has no port in the contract.`)
  const services = [main, twin].map(({ deployment }) => serviceFor(deployment, namespace, port))
  await kube.apply(services, { signal, dryRun: 'skip' })
  const client = stack.use(await startProbePod({ kube, namespace, runId, name: 'load', signal }))
  const targets = await Promise.all(
    services.map(async ({ metadata: { name } }) => {
      const service = await kube.get({ apiVersion: 'v1', kind: 'Service', namespace, name }, signal)
      const { clusterIP = '' } = (service?.['spec'] ?? {}) as { clusterIP?: string }
      return { name, url: `http://${clusterIP}:${String(port)}` }
    }),
  )
  const load = stack.use(await requestLoad(client, { targets, signal }))
  const kept = stack.move()
  return {
    row,
    deployment: scaled(main.deployment),
    autoscaler: row.name,
    twin: scaled(twin.deployment),
    load,
    requestMillicores: millicores(copyCpu),
    behavior: shortBehavior(row),
    differs:
      `copies in namespace ${namespace} with an empty folder for each claim, requests of ${copyCpu} CPU, with a priority by which they displace nobody, and with ` +
      `${loadVariable.name}=${loadVariable.value}; windows of 0 s up and ${String(shortWindows.scaleDown.window)} s down, periods of ` +
      `${String(shortWindows.scaleUp.period)} s where the specification names them`,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

/** What a copy differs in beyond what every copy does. */
function toLoad(deployment: CopiedDeployment, original: CopiedDeployment): void {
  for (const [index, container] of deployment.spec.template.spec.containers.entries()) {
    const { resources } = original.spec.template.spec.containers[index] ?? {}
    container.env = [...(container.env ?? []), loadVariable]
    container.resources = { ...resources, requests: { ...resources?.requests, cpu: copyCpu } }
  }
}

function shortened(
  objects: readonly KubeObject[],
  row: AutoscalerRow,
  namespace: string,
  runId: string,
): KubeObject {
  if (!objects.some(({ kind, metadata }) => kind === 'HorizontalPodAutoscaler' && metadata.name === row.name))
    throw new CheckBroke(`There is no autoscaler ${row.name} to copy.`)
  const copy = objectNamed(objects, `HorizontalPodAutoscaler/${row.name}`)
  const spec = copy['spec'] as { behavior?: Partial<ScalingBehavior> }
  const { scaleUp, scaleDown } = spec.behavior ?? {}
  spec.behavior = {
    ...(scaleUp === undefined ? {} : { scaleUp: shorter(scaleUp, shortWindows.scaleUp) }),
    scaleDown:
      scaleDown === undefined
        ? ({ stabilizationWindowSeconds: shortWindows.scaleDown.window } as ScalingRules)
        : shorter(scaleDown, shortWindows.scaleDown),
  }
  copy.metadata.namespace = namespace
  copy.metadata.labels = { ...copy.metadata.labels, [runLabel]: runId }
  return copy
}

const shorter = (
  rules: ScalingRules,
  { window, period }: { window: number; period: number },
): ScalingRules => ({
  ...rules,
  stabilizationWindowSeconds: window,
  policies: rules.policies.map((policy) => ({ ...policy, periodSeconds: period })),
})

/** What the contract's behavior becomes by the same shortening. */
function shortBehavior({ behavior }: AutoscalerRow): ScalingBehavior {
  const { scaleUp, scaleDown } = wholeBehavior(behavior)
  if (behavior === undefined)
    return {
      scaleUp,
      scaleDown: { ...scaleDown, stabilizationWindowSeconds: shortWindows.scaleDown.window },
    }
  return {
    scaleUp: shorter(scaleUp, shortWindows.scaleUp),
    scaleDown: shorter(scaleDown, shortWindows.scaleDown),
  }
}

/** A Service for the load; slate-core has none of its own (A01). */
const serviceFor = (deployment: CopiedDeployment, namespace: string, port: number): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: `${deployment.metadata.name}-load`, namespace },
  spec: { selector: deployment.spec.selector.matchLabels, ports: [{ port, targetPort: port }] },
})

const scaled = ({ metadata, spec }: CopiedDeployment): ScaledDeployment => ({
  namespace: metadata.namespace ?? '',
  name: metadata.name,
  labelSelector: selectorQuery({ matchLabels: spec.selector.matchLabels }),
})

/**
 * The original Deployment with its own autoscaler, and a twin of it in a namespace of its own. Nothing of SLATE is changed: its load
 * endpoint is off, so a program in the pods makes the load.
 * @throws CheckBroke when one of them is not there
 */
export async function originals(
  cluster: Cluster,
  contract: Contract,
  row: AutoscalerRow,
  signal: AbortSignal,
): Promise<ScalingSubject> {
  const { kube, runId } = cluster
  await using stack = new AsyncDisposableStack()
  const namespace = contract.namespace.name
  const deployment = (await kube.get(deploymentRef(namespace, row.target), signal)) as
    CopiedDeployment | undefined
  const autoscaler = await kube.get(autoscalerRef(namespace, row.name), signal)
  if (!deployment || !autoscaler)
    throw new CheckBroke(`${row.target} or its autoscaler is not in ${namespace}.`)
  const objects = await slateObjects(cluster, signal)
  const space = stack.use(await createNamespace({ kube, runId, purpose: `scale-${row.target}`, signal }))
  const twin = await startCopy(kube, {
    objects,
    deployment: row.target,
    as: `${row.target}-twin`,
    namespace: space.name,
    runId,
    signal,
    // The node has hardly room for the originals at their maximum, and what a twin requests is nothing to what it uses.
    change: ({ spec }) => {
      for (const { resources } of spec.template.spec.containers)
        if (resources?.requests) resources.requests['cpu'] = '1m'
    },
  })
  const request = deployment.spec.template.spec.containers[0]?.resources?.requests?.['cpu']
  if (request === undefined) throw new CheckBroke(`The pods of ${row.target} request no CPU.`)
  const load = stack.use(
    execLoad(kube, {
      targets: [scaled(deployment), scaled(twin.deployment)],
      spread: row.min,
      signal,
    }),
  )
  const kept = stack.move()
  return {
    row,
    deployment: scaled(deployment),
    autoscaler: row.name,
    twin: scaled(twin.deployment),
    load,
    requestMillicores: millicores(request),
    behavior: wholeBehavior(row.behavior),
    differs: 'nothing: the original Deployment and its autoscaler',
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}
