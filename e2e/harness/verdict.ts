/** Outcome of one test. Only `pass` is green. */
export type Verdict = 'pass' | 'fail' | 'not-proven' | 'error'

/** The promise does not hold: the check ran and saw something else. Verdict `fail`. */
export class ExpectationFailed extends Error {
  override readonly name = 'ExpectationFailed'
}

/** The environment is too weak to tell; the message is the reason. Verdict `not-proven`. */
export class NotProven extends Error {
  override readonly name = 'NotProven'
}

/** The check itself could not run: its control failed, its pod is gone, its client did not start. Verdict `error`. */
export class CheckBroke extends Error {
  override readonly name = 'CheckBroke'
}

/**
 * Verdict of what a test threw. Names are compared, because an error that crossed from a worker process is no instance of anything.
 * Assertions are `fail`; every error that is not one of ours (a TypeError, a refused API call) means that the check broke.
 */
export function verdictOf(thrown: { name?: string } | undefined): Verdict {
  if (thrown === undefined) return 'pass'
  if (thrown.name === 'AssertionError' || thrown.name === 'ExpectationFailed') return 'fail'
  if (thrown.name === 'NotProven') return 'not-proven'
  return 'error'
}

/** Whether an error carries a verdict already and must be passed on as it is; an assertion does, within a look as well. */
export const isVerdictError = (error: unknown): error is Error =>
  error instanceof ExpectationFailed ||
  error instanceof NotProven ||
  error instanceof CheckBroke ||
  (error instanceof Error && error.name === 'AssertionError')

const weight: Record<Verdict, number> = { pass: 0, 'not-proven': 1, fail: 2, error: 3 }

/** The least favourable of several verdicts; `pass` when there is none. */
export const worst = (verdicts: readonly Verdict[]): Verdict =>
  verdicts.reduce<Verdict>((a, b) => (weight[b] > weight[a] ? b : a), 'pass')
