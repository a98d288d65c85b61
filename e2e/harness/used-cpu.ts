import type { KubeClient } from '../../bootstrap/kube/client.ts'
import { eventually } from './eventually.ts'
import { podSamples } from './metrics-samples.ts'
import type { ScaledDeployment, ScalingSubject } from './scaling-subject.ts'
import { CheckBroke, ExpectationFailed, NotProven } from './verdict.ts'

/** How long a new measurement takes to reach an autoscaler: the kubelet's 15 s, metrics-server's 10 s, the sync's 15 s, and reserve. */
export const measuredMs = 75_000

/** Average CPU of a Deployment's pods in percent of what the subject's pods request, by their samples. @throws CheckBroke without any */
export async function usedPercent(
  kube: KubeClient,
  { namespace, labelSelector }: ScaledDeployment,
  { requestMillicores }: ScalingSubject,
  signal: AbortSignal,
): Promise<number> {
  const pods = await kube.list({ apiVersion: 'v1', kind: 'Pod', namespace, labelSelector }, signal)
  const names = new Set(pods.map(({ metadata }) => metadata.name))
  const used = (await podSamples(kube, namespace, signal)).filter(({ pod }) => names.has(pod))
  if (used.length === 0) throw new CheckBroke(`There are no samples of ${labelSelector} in ${namespace}.`)
  return Math.round(
    (used.reduce((sum, { cpuMilli }) => sum + cpuMilli, 0) / used.length / requestMillicores) * 100,
  )
}

/** Waits until the twin, whose size does not change, uses so much of its request. @throws NotProven when it does not get there in `measuredMs` */
export async function requireUsed(
  kube: KubeClient,
  subject: ScalingSubject,
  percent: number,
  signal: AbortSignal,
): Promise<void> {
  await eventually(
    `the twin of ${subject.row.target} uses ${String(Math.round(percent))} % of its request`,
    async (stop) => {
      const used = await usedPercent(kube, subject.twin, subject, stop)
      return { ok: used >= percent, seen: `${String(used)} %` }
    },
    { timeoutMs: measuredMs, intervalMs: 2_000, signal },
  ).catch((error: unknown) => {
    throw error instanceof ExpectationFailed
      ? new NotProven(`More load could not be brought about: ${error.message}`, { cause: error })
      : error
  })
}
