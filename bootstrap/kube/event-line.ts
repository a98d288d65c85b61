import { redact } from '../process/redact.ts'
import type { KubeObject } from './client.ts'
import { as, type EventShape } from './shapes.ts'

/** When an event was last seen, ISO 8601; the fields differ by who wrote it. */
export function eventTime(event: KubeObject): string {
  const shape = as<EventShape>(event)
  return (
    shape.series?.lastObservedTime ??
    shape.lastTimestamp ??
    shape.eventTime ??
    shape.firstTimestamp ??
    event.metadata.creationTimestamp ??
    ''
  )
}

/** Oldest first. */
export const byTime = (events: readonly KubeObject[]): KubeObject[] =>
  [...events].sort((a, b) => eventTime(a).localeCompare(eventTime(b)))

/** One event in one line, secrets removed. */
export function eventLine(event: KubeObject): string {
  const shape = as<EventShape>(event)
  const about = shape.involvedObject
  const name = `${about?.kind ?? '?'} ${about?.namespace === undefined ? '' : `${about.namespace}/`}${about?.name ?? '?'}`
  const count = shape.series?.count ?? shape.count ?? 1
  const times = count > 1 ? ` (${String(count)} times)` : ''
  const message = (shape.message ?? '').trim().replaceAll(/\s*\n\s*/g, ' ')
  return redact(
    `${eventTime(event)} ${shape.type ?? 'Normal'} ${shape.reason ?? ''} ${name}: ${message}${times}`,
  )
}
