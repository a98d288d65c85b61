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

/** Who may reach whom: one square of a matrix, as it is stated, computed and measured. */
export interface MatrixCell {
  row: string
  column: string
  /** What the specification says; absent where it says nothing. */
  stated?: 'open' | 'closed'
  /** What the policies mean. */
  expected: 'open' | 'closed'
  /** What a new connection did, in the client's word: connected, refused, timeout, … */
  measured: string
  ok: boolean
  /** What makes the square believable: the same target answered somebody else. */
  control?: string
  /** A command that shows it again. */
  command?: string
}

/** A table of reachability; the report draws it as a heat map. */
export interface MatrixRecord {
  title: string
  rows: string[]
  columns: string[]
  cells: MatrixCell[]
}

/** Numbers over time, for a plot. Times are milliseconds since the Unix epoch. */
export interface SeriesRecord {
  title: string
  /** What the numbers count: "replicas", "% of the request". */
  unit: string
  /** `step` holds a value until the next one; it is what a count does. */
  lines: { name: string; step?: boolean; points: [atMs: number, value: number][] }[]
  /** Values that do not change: the minimum, the maximum, the target. */
  limits: { name: string; value: number }[]
  /** What happened when: "load begins". */
  marks: { atMs: number; text: string }[]
}

/** What a test tells the report beyond its verdict. */
export interface TestRecord {
  controls: ControlRecord[]
  facts: { name: string; value: string }[]
  matrices?: MatrixRecord[]
  series?: SeriesRecord[]
  /** Files of the evidence bundle, relative to the report. */
  evidence?: string[]
}

declare module 'vitest' {
  interface TaskMeta {
    /** Filled by `recordOf`; crosses from the worker to the reporter, hence plain data only. */
    e2e?: TestRecord
  }
}

/** The record of the running test: `recordOf(task.meta)` with the `task` of vitest's test context. */
export const recordOf = (meta: { e2e?: TestRecord }): TestRecord => (meta.e2e ??= { controls: [], facts: [] })
