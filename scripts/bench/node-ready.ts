import type { Condition, KubeClient } from '../../bootstrap/kube/client.ts'

const nodeReady: Condition = (node) => {
  const conditions = (node?.['status'] as { conditions?: { type: string; status: string }[] } | undefined)
    ?.conditions
  const ready = conditions?.find(({ type }) => type === 'Ready')?.status
  return ready === 'True' ? { met: true, seen: 'Ready' } : { met: false, seen: ready ?? 'no such condition' }
}

/** Watches a node and returns the time of day at which it was seen Ready, milliseconds. */
export async function nodeReadyAt(kube: KubeClient, name: string, signal: AbortSignal): Promise<number> {
  await kube.waitFor({ apiVersion: 'v1', kind: 'Node', name }, nodeReady, { timeoutMs: 10 * 60_000, signal })
  return Date.now()
}
