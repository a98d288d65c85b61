import { isDeepStrictEqual } from 'node:util'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { objectProblems } from '../manifests/object-problems.ts'
import { invalidManifests, type Problem } from '../manifests/problem.ts'
import { abortedError } from './aborted.ts'
import { apiStatus, isInvalidManifest, refused } from './api-status.ts'
import { inOrder } from './apply-order.ts'
import type { ApplyChange, KubeObject, ObjectRef } from './client.ts'
import { crdEstablished } from './conditions/crd-established.ts'
import { pathOf, words, type Discovery, type Resource } from './discovery.ts'
import type { Http } from './http.ts'
import { inParallel } from './in-parallel.ts'
import { backoffMs, pause } from './pause.ts'
import { watchUntil } from './watch.ts'

interface Deps {
  http: Http
  discovery: Discovery
}

interface Entry {
  index: number
  object: KubeObject
  ref: ObjectRef
  /** Undefined while the server does not serve the kind, but a definition among the objects will bring it. */
  resource: Resource | undefined
  /** What the dry run answered, when there was one. */
  rehearsed?: KubeObject
}

/** Requests in flight; more than this gains nothing from a control plane on two cores. */
const concurrency = 8

/** Name under which the server remembers which fields are ours. */
export const fieldManager = 'local-cloud'

/**
 * Server-side apply of all objects, `KubeClient.apply`. What can be rehearsed on the server is rehearsed before anything
 * changes. Objects in a namespace or of a kind that the set itself brings are checked against the schemas of this version
 * first and rehearsed as soon as that namespace or kind is there, still before any of them is applied.
 */
export async function apply(
  deps: Deps,
  objects: readonly KubeObject[],
  options: { signal: AbortSignal; dryRun?: 'first' | 'only' | 'skip' },
): Promise<{ object: ObjectRef; change: ApplyChange }[]> {
  const { signal, dryRun = 'first' } = options
  if (objects.length === 0) return []
  const entries = await resolveAll(deps, objects, signal)
  const changes = new Map<Entry, ApplyChange>()

  if (dryRun !== 'skip') {
    const namespaces = await namespacesOf(deps, entries, signal)
    const rehearsable = entries.filter((entry) => canRehearse(entry, namespaces))
    const others = entries.filter((entry) => !rehearsable.includes(entry))
    const problems = [
      ...others.flatMap((entry) => objectProblems(entry.object).map((problem) => problemOf(entry, problem))),
      ...(await rehearse(deps, rehearsable, signal)),
    ]
    if (problems.length > 0) throw invalidManifests(problems, 'Nothing was applied.')
    if (dryRun === 'only') return await wouldChange(deps, entries, signal)
  }

  const groups = inOrder(entries)
  for (const group of groups) {
    if (dryRun === 'first') {
      const pending = group.filter((entry) => entry.rehearsed === undefined)
      await awaitKinds(deps, pending, signal)
      const problems = await rehearse(deps, pending, signal)
      if (problems.length > 0)
        throw invalidManifests(problems, 'Only what it needs has been applied: namespaces and definitions.')
    } else {
      await awaitKinds(deps, group, signal)
    }
    const done = await inParallel(group, concurrency, signal, (entry, stop) => applyOne(deps, entry, stop))
    for (const [position, entry] of group.entries()) changes.set(entry, done[position] ?? 'unchanged')
    await awaitDefinitions(deps, group, signal)
  }
  return entries.map((entry) => ({ object: entry.ref, change: changes.get(entry) ?? 'unchanged' }))
}

async function resolveAll(deps: Deps, objects: readonly KubeObject[], signal: AbortSignal): Promise<Entry[]> {
  const problems: Problem[] = []
  const entries: Entry[] = []
  const brought = new Set(
    objects.filter((object) => object.kind === 'CustomResourceDefinition').flatMap(definedKinds),
  )
  const seen = new Set<string>()
  for (const [index, object] of objects.entries()) {
    const resource = await deps.discovery.find(object, signal)
    const namespace = object.metadata.namespace ?? (resource?.namespaced === true ? 'default' : undefined)
    const ref = {
      apiVersion: object.apiVersion,
      kind: object.kind,
      name: object.metadata.name,
      ...(namespace === undefined ? {} : { namespace }),
    }
    const type = `${object.apiVersion} ${object.kind}`
    const problem = (field: string, text: string): void => {
      problems.push({ source: 'objects', document: index + 1, object: words(ref), field, problem: text })
    }
    if (resource === undefined && !brought.has(type)) {
      problem(
        'kind',
        `the cluster does not serve ${object.kind} of ${object.apiVersion}, and no definition here brings it`,
      )
    }
    const key = `${type} ${namespace ?? ''}/${object.metadata.name}`
    if (seen.has(key)) problem('metadata.name', 'the object is there twice')
    seen.add(key)
    entries.push({ index, object, ref, resource })
  }
  if (problems.length > 0) throw invalidManifests(problems, 'Nothing was applied.')
  return entries
}

