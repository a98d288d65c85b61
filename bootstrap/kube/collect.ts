import { stringify } from 'yaml'
import { redact } from '../process/redact.ts'
import { abortedError } from './aborted.ts'
import type { ConnectedKube, KubeObject } from './client.ts'
import { byTime, eventLine } from './event-line.ts'
import { as, conditionsOf, reasonOf, type ContainerStatus, type PodShape } from './shapes.ts'

/** One file for the archive of `logs`. */
export interface CollectedFile {
  /** Relative path with forward slashes. */
  path: string
  content: string
}

/** Log lines kept of each container, current and previous run; the end of a log tells why something ended. */
const logLines = 5_000

/**
 * Everything that tells what a cluster does, file by file: versions, the conditions of its nodes, events in the order of time,
 * every object as YAML, and the logs of every container, of its current and its previous run. Without `namespaces` of all of
 * them; objects that have no namespace always come. Values of Secrets and everything that looks like a credential are taken
 * out. What cannot be read becomes a line in `not-collected.txt`; nothing is thrown but for the signal.
 */
export async function* collectDiagnostics(
  kube: Pick<ConnectedKube, 'get' | 'list' | 'logs' | 'raw' | 'listableKinds'>,
  options: { namespaces?: readonly string[]; signal: AbortSignal },
): AsyncIterable<CollectedFile> {
  const { signal } = options
  const missing: string[] = []
  const attempt = async <T>(what: string, read: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await read()
    } catch (error) {
      if (signal.aborted) throw abortedError(signal)
      missing.push(`${what}: ${error instanceof Error ? error.message : String(error)}`)
      return undefined
    }
  }

  for (const [path, file] of [
    ['/version', 'version.json'],
    ['/readyz?verbose', 'readyz.txt'],
    ['/livez?verbose', 'livez.txt'],
  ] as const) {
    const answer = await attempt(path, () => kube.raw(path, signal))
    if (answer !== undefined) yield { path: file, content: answer.body }
  }

  const kinds = (await attempt('the kinds of the cluster', () => kube.listableKinds(signal))) ?? []
  let pods: KubeObject[] = []
  for (const { apiVersion, kind, resource, namespaced } of kinds) {
    const scopes = namespaced ? (options.namespaces ?? [undefined]) : [undefined]
    const objects: KubeObject[] = []
    for (const namespace of scopes) {
      const query = { apiVersion, kind, ...(namespace === undefined ? {} : { namespace }) }
      objects.push(...((await attempt(`${kind} of ${apiVersion}`, () => kube.list(query, signal))) ?? []))
    }
    if (objects.length === 0) continue
    const core = apiVersion === 'v1'
    if (core && kind === 'Pod') pods = objects
    if (core && kind === 'Node') yield { path: 'nodes.txt', content: nodeReport(objects) }
    if (kind === 'Event') {
      // The same events are served in two groups.
      if (core) yield* eventFiles(objects)
      continue
    }
    const group = apiVersion.includes('/') ? `.${apiVersion.split('/')[0] ?? ''}` : ''
    for (const [namespace, members] of byNamespace(objects)) {
      const folder = namespace === '' ? 'cluster' : `namespaces/${namespace}`
      yield {
        path: `${folder}/${resource}${group}.yaml`,
        content: members.map((object) => yamlOf(object)).join('---\n'),
      }
    }
  }

  for (const pod of pods) {
    const { name, namespace = 'default' } = pod.metadata
    for (const status of containerStatuses(pod)) {
      for (const previous of [false, true]) {
        if (previous ? (status.restartCount ?? 0) === 0 : !hasRun(status)) continue
        const what = `log of ${namespace}/${name} ${status.name}${previous ? ', previous run' : ''}`
        const text = await attempt(what, () =>
          kube.logs({ namespace, name, container: status.name, previous, tailLines: logLines }, signal),
        )
        if (text !== undefined) {
          const file = `${status.name}${previous ? '.previous' : ''}.log`
          yield { path: `namespaces/${namespace}/logs/${name}/${file}`, content: redact(text) }
        }
      }
    }
  }
  if (missing.length > 0) yield { path: 'not-collected.txt', content: `${redact(missing.join('\n'))}\n` }
}

const containerStatuses = (pod: KubeObject): ContainerStatus[] => {
  const { initContainerStatuses = [], containerStatuses: own = [] } = as<PodShape>(pod).status ?? {}
  return [...initContainerStatuses, ...own]
}

const hasRun = (status: ContainerStatus): boolean =>
  status.state?.running !== undefined ||
  status.state?.terminated !== undefined ||
  (status.restartCount ?? 0) > 0

function byNamespace(objects: readonly KubeObject[]): [string, KubeObject[]][] {
  return [...Map.groupBy(objects, (object) => object.metadata.namespace ?? '')].sort(([a], [b]) =>
    a.localeCompare(b),
  )
}

function* eventFiles(events: readonly KubeObject[]): Iterable<CollectedFile> {
  const text = (some: readonly KubeObject[]): string => `${byTime(some).map(eventLine).join('\n')}\n`
  yield { path: 'events.txt', content: text(events) }
  for (const [namespace, members] of byNamespace(events)) {
    yield { path: `namespaces/${namespace}/events.txt`, content: text(members) }
  }
}

function nodeReport(nodes: readonly KubeObject[]): string {
  const lines = nodes.flatMap((node) => [
    node.metadata.name,
    ...conditionsOf(node).map(
      (condition) => `  ${condition.type}=${condition.status} ${reasonOf(condition)}`,
    ),
  ])
  return `${lines.join('\n')}\n`
}

/** The object as YAML without field ownership and without secrets. */
function yamlOf(object: KubeObject): string {
  const metadata: Record<string, unknown> = { ...object.metadata }
  Reflect.deleteProperty(metadata, 'managedFields')
  const bare: Record<string, unknown> = { ...object, metadata }
  if (object.kind === 'Secret') {
    for (const part of ['data', 'stringData']) {
      const values = object[part] as Record<string, unknown> | undefined
      if (values !== undefined)
        bare[part] = Object.fromEntries(Object.keys(values).map((key) => [key, '[removed]']))
    }
    // kubectl keeps the applied object, values included, in an annotation.
    metadata['annotations'] = Object.fromEntries(
      Object.entries(object.metadata.annotations ?? {}).filter(
        ([key]) => key !== 'kubectl.kubernetes.io/last-applied-configuration',
      ),
    )
  }
  return redact(stringify(bare, { lineWidth: 0, aliasDuplicateObjects: false }))
}
