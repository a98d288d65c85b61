import { duration } from './duration.ts'
import type { Event } from './events.ts'

/** How a line is to be painted where there are colours. */
export type Mood = 'good' | 'bad' | 'quiet' | 'warning' | 'plain'

export interface EventLine {
  mark: string
  mood: Mood
  text: string
}

const planMarks = { done: '✔', partial: '◐', absent: '○', unknown: '?' } as const

/** What people read of an event, one entry a line; progress and starts are told by the reporters in their own way. */
export function eventLines(event: Event): EventLine[] {
  switch (event.type) {
    case 'planned':
      return event.steps.map(({ state, title, reason }) => ({
        mark: planMarks[state],
        mood: state === 'done' ? 'good' : 'plain',
        text: `${title}: ${state}${reason === '' ? '' : `, ${reason}`}`,
      }))
    case 'skipped':
      return [{ mark: '✔', mood: 'quiet', text: `${event.title}: ${event.reason}` }]
    case 'succeeded':
      return [{ mark: '✔', mood: 'good', text: `${event.title} (${duration(event.ms)}): ${event.seen}` }]
    case 'undone':
      return [{ mark: '✔', mood: 'good', text: `${event.title}: taken back (${duration(event.ms)})` }]
    case 'failed':
      return event.error.family === 'interrupted'
        ? [{ mark: '■', mood: 'quiet', text: `${event.title}: stopped (${duration(event.ms)})` }]
        : [{ mark: '✖', mood: 'bad', text: `${event.title} (${duration(event.ms)}): ${event.error.code}` }]
    case 'notice':
      return event.level === 'warning'
        ? [{ mark: '!', mood: 'warning', text: event.message }]
        : [{ mark: '•', mood: 'plain', text: event.message }]
    case 'started':
    case 'progress':
      return []
  }
}
