import type { Duplex } from 'node:stream'

/** A Kubernetes object of any kind. */
export interface KubeObject {
  apiVersion: string
  kind: string
  metadata: {
    name: string
    namespace?: string
    labels?: Record<string, string>
    annotations?: Record<string, string>
    uid?: string
    resourceVersion?: string
    generation?: number
    creationTimestamp?: string
    deletionTimestamp?: string
    ownerReferences?: { kind: string; name: string; uid: string; apiVersion: string; controller?: boolean }[]
    finalizers?: string[]
  }
  // Kinds differ; readers narrow what they use.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  [field: string]: any
}

/** Names one object. `namespace` is required for namespaced kinds. */
export interface ObjectRef {
  apiVersion: string
  kind: string
  name: string
  namespace?: string
}

export interface ListQuery {
  apiVersion: string
  kind: string
  /** Absent: all namespaces. */
  namespace?: string
  labelSelector?: string
  fieldSelector?: string
}

export type ApplyChange = 'created' | 'configured' | 'unchanged'

export interface ExecResult {
  exitCode: number
  stdout: string
  stderr: string
}

/** What a condition saw: done, or not yet with the reason that a timeout will quote. */
export type ConditionState = { met: true; seen: string } | { met: false; seen: string; fatal?: boolean }

/** Judges one object; `undefined` means that it does not exist. Pure. */
export type Condition = (object: KubeObject | undefined) => ConditionState

/** Judges a whole list, for what no single object tells: the endpoint slices of a Service, the pods of a selector. Pure. */
export type ListCondition = (objects: readonly KubeObject[]) => ConditionState

/**
 * The one door to the Kubernetes API. Every method throws `LocalCloudError`: API_REFUSED with the server's reason and HTTP
 * status, API_UNREACHABLE, MANIFEST_INVALID with file and field, WAIT_TIMEOUT with the object's reason, last event and last log lines.
 */
export interface KubeClient {
  /** Name of the context in use, for messages and pasteable commands. */
  readonly context: string
  /**
   * Server-side apply with field manager `local-cloud`, strict field validation, in an order that works (namespaces, CRDs, …).
   * Before anything is changed every object whose kind the server knows is sent as a dry run, unless `dryRun: 'skip'`.
   */
  apply(
    objects: readonly KubeObject[],
    options: { signal: AbortSignal; dryRun?: 'first' | 'only' | 'skip' },
  ): Promise<{ object: ObjectRef; change: ApplyChange }[]>
  get(ref: ObjectRef, signal: AbortSignal): Promise<KubeObject | undefined>
  list(query: ListQuery, signal: AbortSignal): Promise<KubeObject[]>
  /** Deletes in the foreground and, with `wait`, returns when the object is gone. An absent object is success. */
  delete(
    ref: ObjectRef,
    options: { signal: AbortSignal; wait?: boolean; gracePeriodSeconds?: number },
  ): Promise<void>
  /** Strategic or merge patch as kubectl does; `subresource` for status and scale. */
  patch(
    ref: ObjectRef,
    patch: unknown,
    options: { signal: AbortSignal; subresource?: string },
  ): Promise<KubeObject>
  /** Watches (no polling) until the condition holds. A `fatal` state ends the wait at once. */
  waitFor(
    ref: ObjectRef,
    condition: Condition,
    options: { timeoutMs: number; signal: AbortSignal; onSeen?: (seen: string) => void },
  ): Promise<KubeObject | undefined>
  /** As `waitFor`, for all objects that the query selects. Resolves with them. A WAIT_TIMEOUT diagnoses `about`, when given. */
  waitForList(
    query: ListQuery,
    condition: ListCondition,
    options: { timeoutMs: number; signal: AbortSignal; onSeen?: (seen: string) => void; about?: ObjectRef },
  ): Promise<KubeObject[]>
  exec(
    pod: { namespace: string; name: string; container?: string },
    argv: readonly string[],
    options: { signal: AbortSignal; stdin?: string },
  ): Promise<ExecResult>
  logs(
    pod: { namespace: string; name: string; container?: string; previous?: boolean; tailLines?: number },
    signal: AbortSignal,
  ): Promise<string>
  /** GET on a raw path (metrics, readyz, discovery); body as text with its status, not thrown for HTTP errors. */
  raw(path: string, signal: AbortSignal): Promise<{ status: number; body: string }>
}

/** One kind that the server lists. */
export interface ListableKind {
  apiVersion: string
  kind: string
  /** Name in paths, such as `deployments`. */
  resource: string
  namespaced: boolean
  /** Whether objects of it can be deleted: those that are only views, as metrics are, cannot. */
  deletable: boolean
}

/** A client that can look at everything. */
export interface ListingKube extends KubeClient {
  /** Every kind that can be listed, in the version the server prefers, sorted by group and kind. */
  listableKinds(signal: AbortSignal): Promise<ListableKind[]>
}

/** What `connect` returns: the client, and what only those need who own the connection or look at everything. */
export interface ConnectedKube extends ListingKube {
  /**
   * One connection to a port inside a pod, as kubectl port-forward makes it: a stream that ends when the pod closes it. Errors of
   * the stream are LocalCloudErrors: API_REFUSED in the node's own words when nothing listens on the port. Ending the writable
   * side does not reach the pod; destroying the stream does. Not tried again.
   * @throws LocalCloudError API_REFUSED when there is no such pod, API_UNREACHABLE, or by the signal, which also cuts an open stream
   */
  portForward(
    pod: { namespace: string; name: string },
    port: number,
    options: { signal: AbortSignal; openTimeoutMs: number },
  ): Promise<Duplex>
  /** What the server would make of an object, and what is there now; nothing is changed. */
  rehearse(object: KubeObject, options: { signal: AbortSignal; as?: RehearsedAs }): Promise<Rehearsal>
  /** Closes the kept connections. A client that is not closed does not keep the process alive. */
  close(): void
}

/** Under which name an object is rehearsed where its own cannot be used; what comes back has its own again. */
export interface RehearsedAs {
  namespace?: string
  name?: string
}

/** Answer of a dry run. */
export interface Rehearsal {
  ref: ObjectRef
  /** The object as it is; absent when it is not there, and when it was rehearsed under another name. */
  live?: KubeObject
  /** As it would be. Absent when the server refused it. */
  result?: KubeObject
  /** Why the server refused it, in its words. */
  refusal?: { status: number; message: string }
  /** Warnings of the server, such as those of Pod Security. */
  warnings: string[]
}
