import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { ObjectRef } from './client.ts'
import type { Http } from './http.ts'

/** A kind as the server serves it. */
export interface Resource {
  apiVersion: string
  kind: string
  /** Name in paths, such as `deployments`. */
  resource: string
  namespaced: boolean
  verbs: readonly string[]
  /** Whether its version comes first in its group. */
  preferred: boolean
}

export interface Discovery {
  /** The kind, or undefined when the server does not serve it. Asks the server once, and again for a kind not seen before. */
  find(type: { apiVersion: string; kind: string }, signal: AbortSignal): Promise<Resource | undefined>
  /** @throws LocalCloudError API_REFUSED when the server does not serve the kind */
  need(type: { apiVersion: string; kind: string }, signal: AbortSignal): Promise<Resource>
  all(signal: AbortSignal): Promise<Resource[]>
  /** Forgets what was seen; for when kinds were added. */
  forget(): void
}

/** One document per group instead of one request per version: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#aggregated-discovery */
const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'

interface GroupDiscovery {
  metadata: { name?: string }
  versions?: {
    version: string
    resources?: {
      resource: string
      responseKind?: { kind?: string }
      scope: 'Cluster' | 'Namespaced'
      verbs?: string[]
    }[]
  }[]
}

/** Kinds by apiVersion and kind, kept for as long as the client. */
export function discovery(http: Http): Discovery {
  let known: Promise<Map<string, Resource>> | undefined

  const ask = async (signal: AbortSignal): Promise<Map<string, Resource>> => {
    const lists = await Promise.all(
      ['/api', '/apis'].map((path) =>
        http.json<{ items?: GroupDiscovery[] }>({
          method: 'GET',
          path,
          accept: aggregated,
          signal,
          what: 'the served kinds',
        }),
      ),
    )
    const resources = lists.flatMap((list) => list.items ?? []).flatMap((group) => resourcesOf(group))
    return new Map(resources.map((resource) => [keyOf(resource), resource]))
  }

  const current = async (signal: AbortSignal): Promise<Map<string, Resource>> => {
    while (known) {
      const shared = known
      try {
        return await shared
      } catch {
        // Somebody else's question, which ended with somebody else's signal.
        if (known === shared) known = undefined
      }
    }
    known = ask(signal)
    return known
  }

  const find: Discovery['find'] = async (type, signal) => {
    const cached = known !== undefined
    const found = (await current(signal)).get(keyOf(type))
    if (found !== undefined || !cached) return found
    known = undefined
    return (await current(signal)).get(keyOf(type))
  }

  return {
    find,
    async need(type, signal) {
      const found = await find(type, signal)
      if (found) return found
      throw new LocalCloudError('API_REFUSED', {
        message: `The Kubernetes API does not serve the kind ${type.kind} of ${type.apiVersion}.`,
        hint: 'Is the add-on or the CustomResourceDefinition installed that brings it?',
        cause: { code: 404, reason: 'NotFound', message: 'kind not served', causes: [] },
      })
    },
    async all(signal) {
      return [...(await current(signal)).values()]
    },
    forget() {
      known = undefined
    },
  }
}

const keyOf = (type: { apiVersion: string; kind: string }): string => `${type.apiVersion} ${type.kind}`

function resourcesOf(group: GroupDiscovery): Resource[] {
  const name = group.metadata.name ?? ''
  return (group.versions ?? []).flatMap((version, index) =>
    (version.resources ?? []).flatMap((resource) => {
      const kind = resource.responseKind?.kind ?? ''
      if (kind === '') return []
      return [
        {
          apiVersion: name === '' ? version.version : `${name}/${version.version}`,
          kind,
          resource: resource.resource,
          namespaced: resource.scope === 'Namespaced',
          verbs: resource.verbs ?? [],
          preferred: index === 0,
        },
      ]
    }),
  )
}

/** Path of one object, or of the list of its kind when there is no name. */
export function pathOf(resource: Resource, at: { namespace?: string; name?: string }): string {
  const root = resource.apiVersion.includes('/')
    ? `/apis/${resource.apiVersion}`
    : `/api/${resource.apiVersion}`
  const scope =
    resource.namespaced && at.namespace !== undefined ? `/namespaces/${encodeURIComponent(at.namespace)}` : ''
  const name = at.name === undefined ? '' : `/${encodeURIComponent(at.name)}`
  return `${root}${scope}/${resource.resource}${name}`
}

/** `Deployment slate/core`, for messages. */
export const words = (ref: Omit<ObjectRef, 'apiVersion'>): string =>
  `${ref.kind} ${ref.namespace === undefined ? '' : `${ref.namespace}/`}${ref.name}`
