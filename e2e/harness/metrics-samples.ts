import { z } from 'zod'
import { apiStatus, refused } from '../../bootstrap/kube/api-status.ts'
import type { KubeClient, KubeObject } from '../../bootstrap/kube/client.ts'
import { quantity } from '../../bootstrap/manifests/quantity.ts'
import { eventually } from './eventually.ts'
import { duration, type Look, type Pace } from './look.ts'
import { CheckBroke, ExpectationFailed, NotProven } from './verdict.ts'

/** What metrics-server measured of one pod. */
export interface PodSample {
  pod: string
  /** When the measured window ended, milliseconds since the Unix epoch. */
  atMs: number
  /** Length of the window over which CPU was averaged, milliseconds. */
  windowMs: number
  /** Of all its containers, in thousandths of a CPU. */
  cpuMilli: number
  memoryBytes: number
}

/** A sample older than this is not of now: scraped every 10 s, and the kubelet's own numbers are up to 20 s old. Milliseconds. */
export const freshMs = 45_000

const amount = z.string().transform(quantity)
const podMetrics = z.object({
  metadata: z.object({ name: z.string() }),
  timestamp: z.string().transform((text) => Date.parse(text)),
  window: z.string().transform(goDurationMs),
  containers: z.array(z.object({ usage: z.object({ cpu: amount, memory: amount }) })),
})

/** `1m10.5s` as metrics-server writes it, in milliseconds. NaN for anything else. */
export function goDurationMs(text: string): number {
  const match = /^(?:(\d+)h)?(?:(\d+)m)?(?:([\d.]+)s)?$/.exec(text)
  if (!match || text === '') return NaN
  const [, hours = '0', minutes = '0', seconds = '0'] = match
  return ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000
}

/**
 * The samples of a namespace's pods, in no order; a pod without one is not among them.
 * @throws CheckBroke when the metrics API does not answer, or answers something else
 */
export async function podSamples(
  kube: Pick<KubeClient, 'raw'>,
  namespace: string,
  signal: AbortSignal,
): Promise<PodSample[]> {
  const { status, body } = await kube.raw(`/apis/metrics.k8s.io/v1beta1/namespaces/${namespace}/pods`, signal)
  if (status !== 200)
    throw new CheckBroke(`The metrics API answered ${String(status)}: ${body.trim().slice(0, 200)}`, {
      // It may answer a moment later, for which `eventually` waits.
      ...(status >= 500 || status === 429
        ? { cause: refused('the metrics API', apiStatus(status, body)) }
        : {}),
    })
  const parsed = z.object({ items: z.array(podMetrics) }).safeParse(JSON.parse(body))
  if (!parsed.success)
    throw new CheckBroke('The metrics API answered something that is no list of PodMetrics.')
  return parsed.data.items.map(({ metadata, timestamp, window, containers }) => ({
    pod: metadata.name,
    atMs: timestamp,
    windowMs: window,
    cpuMilli: Math.round(containers.reduce((sum, { usage }) => sum + usage.cpu, 0) * 1000),
    memoryBytes: containers.reduce((sum, { usage }) => sum + usage.memory, 0),
  }))
}

interface ReadyPod {
  name: string
  /** When it became ready, milliseconds since the Unix epoch. */
  sinceMs: number
}

/** Pods that are ready and stay, with since when. */
function readyPods(pods: readonly KubeObject[]): ReadyPod[] {
  return pods.flatMap(({ metadata, ['status']: status }) => {
    const { conditions = [] } = (status ?? {}) as {
      conditions?: { type: string; status: string; lastTransitionTime: string }[]
    }
    const ready = conditions.find((one) => one.type === 'Ready' && one.status === 'True')
    return ready === undefined || metadata.deletionTimestamp !== undefined
      ? []
      : [{ name: metadata.name, sinceMs: Date.parse(ready.lastTransitionTime) }]
  })
}