/** `group/version kind` of everything that a CustomResourceDefinition defines. */
function definedKinds(definition: KubeObject): string[] {
  const spec = definition['spec'] as
    | { group?: string; names?: { kind?: string }; versions?: { name?: string; served?: boolean }[] }
    | undefined
  return (spec?.versions ?? []).map(
    (version) => `${spec?.group ?? ''}/${version.name ?? ''} ${spec?.names?.kind ?? ''}`,
  )
}

async function namespacesOf(
  deps: Deps,
  entries: readonly Entry[],
  signal: AbortSignal,
): Promise<Set<string>> {
  const wanted = new Set(entries.flatMap((entry) => entry.ref.namespace ?? []))
  const found = await inParallel([...wanted], concurrency, signal, async (name, stop) => {
    const answer = await deps.http.send({
      method: 'GET',
      path: `/api/v1/namespaces/${encodeURIComponent(name)}`,
      signal: stop,
    })
    return answer.status === 404 ? [] : [name]
  })
  return new Set(found.flat())
}

const canRehearse = (entry: Entry, namespaces: ReadonlySet<string>): boolean =>
  entry.resource !== undefined &&
  (!entry.resource.namespaced || (entry.ref.namespace !== undefined && namespaces.has(entry.ref.namespace)))

/** Sends dry runs, keeps their answers in the entries and returns what the server found wrong with the objects. */
async function rehearse(deps: Deps, entries: readonly Entry[], signal: AbortSignal): Promise<Problem[]> {
  const problems = await inParallel(entries, concurrency, signal, async (entry, stop) => {
    const answer = await patch(deps, entry, { dryRun: 'All' }, stop)
    if (answer.status < 300) {
      entry.rehearsed = JSON.parse(answer.body) as KubeObject
      return []
    }
    const status = apiStatus(answer.status, answer.body)
    if (!isInvalidManifest(status)) throw refused(`apply ${words(entry.ref)}`, status)
    const causes = status.causes.length > 0 ? status.causes : [fieldAndMessage(status.message)]
    return causes.map(({ field, message }) => problemOf(entry, { field, problem: message }))
  })
  return problems.flat()
}

/** Objects that come from a client have no file; they are counted from 1 as they were given. */
const problemOf = (entry: Entry, problem: { field: string; problem: string }): Problem => ({
  source: 'objects',
  document: entry.index + 1,
  object: words(entry.ref),
  ...problem,
})

/** Splits what server-side apply says of an unknown field or a wrong type: `…: .spec.x: field not declared in schema`. */
function fieldAndMessage(message: string): { field: string; message: string } {
  const match = /failed to create typed patch object \([^)]*\): (?:errors:\s*)?\.(\S+): ([\s\S]*)$/.exec(
    message,
  )
  if (!match?.[1] || !match[2]) return { field: '', message }
  return { field: match[1], message: match[2].trim() }
}

function patch(
  deps: Deps,
  entry: Entry,
  query: Record<string, string>,
  signal: AbortSignal,
): Promise<{ status: number; body: string }> {
  if (entry.resource === undefined) {
    throw new LocalCloudError('API_REFUSED', {
      message: `The Kubernetes API does not serve the kind of ${words(entry.ref)} yet.`,
    })
  }
  return sendApply(deps.http, entry.resource, entry.ref, entry.object, query, signal)
}

/** Sends an object as a server-side apply to the place that `at` names, and returns the answer whatever it is. */
export function sendApply(
  http: Http,
  resource: Resource,
  at: ObjectRef,
  object: KubeObject,
  query: Record<string, string>,
  signal: AbortSignal,
): ReturnType<Http['send']> {
  return http.send({
    method: 'PATCH',
    path: pathOf(resource, at),
    query: { fieldManager, force: 'true', fieldValidation: 'Strict', ...query },
    contentType: 'application/apply-patch+yaml',
    body: bare(object, at),
    signal,
    what: words(at),
  })
}

/** The object without what only the server writes, under the name that `at` gives it. */
function bare(object: KubeObject, at: ObjectRef): unknown {
  const metadata: Record<string, unknown> = { ...object.metadata, name: at.name }
  for (const field of [
    'managedFields',
    'resourceVersion',
    'uid',
    'generation',
    'creationTimestamp',
    'selfLink',
  ]) {
    Reflect.deleteProperty(metadata, field)
  }
  if (at.namespace !== undefined) metadata['namespace'] = at.namespace
  return { ...object, metadata }
}

