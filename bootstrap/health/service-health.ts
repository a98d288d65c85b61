import type { KubeObject } from '../kube/client.ts'
import { podReady } from '../kube/conditions/pod-ready.ts'
import { as, type PodShape } from '../kube/shapes.ts'

/** A pod behind a Service. */
export interface PodHealth {
  name: string
  ready: boolean
  /** Restarts of all its containers together. */
  restarts: number
  /** Its state, or why it is not ready. */
  words: string
}

/** A Service and what answers behind it. */
export interface ServiceHealth {
  namespace: string
  name: string
  ports: number[]
  /** Endpoints that get connections, of all that its selector finds. */
  ready: number
  total: number
  pods: PodHealth[]
}

interface SliceShape {
  endpoints?: {
    addresses?: string[]
    conditions?: { ready?: boolean }
    targetRef?: { kind?: string; name?: string }
  }[]
}

/** Label by which a slice names its Service. */
export const serviceNameLabel = 'kubernetes.io/service-name'

/** Each Service with its endpoints, as the slices of its name tell them, and the pods that those are. Pure. */
export function serviceHealth(
  services: readonly KubeObject[],
  slices: readonly KubeObject[],
  pods: readonly KubeObject[],
): ServiceHealth[] {
  return services.map((service) => {
    const { name, namespace = '' } = service.metadata
    const own = slices.filter(
      ({ metadata }) => metadata.namespace === namespace && metadata.labels?.[serviceNameLabel] === name,
    )
    // A pod is in one slice for each family of addresses and each set of ports.
    const endpoints = new Map<string, { ready: boolean; pod: string | undefined }>()
    for (const endpoint of own.flatMap((slice) => as<SliceShape>(slice).endpoints ?? [])) {
      const pod = endpoint.targetRef?.kind === 'Pod' ? endpoint.targetRef.name : undefined
      // Absent means unknown, which counts as ready: the EndpointSlice API.
      endpoints.set(pod ?? endpoint.addresses?.join() ?? '', {
        ready: endpoint.conditions?.ready ?? true,
        pod,
      })
    }
    const behind = new Set([...endpoints.values()].flatMap(({ pod }) => pod ?? []))
    const { ports = [] } = as<{ spec?: { ports?: { port: number }[] } }>(service).spec ?? {}
    return {
      namespace,
      name,
      ports: ports.map(({ port }) => port),
      ready: [...endpoints.values()].filter(({ ready }) => ready).length,
      total: endpoints.size,
      pods: pods
        .filter(({ metadata }) => metadata.namespace === namespace && behind.has(metadata.name))
        .map(podHealth)
        .sort((a, b) => a.name.localeCompare(b.name)),
    }
  })
}

function podHealth(pod: KubeObject): PodHealth {
  const { met, seen } = podReady(pod)
  const statuses = as<PodShape>(pod).status?.containerStatuses ?? []
  return {
    name: pod.metadata.name,
    ready: met,
    restarts: statuses.reduce((sum, { restartCount = 0 }) => sum + restartCount, 0),
    words: seen,
  }
}
