import { z } from 'zod'
import type { Probe } from '../../../bootstrap/addons/addon.ts'
import { eventually, type Look } from '../../../bootstrap/addons/probing/eventually.ts'
import { startShellPods } from '../../../bootstrap/addons/probing/shell-pods.ts'

/** Two scrapes 10 s apart make the first sample of a new pod, on top of the kubelet's own 10 s; the rest is reserve. */
const sampleMs = 75_000

/** Some work every second, so that there is something to measure, and far from a whole core. */
const script = 'while :; do n=0; while [ $n -lt 3000 ]; do n=$((n+1)); done; sleep 1; done'

const podMetrics = z.object({
  timestamp: z.string(),
  containers: z.array(
    z.object({ name: z.string(), usage: z.object({ cpu: z.string(), memory: z.string() }) }),
  ),
})

/** A sample with CPU and memory exists for a named pod, and it was taken after that pod started. */
export const probe: Probe = async (context) => {
  const { kube, namespace, signal } = context
  const [pod] = await startShellPods(context, [{ name: 'measured', script }])
  const outcome = await eventually(
    async () =>
      judge(
        await kube.raw(`/apis/metrics.k8s.io/v1beta1/namespaces/${namespace}/pods/${pod.name}`, signal),
        pod.startedAt,
      ),
    { timeoutMs: sampleMs, signal, intervalMs: 1_000 },
  )
  return outcome.met ? { result: 'pass', seen: outcome.value } : { result: 'fail', seen: outcome.seen }
}

function judge({ status, body }: { status: number; body: string }, startedAt: string): Look<string> {
  if (status !== 200)
    return {
      met: false,
      seen: `the metrics API answered ${String(status)} for the pod: ${body.trim().slice(0, 200)}`,
    }
  const parsed = podMetrics.safeParse(asJson(body))
  if (!parsed.success)
    return { met: false, seen: 'the metrics API answered something that is not PodMetrics' }
  const { timestamp, containers } = parsed.data
  const usage = containers.find(({ name }) => name === 'shell')?.usage
  if (usage === undefined) return { met: false, seen: 'the sample lacks the container' }
  if (!(Date.parse(timestamp) > Date.parse(startedAt))) {
    return {
      met: false,
      seen: `the sample is of ${timestamp}, the pod started at ${startedAt || 'an unknown time'}`,
    }
  }
  if (Number.parseFloat(usage.memory) <= 0 || !/^\d/.test(usage.cpu)) {
    return { met: false, seen: `the sample says cpu ${usage.cpu}, memory ${usage.memory}` }
  }
  return { met: true, value: `pod measured: cpu ${usage.cpu}, memory ${usage.memory}, sampled ${timestamp}` }
}

function asJson(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}
