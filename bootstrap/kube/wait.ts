import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { abortedError, isDeadline } from './aborted.ts'
import type {
  Condition,
  ConditionState,
  KubeClient,
  KubeObject,
  ListCondition,
  ListQuery,
  ObjectRef,
} from './client.ts'
import { diagnose } from './diagnose.ts'
import { words, type Discovery } from './discovery.ts'
import type { Http } from './http.ts'
import { watchUntil, type Watched } from './watch.ts'

export interface WaitOptions {
  timeoutMs: number
  signal: AbortSignal
  onSeen?: (seen: string) => void
}

interface Deps {
  http: Http
  discovery: Discovery
  reader: Pick<KubeClient, 'get' | 'list' | 'logs'>
}

/** Milliseconds that finding out why may take after a deadline has passed. */
const diagnosisMs = 5_000

/** `KubeClient.waitFor`. */
export async function waitFor(
  deps: Deps,
  ref: ObjectRef,
  condition: Condition,
  options: WaitOptions,
): Promise<KubeObject | undefined> {
  const query: ListQuery = {
    apiVersion: ref.apiVersion,
    kind: ref.kind,
    fieldSelector: `metadata.name=${ref.name}`,
    ...(ref.namespace === undefined ? {} : { namespace: ref.namespace }),
  }
  const { objects } = await within(deps, query, ([object]) => condition(object), options, ref)
  return objects[0]
}

/** `KubeClient.waitForList`. */
export async function waitForList(
  deps: Deps,
  query: ListQuery,
  condition: ListCondition,
  options: WaitOptions & { about?: ObjectRef },
): Promise<KubeObject[]> {
  return (await within(deps, query, condition, options, options.about)).objects
}

async function within(
  deps: Deps,
  query: ListQuery,
  judge: (objects: KubeObject[]) => ConditionState,
  options: WaitOptions,
  about: ObjectRef | undefined,
): Promise<Watched> {
  const started = performance.now()
  const deadline = AbortSignal.timeout(options.timeoutMs)
  const signal = AbortSignal.any([options.signal, deadline])
  const subject =
    about === undefined ? `${query.kind} in ${query.namespace ?? 'all namespaces'}` : words(about)
  let seen = 'nothing yet'
  const failed = async (message: string, cause?: unknown): Promise<LocalCloudError> => {
    const evidence =
      about === undefined ? [] : await diagnose(deps.reader, about, AbortSignal.timeout(diagnosisMs))
    return new LocalCloudError('WAIT_TIMEOUT', { message, evidence, cause })
  }
  let watched: Watched
  try {
    watched = await watchUntil(deps, query, judge, {
      signal,
      onSeen: (now) => {
        seen = now
        options.onSeen?.(now)
      },
    })
  } catch (error) {
    if (!signal.aborted) throw error
    if (options.signal.aborted && !isDeadline(options.signal)) throw abortedError(options.signal)
    if (error instanceof LocalCloudError && error.code === 'API_UNREACHABLE') throw error
    const seconds = ((performance.now() - started) / 1_000).toFixed(1)
    throw await failed(`${subject} was not as awaited within ${seconds} s: ${seen}`, error)
  }
  if (!watched.state.met) throw await failed(`${subject} will not become as awaited: ${watched.state.seen}`)
  return watched
}
