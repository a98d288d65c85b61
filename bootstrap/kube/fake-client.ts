import { isDeepStrictEqual } from 'node:util'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { nextWake } from '../process/next-wake.ts'
import type { ApplyChange, KubeObject, ListingKube, ListQuery, ObjectRef } from './client.ts'

/** A cluster in memory, for tests of what stands on a KubeClient. */
export interface FakeCluster {
  readonly client: ListingKube
  /** Everything that is there, by `kind namespace/name`. */
  readonly objects: Map<string, KubeObject>
  /** Every call that could change something, as "apply Deployment slate/ollama". */
  readonly changes: string[]
  /** Every call that reads. */
  readonly reads: string[]
  /** What a controller would write into the status of an object that was applied; undefined leaves it as it is. */
  status: (object: KubeObject) => Record<string, unknown> | undefined
  /** An error that the next calls of a method throw. */
  fail: Partial<Record<keyof ListingKube, LocalCloudError>>
  /** Whether the API answers at all. */
  answers: boolean
  /** Changes an object as somebody else would. */
  edit(key: string, change: (object: KubeObject) => void): void
}

const keyOf = (kind: string, namespace: string | undefined, name: string): string =>
  `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`

/** Status with which every workload is ready. */
export function readyStatus(object: KubeObject): Record<string, unknown> | undefined {
  const generation = object.metadata.generation ?? 1
  const replicas = (object['spec'] as { replicas?: number } | undefined)?.replicas ?? 1
  if (object.kind === 'Deployment') {
    return {
      observedGeneration: generation,
      replicas,
      updatedReplicas: replicas,
      availableReplicas: replicas,
    }
  }
  if (object.kind === 'StatefulSet')
    return { observedGeneration: generation, replicas, readyReplicas: replicas }
  if (object.kind === 'DaemonSet') {
    return {
      observedGeneration: generation,
      desiredNumberScheduled: 1,
      numberAvailable: 1,
      updatedNumberScheduled: 1,
    }
  }
  if (object.kind === 'Job') return { succeeded: 1, conditions: [{ type: 'Complete', status: 'True' }] }
  if (object.kind === 'PersistentVolume') return { phase: 'Available' }
  return object.kind === 'PersistentVolumeClaim' ? { phase: 'Bound' } : undefined
}

/** As the API server refuses a Job whose pod template differs from the one it was made with. */
function refuseChangedJob(before: KubeObject | undefined, object: KubeObject): void {
  const template = (job: KubeObject): unknown => (job['spec'] as { template?: unknown } | undefined)?.template
  if (object.kind !== 'Job' || !before || isDeepStrictEqual(template(before), template(object))) return
  throw new LocalCloudError('MANIFEST_INVALID', {
    message: `Job ${object.metadata.name}: spec.template: field is immutable`,
  })
}

