/** How far the world already is where a step wants it. */
export interface Observation {
  state: 'absent' | 'partial' | 'done'
  /** Why, in words a user understands: "cluster local-cloud has 1 of 2 nodes". */
  reason: string
}

/** What a running step gets: the shared context of the graph, a deadline, and a way to tell progress. */
export interface StepRun {
  /** Aborts at the step's deadline, when another step failed, and on Ctrl-C. */
  signal: AbortSignal
  progress(message: string): void
}

/**
 * One unit of work that can be looked at, done, proven and taken back.
 * `observe` only reads; `apply` is idempotent; `verify` probes what the user gets and returns what it saw;
 * `undo` succeeds when there is nothing to undo. All of them throw `LocalCloudError` only.
 */
export interface Step {
  id: string
  title: string
  /** Ids of steps that must be done before. */
  needs: readonly string[]
  /** Deadline for observe + apply + verify together, milliseconds. */
  timeoutMs: number
  observe(run: StepRun): Promise<Observation>
  apply(run: StepRun): Promise<void>
  verify(run: StepRun): Promise<string>
  undo?(run: StepRun): Promise<void>
}
