import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { abortedError } from './aborted.ts'
import { apiStatus, refused } from './api-status.ts'
import { apply, fieldManager } from './apply.ts'
import type { ConnectedKube, KubeObject, ObjectRef } from './client.ts'
import { absent } from './conditions/absent.ts'
import { connectionFrom } from './connection.ts'
import { discovery, pathOf, words } from './discovery.ts'
import { exec } from './exec.ts'
import { withLastEvent } from './gone-pod.ts'
import { http } from './http.ts'
import { portForward } from './port-forward.ts'
import { rehearse } from './rehearse.ts'
import { as, type PodShape } from './shapes.ts'
import { waitFor, waitForList } from './wait.ts'
import { listed } from './watch.ts'

/**
 * A client for the cluster of a kubeconfig's context, default its current one; the kubeconfig is a file or a text. Nothing is sent yet; requests are repeated
 * while the API does not answer, until their signal ends them.
 * @throws LocalCloudError BAD_KUBECONFIG
 */
export async function connect(
  options: ({ kubeconfigFile: string } | { kubeconfig: string }) & { context?: string; signal: AbortSignal },
): Promise<ConnectedKube> {
  if (options.signal.aborted) throw abortedError(options.signal)
  const connection = await connectionFrom(
    'kubeconfig' in options ? { text: options.kubeconfig } : { file: options.kubeconfigFile },
    options.context,
  )
  const web = http(connection)
  const kinds = discovery(web)
  const deps = { http: web, discovery: kinds }

  const containerOf = async (
    pod: { namespace: string; name: string; container?: string },
    signal: AbortSignal,
  ): Promise<string> => {
    if (pod.container !== undefined) return pod.container
    const ref = { apiVersion: 'v1', kind: 'Pod', namespace: pod.namespace, name: pod.name }
    const found = await client.get(ref, signal)
    const container =
      found?.metadata.annotations?.['kubectl.kubernetes.io/default-container'] ??
      (found && as<PodShape>(found).spec?.containers?.[0]?.name)
    if (container !== undefined) return container
    throw refused(words(ref), { code: 404, reason: 'NotFound', message: 'there is no such pod', causes: [] })
  }

  const client: ConnectedKube = {
    context: connection.context,

    apply: (objects, applyOptions) => apply(deps, objects, applyOptions),

    async get(ref, signal) {
      const resource = await kinds.need(ref, signal)
      const answer = await web.send({
        method: 'GET',
        path: pathOf(resource, named(ref, resource)),
        signal,
        what: words(ref),
      })
      if (answer.status === 404) return undefined
      if (answer.status >= 300) throw refused(`GET ${words(ref)}`, apiStatus(answer.status, answer.body))
      return JSON.parse(answer.body) as KubeObject
    },

    async list(query, signal) {
      const { objects } = await listed(web, await kinds.need(query, signal), query, signal)
      return [...objects.values()]
    },

    async delete(ref, { signal, wait = false, gracePeriodSeconds }) {
      const resource = await kinds.find(ref, signal)
      if (resource === undefined) return
      const answer = await web.send({
        method: 'DELETE',
        path: pathOf(resource, named(ref, resource)),
        body: {
          apiVersion: 'v1',
          kind: 'DeleteOptions',
          propagationPolicy: 'Foreground',
          ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
        },
        signal,
        what: words(ref),
      })
      if (answer.status === 404) return
      // A namespace that is being deleted already answers 409.
      if (answer.status >= 300 && answer.status !== 409) {
        throw refused(`DELETE ${words(ref)}`, apiStatus(answer.status, answer.body))
      }
      if (!wait) return
      const uid = deletedUid(answer.body)
      await client.waitFor(
        ref,
        (object) =>
          uid !== undefined && object !== undefined && object.metadata.uid !== uid
            ? absent(undefined)
            : absent(object),
        { timeoutMs: longestMs, signal },
      )
    },

    async patch(ref, patch, { signal, subresource }) {
      const resource = await kinds.need(ref, signal)
      const path =
        pathOf(resource, named(ref, resource)) + (subresource === undefined ? '' : `/${subresource}`)
      const send = (contentType: string): Promise<{ status: number; body: string }> =>
        web.send({
          method: 'PATCH',
          path,
          query: { fieldManager, fieldValidation: 'Strict' },
          contentType,
          body: patch,
          signal,
          what: words(ref),
        })
      let answer = await send(
        Array.isArray(patch) ? 'application/json-patch+json' : 'application/strategic-merge-patch+json',
      )
      // Kinds that CustomResourceDefinitions bring have no strategy.
      if (answer.status === 415) answer = await send('application/merge-patch+json')
      if (answer.status >= 300) throw refused(`PATCH ${words(ref)}`, apiStatus(answer.status, answer.body))
      return JSON.parse(answer.body) as KubeObject
    },

    waitFor: (ref, condition, waitOptions) =>
      waitFor({ ...deps, reader: client }, ref, condition, waitOptions),
    waitForList: (query, condition, waitOptions) =>
      waitForList({ ...deps, reader: client }, query, condition, waitOptions),

    async exec(pod, argv, { signal, stdin }) {
      const container = await containerOf(pod, signal)
      const { namespace, name } = pod
      const what = `exec in Pod ${namespace}/${name}`
      const spec = { namespace, name, container, argv, signal, ...(stdin === undefined ? {} : { stdin }) }
      try {
        return await exec(connection, what, spec)
      } catch (error) {
        throw await withLastEvent(error, what, { kube: client, namespace, name, signal })
      }
    },

    async logs(pod, signal) {
      const container = await containerOf(pod, signal)
      const what = `logs of Pod ${pod.namespace}/${pod.name}, container ${container}`
      const answer = await web.send({
        method: 'GET',
        path: `/api/v1/namespaces/${encodeURIComponent(pod.namespace)}/pods/${encodeURIComponent(pod.name)}/log`,
        query: {
          container,
          previous: pod.previous === true ? 'true' : undefined,
          tailLines: pod.tailLines === undefined ? undefined : String(pod.tailLines),
        },
        accept: '*/*',
        signal,
        what,
      })
      if (answer.status >= 300) throw refused(what, apiStatus(answer.status, answer.body))
      return answer.body
    },

    portForward: ({ namespace, name }, port, forwardOptions) =>
      portForward(connection, { namespace, name, port, ...forwardOptions }),

    rehearse: (object, rehearseOptions) => rehearse(deps, object, rehearseOptions),

    raw: (path, signal) => web.sendOnce({ method: 'GET', path, accept: '*/*', signal }),

    async listableKinds(signal) {
      const all = await kinds.all(signal)
      return all
        .filter((resource) => resource.preferred && resource.verbs.includes('list'))
        .map(({ apiVersion, kind, resource, namespaced, verbs }) => ({
          apiVersion,
          kind,
          resource,
          namespaced,
          deletable: verbs.includes('delete'),
        }))
        .sort((a, b) => a.apiVersion.localeCompare(b.apiVersion) || a.kind.localeCompare(b.kind))
    },

    close: () => {
      connection.close()
    },
  }
  return client
}

/** Milliseconds a timer can hold; the caller's signal ends the wait. */
const longestMs = 2 ** 31 - 1

/** What names the object in a path. @throws LocalCloudError INTERNAL when a namespaced kind is asked for without a namespace */
function named(ref: ObjectRef, resource: { namespaced: boolean }): { namespace?: string; name: string } {
  if (resource.namespaced && ref.namespace === undefined) {
    throw new LocalCloudError('INTERNAL', {
      message: `${ref.kind} ${ref.name} was asked for without a namespace.`,
    })
  }
  return { name: ref.name, ...(ref.namespace === undefined ? {} : { namespace: ref.namespace }) }
}

/** A deletion answers with the object, when it stays for a while, or with a Status that names its uid. */
function deletedUid(body: string): string | undefined {
  const answer = JSON.parse(body) as {
    kind?: string
    code?: number
    metadata?: { uid?: string }
    details?: { uid?: string }
  }
  return answer.metadata?.uid ?? answer.details?.uid
}
