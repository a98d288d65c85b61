import { createHash } from 'node:crypto'
import { LocalCloudError } from '../../bootstrap/errors/local-cloud-error.ts'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { selectorQuery } from '../../bootstrap/kube/label-selector.ts'
import { readContract, type DeploymentRow } from '../../manifests/slate/contract.ts'
import type { Cluster } from './cluster.ts'
import { request, type HttpOutcome } from './http-client.ts'
import { isReady } from './is-ready.ts'
import { CheckBroke } from './verdict.ts'

const contract = readContract()
const namespace = contract.namespace.name

/** A pod as the suites read it. */
export interface PodOfSlate {
  name: string
  uid: string
  ip: string
  ready: boolean
  restarts: number
  annotations: Record<string, string>
  object: KubeObject
}

interface PodStatus {
  podIP?: string
  containerStatuses?: { restartCount: number }[]
}

/** Reads a Pod object. */
export function podOf(object: KubeObject): PodOfSlate {
  const status = (object['status'] ?? {}) as PodStatus
  return {
    name: object.metadata.name,
    uid: object.metadata.uid ?? '',
    ip: status.podIP ?? '',
    ready: isReady(object),
    restarts: (status.containerStatuses ?? []).reduce((sum, { restartCount }) => sum + restartCount, 0),
    annotations: object.metadata.annotations ?? {},
    object,
  }
}

/** Pods with these labels that are not being deleted, by name. */
export async function podsWith(
  { kube }: Pick<Cluster, 'kube'>,
  where: { namespace: string; labels: Readonly<Record<string, string>> },
  signal: AbortSignal,
): Promise<PodOfSlate[]> {
  const labelSelector = selectorQuery({ matchLabels: where.labels })
  const pods = await kube.list(
    { apiVersion: 'v1', kind: 'Pod', namespace: where.namespace, labelSelector },
    signal,
  )
  return pods
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map(podOf)
    .sort((a, b) => a.name.localeCompare(b.name))
}

/** The pods of a Deployment of the contract, by their component. */
export const podsOfRow = (
  cluster: Pick<Cluster, 'kube'>,
  row: Pick<DeploymentRow, 'component'>,
  signal: AbortSignal,
): Promise<PodOfSlate[]> =>
  podsWith(cluster, { namespace, labels: { 'app.kubernetes.io/component': row.component } }, signal)

/** One pod of a Deployment of the contract that is ready. @throws CheckBroke when there is none */
export async function readyPodOf(
  cluster: Pick<Cluster, 'kube'>,
  row: Pick<DeploymentRow, 'component' | 'name'>,
  signal: AbortSignal,
): Promise<PodOfSlate> {
  const found = (await podsOfRow(cluster, row, signal)).find(({ ready }) => ready)
  if (!found) throw new CheckBroke(`No pod of ${row.name} is ready.`)
  return found
}

/**
 * Runs a JavaScript expression in a pod of SLATE's own, whose image has Node, and returns its value, which crosses as JSON. `input` is
 * what the expression finds under that name.
 * @throws CheckBroke when it does not end well, with what it said
 */
export async function evaluateIn<T>(
  { kube }: Pick<Cluster, 'kube'>,
  pod: { namespace?: string; name: string },
  expression: string,
  input: unknown,
  signal: AbortSignal,
): Promise<T> {
  const script = `const input = JSON.parse(process.argv[1]); (async () => ${expression})().then((value) => process.stdout.write(JSON.stringify(value)))`
  const result = await kube.exec(
    { namespace: pod.namespace ?? namespace, name: pod.name },
    ['node', '-e', script, JSON.stringify(input)],
    { signal },
  )
  if (result.exitCode !== 0)
    throw new CheckBroke(
      `node in pod ${pod.name} ended with ${String(result.exitCode)}: ${result.stderr.slice(-400)}`,
    )
  return JSON.parse(result.stdout) as T
}

/** How long the connection to a pod, and the answer to one request over it, may take on a busy machine, milliseconds. */
const patienceMs = 20_000

/**
 * One request to a port of a pod, over a connection that the API server forwards: no policy and no Service is on the way. A GET, or a POST
 * of JSON where there is a body, unless another method is named. `could-not-run` where the connection could not be had.
 */
export async function requestPod(
  { kube }: Pick<Cluster, 'kube'>,
  pod: { namespace?: string; name: string },
  port: number,
  path: string,
  signal: AbortSignal,
  body?: unknown,
  method = body === undefined ? 'GET' : 'POST',
): Promise<HttpOutcome> {
  const target = { namespace: pod.namespace ?? namespace, name: pod.name }
  const started = performance.now()
  const connection = await kube
    .portForward(target, port, { signal, openTimeoutMs: patienceMs })
    .catch((error: unknown): HttpOutcome => {
      signal.throwIfAborted()
      if (!(error instanceof LocalCloudError)) throw error
      return {
        kind: 'could-not-run',
        detail: error.message,
        ms: Math.round(performance.now() - started),
      }
    })
  if ('kind' in connection) return connection
  try {
    return await request(`http://127.0.0.1:${String(port)}${path}`, {
      connection,
      method,
      timeoutMs: patienceMs,
      signal,
      ...(body === undefined
        ? {}
        : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    })
  } finally {
    connection.destroy()
  }
}

/** By what a value is compared that must not show up in a report. */
export const sha256 = (value: string | Buffer): string => createHash('sha256').update(value).digest('hex')
