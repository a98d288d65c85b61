/** What the bench reads of one line that a command prints with `--json`. */
interface Line {
  at: string
  type: string
  step?: string
}

/** Milliseconds from the start of `up` to each milestone; a milestone that did not come is absent. */
export interface Milestones {
  /** The API server answers /readyz. */
  apiHealthy?: number
  /** Every add-on's probe has passed. */
  addonsProven?: number
  /** Every workload of the system is available. */
  systemReady?: number
}

/** The lines of `up --json` that are events; others (a tool that prints by itself) are passed over. */
export function readLines(text: string): Line[] {
  return text.split('\n').flatMap((line) => {
    try {
      const value = JSON.parse(line) as Partial<Line> | null
      return typeof value?.at === 'string' && typeof value.type === 'string' ? [value as Line] : []
    } catch {
      return []
    }
  })
}

/** Reads the milestones off the events of `up --json`. `startedAt` is the time of day at which the process was started, milliseconds. */
export function milestones(lines: readonly Line[], startedAt: number): Milestones {
  const ended = (wanted: (step: string) => boolean): number[] =>
    lines.flatMap(({ at, type, step }) =>
      type === 'succeeded' && step !== undefined && wanted(step) ? [Date.parse(at) - startedAt] : [],
    )
  const [apiHealthy] = ended((step) => step === 'cluster')
  const addons = ended((step) => step.startsWith('addon:'))
  const [systemReady] = ended((step) => step === 'system')
  return {
    ...(apiHealthy === undefined ? {} : { apiHealthy }),
    ...(addons.length === 0 ? {} : { addonsProven: Math.max(...addons) }),
    ...(systemReady === undefined ? {} : { systemReady }),
  }
}