/** An empty cluster whose workloads are ready as soon as they are applied. */
export function fakeCluster(context = 'fake'): FakeCluster {
  const objects = new Map<string, KubeObject>()
  const watchers = new Set<() => void>()
  const changes: string[] = []
  const reads: string[] = []
  let version = 0

  const changed = (): void => {
    for (const watcher of [...watchers]) watcher()
  }
  const check = (method: keyof ListingKube, signal: AbortSignal): void => {
    if (signal.aborted) {
      throw signal.reason instanceof LocalCloudError
        ? signal.reason
        : new LocalCloudError('INTERRUPTED', { message: 'Interrupted.', cause: signal.reason })
    }
    if (!fake.answers) throw new LocalCloudError('API_UNREACHABLE', { message: 'connection refused' })
    const error = fake.fail[method]
    if (error) throw error
  }
  const store = (key: string, object: KubeObject): ApplyChange => {
    const before = objects.get(key)
    const status = fake.status(object)
    const next: KubeObject = {
      ...object,
      ...(status
        ? { status }
        : before?.['status'] === undefined
          ? {}
          : { status: before['status'] as unknown }),
      metadata: {
        ...object.metadata,
        uid: before?.metadata.uid ?? `uid-${String(version + 1)}`,
        generation: object.metadata.generation ?? before?.metadata.generation ?? 1,
      },
    }
    const { resourceVersion, ...bare } = before?.metadata ?? { resourceVersion: undefined }
    if (before && isDeepStrictEqual({ ...before, metadata: bare }, next)) return 'unchanged'
    version += 1
    next.metadata.resourceVersion = String(version)
    objects.set(key, next)
    changed()
    return resourceVersion === undefined ? 'created' : 'configured'
  }
  const selected = (query: ListQuery): KubeObject[] =>
    [...objects.values()].filter(
      (object) =>
        object.kind === query.kind &&
        object.apiVersion === query.apiVersion &&
        (query.namespace === undefined || object.metadata.namespace === query.namespace) &&
        (query.labelSelector ?? '')
          .split(',')
          .filter((term) => term !== '')
          .every((term) => {
            const [label = '', value] = term.split('=')
            const actual = object.metadata.labels?.[label]
            return value === undefined ? actual !== undefined : actual === value
          }),
    )

  const client: ListingKube = {
    context,
    async apply(list, { signal, dryRun = 'first' }) {
      check('apply', signal)
      await Promise.resolve()
      return list.map((object) => {
        const { name, namespace } = object.metadata
        const key = keyOf(object.kind, namespace, name)
        const ref: ObjectRef = {
          apiVersion: object.apiVersion,
          kind: object.kind,
          name,
          ...(namespace === undefined ? {} : { namespace }),
        }
        if (dryRun === 'only') return { object: ref, change: objects.has(key) ? 'unchanged' : 'created' }
        refuseChangedJob(objects.get(key), object)
        changes.push(`apply ${key}`)
        return { object: ref, change: store(key, structuredClone(object)) }
      })
    },
    async get(ref, signal) {
      check('get', signal)
      await Promise.resolve()
      reads.push(`get ${keyOf(ref.kind, ref.namespace, ref.name)}`)
      return structuredClone(objects.get(keyOf(ref.kind, ref.namespace, ref.name)))
    },
    async list(query, signal) {
      check('list', signal)
      await Promise.resolve()
      reads.push(`list ${query.kind}`)
      return selected(query).map((object) => structuredClone(object))
    },
    async delete(ref, { signal }) {
      check('delete', signal)
      await Promise.resolve()
      const key = keyOf(ref.kind, ref.namespace, ref.name)
      changes.push(`delete ${key}`)
      objects.delete(key)
      if (ref.kind === 'Namespace') {
        for (const [other, object] of objects) {
          if (object.metadata.namespace === ref.name) objects.delete(other)
        }
      }
      changed()
    },
    async patch(ref, patch, { signal }) {
      check('patch', signal)
      await Promise.resolve()
      const key = keyOf(ref.kind, ref.namespace, ref.name)
      const object = objects.get(key)
      if (!object) throw new LocalCloudError('API_REFUSED', { message: `${key} not found (404)` })
      changes.push(`patch ${key}`)
      store(key, mergePatch(object, patch) as KubeObject)
      return structuredClone(objects.get(key) ?? object)
    },
    async waitFor(ref, condition, { timeoutMs, signal, onSeen }) {
      check('waitFor', signal)
      const key = keyOf(ref.kind, ref.namespace, ref.name)
      const deadline = Date.now() + timeoutMs
      for (;;) {
        check('waitFor', signal)
        const object = objects.get(key)
        const state = condition(object)
        onSeen?.(state.seen)
        if (state.met) return structuredClone(object)
        const left = deadline - Date.now()
        if (left <= 0 || state.fatal === true) {
          throw new LocalCloudError('WAIT_TIMEOUT', {
            message: `${key} is not ready: ${state.seen}.`,
            evidence: ['last event: BackOff', 'last log line: cannot open model'],
          })
        }
        await nextWake(watchers, left, signal)
      }
    },
    async waitForList(query, condition, { timeoutMs, signal, onSeen }) {
      const deadline = Date.now() + timeoutMs
      for (;;) {
        check('waitForList', signal)
        const found = selected(query)
        const state = condition(found)
        onSeen?.(state.seen)
        if (state.met) return structuredClone(found)
        const left = deadline - Date.now()
        if (left <= 0 || state.fatal === true) {
          throw new LocalCloudError('WAIT_TIMEOUT', {
            message: `${query.kind} is not as awaited: ${state.seen}.`,
          })
        }
        await nextWake(watchers, left, signal)
      }
    },
    async listableKinds(signal) {
      check('listableKinds', signal)
      await Promise.resolve()
      const kinds = new Map(
        [...objects.values()].map(({ apiVersion, kind, metadata: { namespace } }) => [
          `${apiVersion} ${kind}`,
          {
            apiVersion,
            kind,
            resource: `${kind.toLowerCase()}s`,
            namespaced: namespace !== undefined,
            deletable: true,
          },
        ]),
      )
      return [...kinds.values()]
    },
    exec: () => Promise.resolve({ exitCode: 0, stdout: '', stderr: '' }),
    logs: () => Promise.resolve(''),
    async raw(path, signal) {
      check('raw', signal)
      await Promise.resolve()
      reads.push(`raw ${path}`)
      return { status: 200, body: path === '/version' ? '{"gitVersion":"v1.36.4"}' : 'ok' }
    },
  }
  const fake: FakeCluster = {
    client,
    objects,
    changes,
    reads,
    status: readyStatus,
    fail: {},
    answers: true,
    edit(key, change) {
      const object = objects.get(key)
      if (!object) throw new Error(`there is no ${key}`)
      change(object)
      version += 1
      object.metadata.resourceVersion = String(version)
      changed()
    },
  }
  return fake
}

function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const result: Record<string, unknown> = { ...(typeof target === 'object' ? target : {}) }
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) Reflect.deleteProperty(result, key)
    else result[key] = mergePatch(result[key], value)
  }
  return result
}
