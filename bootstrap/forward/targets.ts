import type { KubeObject } from '../kube/client.ts'
import { as } from '../kube/shapes.ts'

/** Where a connection can be led: a ready pod and the port in it. */
export interface Target {
  pod: string
  port: number
}

/** The port of a Service that is forwarded. */
export interface ServicePort {
  namespace: string
  service: string
  /** Name of the port in the Service; empty for a port without one. */
  portName: string
}

interface SliceShape {
  ports?: { name?: string | null; port?: number }[]
  endpoints?: { conditions?: { ready?: boolean }; targetRef?: { kind?: string; name?: string } }[]
}

/**
 * The ready pods behind a port of a Service, with the number that the port has in the pod, sorted by name. Read from endpoint
 * slices, where the API server's own controllers have resolved selector, readiness and named ports. Pure.
 */
export function targetsOf(
  slices: readonly KubeObject[],
  { namespace, service, portName }: ServicePort,
): Target[] {
  const targets = new Map<string, Target>()
  for (const slice of slices) {
    const { labels, namespace: at } = slice.metadata
    if (at !== namespace || labels?.['kubernetes.io/service-name'] !== service) continue
    const { ports = [], endpoints = [] } = as<SliceShape>(slice)
    const port = ports.find(({ name }) => (name ?? '') === portName)?.port
    if (port === undefined) continue
    for (const { conditions, targetRef } of endpoints) {
      if (targetRef?.kind === 'Pod' && targetRef.name !== undefined && (conditions?.ready ?? true))
        targets.set(targetRef.name, { pod: targetRef.name, port })
    }
  }
  return [...targets.values()].sort((a, b) => a.pod.localeCompare(b.pod))
}
