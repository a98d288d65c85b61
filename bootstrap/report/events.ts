import type { LocalCloudError } from '../errors/local-cloud-error.ts'

/** One row of a plan: what a step would do, as `--dry-run` and `status` show it. */
export interface PlannedStep {
  id: string
  title: string
  needs: readonly string[]
  state: 'absent' | 'partial' | 'done' | 'unknown'
  reason: string
}

/** Everything the tool tells while it works. Steps emit, reporters print; times are milliseconds. */
export type Event =
  | { type: 'planned'; steps: PlannedStep[] }
  | { type: 'started'; step: string; title: string }
  | { type: 'progress'; step: string; message: string }
  | { type: 'skipped'; step: string; title: string; reason: string; ms: number }
  | { type: 'succeeded'; step: string; title: string; seen: string; ms: number }
  | { type: 'failed'; step: string; title: string; error: LocalCloudError; ms: number }
  | { type: 'undone'; step: string; title: string; ms: number }
  /** A host limit adapted to, a file written outside the state directory, a package installed: told once. */
  | { type: 'notice'; level: 'info' | 'warning'; message: string }

export type Emit = (event: Event) => void