/**
 * Whether every pod of the namespace that has been ready for `freshMs` has a sample younger than that. Not ok without such a pod, because
 * then nothing was measured.
 * @throws CheckBroke when the metrics API does not answer
 */
export async function metricsFresh(
  kube: Pick<KubeClient, 'raw' | 'list'>,
  namespace: string,
  signal: AbortSignal,
): Promise<Look> {
  const [pods, samples] = await Promise.all([
    kube.list({ apiVersion: 'v1', kind: 'Pod', namespace }, signal),
    podSamples(kube, namespace, signal),
  ])
  const now = Date.now()
  const settled = readyPods(pods).filter(({ sinceMs }) => now - sinceMs > freshMs)
  const ages = settled.map(({ name }) => ({
    name,
    ageMs: now - (samples.find(({ pod }) => pod === name)?.atMs ?? -Infinity),
  }))
  const stale = ages.filter(({ ageMs }) => !(ageMs < freshMs))
  const oldest = Math.max(0, ...ages.map(({ ageMs }) => ageMs))
  if (settled.length === 0)
    return { ok: false, seen: `no pod in ${namespace} has been ready for ${duration(freshMs)}` }
  return stale.length === 0
    ? { ok: true, seen: `${String(ages.length)} pods in ${namespace}, oldest sample ${duration(oldest)} old` }
    : { ok: false, seen: stale.map(describeStale).join(', ') }
}

const describeStale = ({ name, ageMs }: { name: string; ageMs: number }): string =>
  `${name}: ${Number.isFinite(ageMs) ? `a sample of ${duration(ageMs)} ago` : 'no sample'}`

/**
 * Waits until `metricsFresh` holds: in a namespace that was just filled a pod has to be ready for a while first. Returns what was seen.
 * @throws NotProven when it does not in time
 */
export async function requireFresh(
  kube: Pick<KubeClient, 'raw' | 'list'>,
  namespace: string,
  pace: Pace,
): Promise<string> {
  return await orNotProven(
    eventually(`fresh samples in ${namespace}`, (signal) => metricsFresh(kube, namespace, signal), pace),
  )
}

/**
 * Waits until so many pods with these labels are ready and each has a sample whose whole window lies after it became ready: what an
 * autoscaler asks for before it counts a new pod. Returns what was seen.
 * @throws NotProven when the samples do not come in time: then nothing can be said about an autoscaler
 */
export async function requireSamples(
  kube: Pick<KubeClient, 'raw' | 'list'>,
  { namespace, labelSelector, pods: count }: { namespace: string; labelSelector: string; pods: number },
  pace: Pace,
): Promise<string> {
  return await orNotProven(
    eventually(
      `samples of ${labelSelector} in ${namespace}`,
      async (signal) => {
        const [pods, samples] = await Promise.all([
          kube.list({ apiVersion: 'v1', kind: 'Pod', namespace, labelSelector }, signal),
          podSamples(kube, namespace, signal),
        ])
        return judgeSamples(readyPods(pods), samples, count)
      },
      pace,
    ),
  )
}

/** Without samples nothing can be said about an autoscaler, for or against it. */
async function orNotProven(samples: Promise<string>): Promise<string> {
  try {
    return await samples
  } catch (error) {
    if (error instanceof ExpectationFailed)
      throw new NotProven(`No samples: ${error.message}`, { cause: error })
    throw error
  }
}

function judgeSamples(ready: readonly ReadyPod[], samples: readonly PodSample[], count: number): Look {
  const measured = ready.flatMap(({ name, sinceMs }) => {
    const sample = samples.find(({ pod }) => pod === name)
    return sample && sample.atMs >= sinceMs + sample.windowMs ? [sample] : []
  })
  const seen = `${String(ready.length)} of ${String(count)} pods ready, ${String(measured.length)} measured since${measured
    .map(({ pod, cpuMilli }) => ` ${pod} ${String(cpuMilli)}m`)
    .join(',')}`
  return { ok: ready.length >= count && measured.length === ready.length, seen }
}
