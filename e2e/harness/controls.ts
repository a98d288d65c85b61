import { consistently } from './consistently.ts'
import { eventually } from './eventually.ts'
import { duration, type Looker, type Pace } from './look.ts'
import type { ControlRecord, TestRecord } from './record.ts'
import { CheckBroke, ExpectationFailed } from './verdict.ts'

/** A look with a name for the report. */
export interface Check {
  title: string
  run: Looker
}

export interface NegativeAssertion {
  /** Ok means that the thing does not happen: "blocked", "refused", "404". */
  negative: Check
  /** Ok means that the same objects do what they should when nothing hinders them. Runs first and after. */
  control: Check
  /** Ok means that an uninvolved pair still works while the negative holds; it has the time of `settle` at each look. */
  beside?: Check
  /** What the test changes so that the negative begins to hold. Without it the negative holds from the start. */
  cause?: { title: string; apply: () => Promise<void>; remove: () => Promise<void> }
  /** How long each control, and the onset of the cause, may take. */
  settle: Pace
  /** For how long the negative must hold. */
  hold: Pace
}

/**
 * Asserts that something does not happen, and that it would have been noticed if it did: the control is ok first, the negative sets in
 * and holds, an uninvolved pair works meanwhile, and the control is ok again after. All that was seen goes into the record.
 * @throws ExpectationFailed when the negative does not set in or does not hold; CheckBroke when a control is not ok, because then the
 * negative says nothing.
 */
export async function assertNegative(
  record: TestRecord,
  assertion: NegativeAssertion,
): Promise<ControlRecord> {
  const { negative, control, beside, cause, settle, hold } = assertion
  const entry: ControlRecord = {
    negative: { title: negative.title },
    before: { title: control.title },
    after: { title: control.title },
    ...(cause === undefined ? {} : { cause: cause.title }),
    ...(beside === undefined ? {} : { beside: { title: beside.title } }),
  }
  record.controls.push(entry)

  entry.before.seen = await controlled('before', control, settle, negative)
  try {
    if (cause) {
      const started = performance.now()
      await cause.apply()
      entry.negative.seen = await eventually(`${negative.title} after ${cause.title}`, negative.run, settle)
      entry.onsetMs = Math.round(performance.now() - started)
    }
    const since = performance.now()
    entry.negative.seen = await consistently(
      negative.title,
      async (signal) => {
        const look = await negative.run(signal)
        if (beside && look.ok) {
          const seen = await controlled('beside', beside, { ...settle, signal }, negative).catch(
            (error: unknown) => {
              if (!signal.aborted) throw error
            },
          )
          if (entry.beside && seen !== undefined) entry.beside.seen = seen
        }
        return look
      },
      hold,
    )
    entry.heldMs = Math.round(performance.now() - since)
    if (beside && entry.beside) entry.beside.seen = await controlled('beside', beside, settle, negative)
  } finally {
    await cause?.remove()
  }
  entry.after.seen = await controlled('after', control, settle, negative)
  return entry
}

async function controlled(when: string, control: Check, pace: Pace, negative: Check): Promise<string> {
  try {
    return await eventually(control.title, control.run, pace)
  } catch (error) {
    if (error instanceof ExpectationFailed) throw brokenControl(when, control, negative, error.message, error)
    throw error
  }
}

const brokenControl = (
  when: string,
  control: Check,
  negative: Check,
  seen: string,
  cause?: unknown,
): CheckBroke =>
  new CheckBroke(
    `The control ${when} (${control.title}) is not ok, so "${negative.title}" would prove nothing: ${seen}`,
    {
      cause,
    },
  )

/** One line for people: what held, for how long, and between which controls. */
export const describeControls = (entry: ControlRecord): string =>
  [
    `${entry.negative.title}: ${entry.negative.seen ?? 'not seen'}`,
    entry.onsetMs === undefined ? undefined : `set in after ${duration(entry.onsetMs)}`,
    entry.heldMs === undefined ? undefined : `held ${duration(entry.heldMs)}`,
    `before: ${entry.before.seen ?? 'not seen'}`,
    entry.beside === undefined ? undefined : `beside: ${entry.beside.seen ?? 'not seen'}`,
    `after: ${entry.after.seen ?? 'not seen'}`,
  ]
    .filter((part) => part !== undefined)
    .join('; ')
