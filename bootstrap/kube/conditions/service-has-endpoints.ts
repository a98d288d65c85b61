import type { KubeObject, ListCondition, ListQuery } from '../client.ts'
import { as } from '../shapes.ts'

interface EndpointSliceShape {
  endpoints?: { addresses?: string[]; conditions?: { ready?: boolean; serving?: boolean } }[]
}

/** The list that `serviceHasEndpoints` judges: `kube.waitForList(endpointSlicesOf(service), serviceHasEndpoints(), …)`. */
export const endpointSlicesOf = (service: { namespace: string; name: string }): ListQuery => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  namespace: service.namespace,
  labelSelector: `kubernetes.io/service-name=${service.name}`,
})

/** Met when at least `least` addresses behind a Service are ready. An address whose readiness is unknown counts, as proxies have it. */
export const serviceHasEndpoints =
  (least = 1): ListCondition =>
  (slices) => {
    const endpoints = slices.flatMap((slice: KubeObject) => as<EndpointSliceShape>(slice).endpoints ?? [])
    const ready = endpoints
      .filter((endpoint) => endpoint.conditions?.ready !== false)
      .reduce((sum, endpoint) => sum + (endpoint.addresses?.length ?? 0), 0)
    const total = endpoints.reduce((sum, endpoint) => sum + (endpoint.addresses?.length ?? 0), 0)
    return { met: ready >= least, seen: `${String(ready)} of ${String(total)} endpoints ready` }
  }
