/** One sighting: what was looked at and what was seen; `seen` is absent when it never came to that. */
export interface Sighting {
  title: string
  seen?: string
}

/** A negative assertion with its controls, as the report shows them side by side. */
export interface ControlRecord {
  negative: Sighting
  /** What makes the difference, when the test itself brings it in: "NetworkPolicy deny-all applied". */
  cause?: string
  /** Milliseconds from applying the cause until it took effect. */
  onsetMs?: number
  /** Milliseconds for which the negative held. */
  heldMs?: number
  before: Sighting
  beside?: Sighting
  after: Sighting
}

/** What a test tells the report beyond its verdict. */
export interface TestRecord {
  controls: ControlRecord[]
  facts: { name: string; value: string }[]
}

declare module 'vitest' {
  interface TaskMeta {
    /** Filled by `recordOf`; crosses from the worker to the reporter, hence plain data only. */
    e2e?: TestRecord
  }
}

/** The record of the running test: `recordOf(task.meta)` with the `task` of vitest's test context. */
export const recordOf = (meta: { e2e?: TestRecord }): TestRecord => (meta.e2e ??= { controls: [], facts: [] })
