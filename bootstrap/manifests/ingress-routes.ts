import type { KubeObject } from '../kube/client.ts'

/** A path of an Ingress as it stands there. */
export interface IngressRoute {
  namespace: string
  /** Absent for any host name. */
  host: string | undefined
  path: string
  /** Service behind it; absent for another kind of backend. */
  service: string | undefined
}

interface IngressSpec {
  rules?: {
    host?: string
    http?: { paths?: { path?: string; backend?: { service?: { name?: string } } }[] }
  }[]
}

/** Every path of every rule of the Ingresses among these objects, in their order. Pure. */
export const ingressRoutes = (objects: readonly KubeObject[]): IngressRoute[] =>
  objects
    .filter(({ kind }) => kind === 'Ingress')
    .flatMap(({ metadata: { namespace = '' }, spec }) =>
      ((spec as IngressSpec | undefined)?.rules ?? []).flatMap(({ host, http }) =>
        (http?.paths ?? []).map(({ path = '/', backend }) => ({
          namespace,
          host,
          path,
          service: backend?.service?.name,
        })),
      ),
    )
