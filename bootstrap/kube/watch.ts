import type { ConditionState, KubeObject, ListQuery } from './client.ts'
import { abortedError } from './aborted.ts'
import { apiStatus, isTransient, refused } from './api-status.ts'
import { pathOf, type Discovery, type Resource } from './discovery.ts'
import { socketProblem, type Http } from './http.ts'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { backoffMs, pause } from './pause.ts'

/** How the objects that a query selects were when the watch ended. */
export interface Watched {
  objects: KubeObject[]
  state: ConditionState
}

interface List {
  metadata?: { resourceVersion?: string }
  items?: Partial<KubeObject>[]
}

interface WatchEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  object: KubeObject
}

/** Seconds after which the server ends a watch; it is then begun anew with a list, which also heals anything missed. */
const watchSeconds = 240
/** A quiet watch brings a bookmark about once a minute; a socket silent for longer is dead. */
const silentWatchMs = 150_000
/** Distance between looks at a kind that cannot be watched, such as metrics. */
const lookAgainMs = 1_000

/**
 * Lists what the query selects, then follows its changes until the judgement is met or fatal. The list is repeated when the
 * server has forgotten the version (410), when the connection drops and when the kind is not served yet, so that no change
 * is missed. `onSeen` gets the judgement's words whenever they change.
 * @throws LocalCloudError API_REFUSED, API_UNREACHABLE, or by the signal: see `abortedError`
 */
export async function watchUntil(
  deps: { http: Http; discovery: Discovery },
  query: ListQuery,
  judge: (objects: KubeObject[]) => ConditionState,
  options: { signal: AbortSignal; onSeen?: (seen: string) => void },
): Promise<Watched> {
  const { http, discovery } = deps
  const { signal } = options
  let lastSeen: string | undefined
  const judged = (objects: Iterable<KubeObject>): { watched: Watched; over: boolean } => {
    const all = [...objects]
    const state = judge(all)
    if (state.seen !== lastSeen) {
      lastSeen = state.seen
      options.onSeen?.(state.seen)
    }
    return { watched: { objects: all, state }, over: state.met || state.fatal === true }
  }

  for (let failures = 0; ;) {
    const resource = await discovery.find(query, signal)
    if (resource === undefined) {
      const { watched, over } = judged([])
      if (over) return watched
      await pause(backoffMs(failures), signal)
      failures += 1
      continue
    }
    const { objects, resourceVersion } = await listed(http, resource, query, signal)
    const first = judged(objects.values())
    if (first.over) return first.watched

    const began = performance.now()
    const end = await follow(http, resource, query, resourceVersion, signal, (event) => {
      const key = keyOf(event.object)
      if (event.type === 'DELETED') objects.delete(key)
      else objects.set(key, event.object)
      const { watched, over } = judged(objects.values())
      return over ? watched : undefined
    })
    if (typeof end === 'object') return end
    // A watch that worked for a while ended in the ordinary way; one that ends at once must not become a busy loop.
    failures = performance.now() - began > 1_000 ? 0 : failures + 1
    if (end === 'unwatchable') await pause(lookAgainMs, signal)
    else if (failures > 0) await pause(backoffMs(failures - 1), signal)
  }
}

/** All objects that the query selects by `namespace/name`, with the version of the list. */
export async function listed(
  http: Http,
  resource: Resource,
  query: ListQuery,
  signal: AbortSignal,
): Promise<{ objects: Map<string, KubeObject>; resourceVersion: string }> {
  const objects = new Map<string, KubeObject>()
  const list = await http.json<List>({
    method: 'GET',
    path: pathOf(resource, query),
    query: selectors(query),
    signal,
    what: `the list of ${query.kind}`,
  })
  for (const item of list.items ?? []) {
    // Items of a list carry neither kind nor version.
    const object = { ...item, apiVersion: query.apiVersion, kind: query.kind } as KubeObject
    objects.set(keyOf(object), object)
  }
  return { objects, resourceVersion: list.metadata?.resourceVersion ?? '' }
}

async function follow(
  http: Http,
  resource: Resource,
  query: ListQuery,
  resourceVersion: string,
  signal: AbortSignal,
  onEvent: (event: WatchEvent) => Watched | undefined,
): Promise<Watched | 'again' | 'unwatchable'> {
  if (!resource.verbs.includes('watch')) return 'unwatchable'
  const what = `the watch of ${query.kind}`
  try {
    const { status, body } = await http.open(
      {
        method: 'GET',
        path: pathOf(resource, query),
        query: {
          ...selectors(query),
          watch: 'true',
          allowWatchBookmarks: 'true',
          resourceVersion,
          timeoutSeconds: String(watchSeconds),
        },
        signal,
        what,
      },
      silentWatchMs,
    )
    body.setEncoding('utf8')
    if (status !== 200) {
      let text = ''
      for await (const chunk of body) text += String(chunk)
      const answer = apiStatus(status, text)
      if (status === 405) return 'unwatchable'
      if (status === 410 || isTransient(answer, 'GET')) return 'again'
      throw refused(what, answer)
    }
    let rest = ''
    for await (const chunk of body) {
      const lines = (rest + String(chunk)).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        if (line.trim() === '') continue
        const event = JSON.parse(line) as WatchEvent
        if (event.type === 'BOOKMARK') continue
        if (event.type === 'ERROR') return 'again'
        const end = onEvent(event)
        if (end) return end
      }
    }
    return 'again'
  } catch (error) {
    if (error instanceof LocalCloudError) throw error
    if (signal.aborted) throw abortedError(signal)
    // A line cut off by a dying server does not parse; the list that follows tells what it would have said.
    if (error instanceof SyntaxError || socketProblem(error).passing) return 'again'
    throw new LocalCloudError('API_UNREACHABLE', {
      message: `${what} broke: ${socketProblem(error).message}`,
      cause: error,
    })
  }
}

const selectors = (query: ListQuery): Record<string, string | undefined> => ({
  labelSelector: query.labelSelector,
  fieldSelector: query.fieldSelector,
})

const keyOf = (object: KubeObject): string => `${object.metadata.namespace ?? ''}/${object.metadata.name}`
