import { refused, statusOf } from './api-status.ts'
import type { KubeClient } from './client.ts'
import { byTime, eventLine } from './event-line.ts'

/**
 * The same error, or for a pod that is not there one that ends with its last event: what displaced, evicted or deleted it. Other errors, and
 * those of a pod of which nothing is known, are returned as they are.
 */
export async function withLastEvent(
  error: unknown,
  what: string,
  options: { kube: Pick<KubeClient, 'list'>; namespace: string; name: string; signal: AbortSignal },
): Promise<unknown> {
  const status = statusOf(error)
  if (status?.code !== 404) return error
  const { kube, namespace, name, signal } = options
  try {
    const events = await kube.list(
      {
        apiVersion: 'v1',
        kind: 'Event',
        namespace,
        fieldSelector: `involvedObject.kind=Pod,involvedObject.name=${name}`,
      },
      signal,
    )
    const last = byTime(events).at(-1)
    if (last === undefined) return error
    return refused(what, { ...status, message: `${status.message}; its last event: ${eventLine(last)}` })
  } catch {
    // What was asked for has failed already; that is what is told.
    return error
  }
}
