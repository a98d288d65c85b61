import { catalogue, type ErrorCode } from './catalogue.ts'

/** What kind of thing went wrong; decides the exit code. */
export type ErrorFamily =
  | 'usage'
  | 'config'
  | 'prerequisite'
  | 'command'
  | 'kubernetes'
  | 'manifest'
  | 'wait-timeout'
  | 'interrupted'
  | 'internal'

/** Exit code of the process by error family; part of the public interface, never renumbered. */
export const exitCodes: Record<ErrorFamily, number> = {
  usage: 2,
  config: 2,
  manifest: 2,
  prerequisite: 3,
  command: 4,
  kubernetes: 5,
  'wait-timeout': 6,
  interrupted: 130,
  internal: 1,
}

export interface ErrorDetails {
  /** What happened, in one sentence, with the names involved. */
  message: string
  /** What to do next; overrides the catalogue's hint when this occurrence knows better. */
  hint?: string
  /** Pasteable command, last output lines, last event: whatever a reader needs, secrets already removed. */
  evidence?: string[]
  cause?: unknown
}

/** The one error class of the tool: a stable code from the catalogue, what happened, why, and what to do next. */
export class LocalCloudError extends Error {
  readonly code: ErrorCode
  readonly family: ErrorFamily
  readonly hint: string
  readonly evidence: readonly string[]

  constructor(code: ErrorCode, details: ErrorDetails) {
    super(details.message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'LocalCloudError'
    this.code = code
    this.family = catalogue[code].family
    this.hint = details.hint ?? catalogue[code].hint
    this.evidence = details.evidence ?? []
  }

  get exitCode(): number {
    return exitCodes[this.family]
  }
}
