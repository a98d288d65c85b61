import type { Event } from './events.ts'

export interface RunningStep {
  id: string
  title: string
  /** Milliseconds of the clock that the tracker was given. */
  since: number
  /** The last progress; empty before the first. */
  progress: string
}

/** Keeps which steps are running and what each said last. */
export function trackRunningSteps(now: () => number): {
  update(event: Event): void
  running(): RunningStep[]
} {
  const steps = new Map<string, RunningStep>()
  return {
    update(event) {
      switch (event.type) {
        case 'started':
          steps.set(event.step, { id: event.step, title: event.title, since: now(), progress: '' })
          break
        case 'progress': {
          const step = steps.get(event.step)
          if (step) step.progress = event.message
          break
        }
        case 'skipped':
        case 'succeeded':
        case 'failed':
        case 'undone':
          steps.delete(event.step)
          break
        case 'planned':
        case 'notice':
          break
      }
    },
    running: () => [...steps.values()],
  }
}
