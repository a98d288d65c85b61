import { apiStatus } from './api-status.ts'
import { sendApply } from './apply.ts'
import type { KubeObject, ObjectRef, Rehearsal, RehearsedAs } from './client.ts'
import { pathOf, words, type Discovery } from './discovery.ts'
import type { Http } from './http.ts'

/**
 * `ConnectedKube.rehearse`: a server-side apply as a dry run, with everything that applying would go through: defaults, validation,
 * admission, quota. The answer of a refusal is returned, not thrown.
 * @throws LocalCloudError API_REFUSED when the server does not serve the kind, API_UNREACHABLE
 */
export async function rehearse(
  deps: { http: Http; discovery: Discovery },
  object: KubeObject,
  options: { signal: AbortSignal; as?: RehearsedAs },
): Promise<Rehearsal> {
  const { signal, as } = options
  const resource = await deps.discovery.need(object, signal)
  const { name } = object.metadata
  const namespace = object.metadata.namespace ?? (resource.namespaced ? 'default' : undefined)
  const ref: ObjectRef = {
    apiVersion: object.apiVersion,
    kind: object.kind,
    name,
    ...(namespace === undefined ? {} : { namespace }),
  }
  const at = { ...ref, ...(resource.namespaced ? as : { name: as?.name ?? name }) }
  const [live, answer] = await Promise.all([
    as === undefined
      ? deps.http.send({ method: 'GET', path: pathOf(resource, ref), signal, what: words(ref) })
      : undefined,
    sendApply(deps.http, resource, at, object, { dryRun: 'All' }, signal),
  ])
  const base = {
    ref,
    warnings: answer.warnings ?? [],
    ...(live?.status === 200 ? { live: JSON.parse(live.body) as KubeObject } : {}),
  }
  if (answer.status >= 300) {
    const { message } = apiStatus(answer.status, answer.body)
    return { ...base, refusal: { status: answer.status, message } }
  }
  const result = JSON.parse(answer.body) as KubeObject
  return {
    ...base,
    result: {
      ...result,
      metadata: { ...result.metadata, name, ...(namespace === undefined ? {} : { namespace }) },
    },
  }
}
