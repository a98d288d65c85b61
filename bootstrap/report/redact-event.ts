import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { redact } from '../process/redact.ts'
import type { Event } from './events.ts'

/** The event with secrets removed from every text in it; errors are redacted where they are described. */
export function redactEvent(event: Event): Event {
  return redacted(event) as Event
}

function redacted(value: unknown): unknown {
  if (typeof value === 'string') return redact(value)
  if (Array.isArray(value)) return value.map(redacted)
  if (value instanceof LocalCloudError || typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, redacted(entry)]))
}
