import { LocalCloudError } from '../../bootstrap/errors/local-cloud-error.ts'
import { statusOf } from '../../bootstrap/kube/api-status.ts'
import type { KubeClient, KubeObject } from '../../bootstrap/kube/client.ts'
import { eventually } from './eventually.ts'

/**
 * Applies a pod, and waits for room where the quota of its namespace is used up for the moment: a scheduled run or an autoscaler may have
 * the last place. Any other refusal is thrown as it is.
 * @throws ExpectationFailed with what the quota said when there was no room in time
 */
export async function applyWhenRoom(
  kube: Pick<KubeClient, 'apply'>,
  pod: KubeObject,
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
): Promise<void> {
  let refusal: LocalCloudError | undefined
  await eventually(
    `room for pod ${pod.metadata.namespace ?? ''}/${pod.metadata.name}`,
    async (stop) => {
      try {
        await kube.apply([pod], { signal: stop, dryRun: 'skip' })
        return { ok: true, seen: 'made' }
      } catch (error) {
        stop.throwIfAborted()
        const message = statusOf(error)?.message ?? ''
        if (/exceeded quota/.test(message)) return { ok: false, seen: message }
        if (!(error instanceof LocalCloudError)) throw error
        refusal = error
        return { ok: true, seen: message }
      }
    },
    { timeoutMs, intervalMs: 1_000, signal },
  )
  if (refusal) throw refusal
}