async function applyOne(deps: Deps, entry: Entry, signal: AbortSignal): Promise<ApplyChange> {
  const before = (entry.rehearsed ?? (await current(deps, entry, signal)))?.metadata.resourceVersion
  const answer = await patch(deps, entry, {}, signal)
  if (answer.status >= 300) {
    const status = apiStatus(answer.status, answer.body)
    if (!isInvalidManifest(status)) throw refused(`apply ${words(entry.ref)}`, status)
    const causes = status.causes.length > 0 ? status.causes : [fieldAndMessage(status.message)]
    throw invalidManifests(
      causes.map(({ field, message }) => problemOf(entry, { field, problem: message })),
      'Objects before it have been applied.',
    )
  }
  if (answer.status === 201) return 'created'
  const after = (JSON.parse(answer.body) as KubeObject).metadata.resourceVersion
  return after === before ? 'unchanged' : 'configured'
}

async function current(deps: Deps, entry: Entry, signal: AbortSignal): Promise<KubeObject | undefined> {
  if (entry.resource === undefined) return undefined
  const path = pathOf(entry.resource, entry.ref)
  const answer = await deps.http.send({ method: 'GET', path, signal, what: words(entry.ref) })
  if (answer.status === 404) return undefined
  if (answer.status >= 300) throw refused(`GET ${words(entry.ref)}`, apiStatus(answer.status, answer.body))
  return JSON.parse(answer.body) as KubeObject
}

async function wouldChange(
  deps: Deps,
  entries: readonly Entry[],
  signal: AbortSignal,
): Promise<{ object: ObjectRef; change: ApplyChange }[]> {
  return await inParallel(entries, concurrency, signal, async (entry, stop) => {
    if (entry.rehearsed === undefined) return { object: entry.ref, change: 'created' as const }
    const live = await current(deps, entry, stop)
    if (live === undefined) return { object: entry.ref, change: 'created' as const }
    const same = isDeepStrictEqual(comparable(live), comparable(entry.rehearsed))
    return { object: entry.ref, change: same ? ('unchanged' as const) : ('configured' as const) }
  })
}

/** An object without what changes by itself. */
function comparable(object: KubeObject): unknown {
  const metadata: Record<string, unknown> = { ...object.metadata }
  for (const field of ['managedFields', 'resourceVersion', 'generation'])
    Reflect.deleteProperty(metadata, field)
  return { ...object, metadata, status: undefined }
}

/** Waits until the server accepts objects of the kinds that the applied definitions bring. */
async function awaitDefinitions(deps: Deps, group: readonly Entry[], signal: AbortSignal): Promise<void> {
  const definitions = group.filter((entry) => entry.object.kind === 'CustomResourceDefinition')
  if (definitions.length === 0) return
  await inParallel(definitions, concurrency, signal, async (entry, stop) => {
    const query = {
      apiVersion: entry.ref.apiVersion,
      kind: entry.ref.kind,
      fieldSelector: `metadata.name=${entry.ref.name}`,
    }
    const { state } = await watchUntil(deps, query, ([object]) => crdEstablished(object), { signal: stop })
    if (!state.met)
      throw new LocalCloudError('WAIT_TIMEOUT', {
        message: `${words(entry.ref)} cannot be used: ${state.seen}`,
      })
  })
  deps.discovery.forget()
  for (const { object } of definitions) await servedKind(deps, object, signal)
}

/** The kind that a definition brings, once discovery shows it, which is a moment after the definition is established. */
async function servedKind(deps: Deps, definition: KubeObject, signal: AbortSignal): Promise<void> {
  const spec = definition['spec'] as {
    group: string
    names: { kind: string }
    versions: { name: string; served: boolean }[]
  }
  const version = spec.versions.find(({ served }) => served)?.name
  if (version === undefined) return
  const type = { apiVersion: `${spec.group}/${version}`, kind: spec.names.kind }
  for (let attempt = 0; (await deps.discovery.find(type, signal)) === undefined; attempt += 1) {
    await pause(backoffMs(attempt), signal)
  }
}

/** Fills in the resources of kinds that have just been defined; discovery shows them a moment after they are established. */
async function awaitKinds(deps: Deps, entries: readonly Entry[], signal: AbortSignal): Promise<void> {
  for (const entry of entries.filter((candidate) => candidate.resource === undefined)) {
    for (let attempt = 0; entry.resource === undefined; attempt += 1) {
      entry.resource = await deps.discovery.find(entry.object, signal)
      if (entry.resource === undefined) await pause(backoffMs(attempt), signal)
    }
    if (entry.resource.namespaced) entry.ref = { ...entry.ref, namespace: entry.ref.namespace ?? 'default' }
  }
  if (signal.aborted) throw abortedError(signal)
}
