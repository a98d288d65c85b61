import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { redact } from '../process/redact.ts'

/** An error as data, secrets removed: what `--json` prints and what the other reporters format. */
export interface ErrorDescription {
  code: string
  family: string
  exitCode: number
  message: string
  /** Why, from the nearest cause to the root; what says nothing new is left out. */
  causes: string[]
  hint: string
  evidence: string[]
  stack?: string
}

/** Causes further down than this are left out; a chain can be circular. */
const depth = 8

/** Describes an error with its chain of causes. The stack is there for `internal` errors and when asked for. */
export function describeError(error: LocalCloudError, options: { stack?: boolean } = {}): ErrorDescription {
  const chain = causeChain(error)
  const causes: string[] = []
  for (const cause of chain) {
    const text = redact(causeText(cause))
    const known = [error.message, ...causes].some((said) => said.includes(text))
    if (text !== '' && !known) causes.push(text)
  }
  const evidence = [error, ...chain].flatMap((each) => (each instanceof LocalCloudError ? each.evidence : []))
  const stack = options.stack === true || error.family === 'internal' ? stackOf(error, chain) : undefined
  return {
    code: error.code,
    family: error.family,
    exitCode: error.exitCode,
    message: redact(error.message),
    causes,
    hint: redact(error.hint),
    evidence: [...new Set(evidence)].map((line) => redact(line)),
    ...(stack === undefined ? {} : { stack: redact(stack) }),
  }
}

function causeChain(error: Error): unknown[] {
  const chain: unknown[] = []
  const add = (cause: unknown): void => {
    if (cause === undefined || cause === null || chain.includes(cause) || chain.length >= depth) return
    chain.push(cause)
    if (cause instanceof AggregateError) cause.errors.forEach(add)
    if (cause instanceof Error) add(cause.cause)
  }
  add(error.cause)
  return chain
}

function causeText(cause: unknown): string {
  if (cause instanceof LocalCloudError) return `${cause.code}: ${cause.message}`
  if (!(cause instanceof Error)) return typeof cause === 'string' ? cause : ''
  // A failed command of execa has its streams in the message; those are in the evidence.
  const text =
    'shortMessage' in cause && typeof cause.shortMessage === 'string' ? cause.shortMessage : cause.message
  return text.trim()
}

function stackOf(error: Error, chain: readonly unknown[]): string {
  const stacks = [error, ...chain].flatMap((each) =>
    each instanceof Error && each.stack ? [each.stack] : [],
  )
  return stacks.join('\ncaused by: ')
}
