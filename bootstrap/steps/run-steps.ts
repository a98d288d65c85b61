import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { toLocalCloudError } from '../errors/to-local-cloud-error.ts'
import { throwIfAborted } from '../process/run-command.ts'
import type { Emit, PlannedStep } from '../report/events.ts'
import { orderSteps } from './order-steps.ts'
import type { Step, StepRun } from './step.ts'
import { withinDeadline } from './within-deadline.ts'

export interface RunOptions {
  emit: Emit
  signal: AbortSignal
  /** How many steps may work at once; default: all that their needs allow. */
  concurrency?: number
  /** How long a step that was told to stop may take to do so before it is given up, milliseconds; default 15 s. */
  settleMs?: number
}

export interface StepOutcome {
  id: string
  /** `skipped`: it was done already; `succeeded`: applied and verified. */
  outcome: 'skipped' | 'succeeded'
  /** What `observe` or `verify` saw. */
  seen: string
  ms: number
}

/**
 * Brings every step to done: after its needs, in parallel where they allow, without touching what `observe` calls done.
 * When one fails, or the signal aborts, no further step starts, the running ones are told to stop and waited for, and the
 * first cause is thrown.
 * @returns what was done, in the order of ending.
 * @throws LocalCloudError the first step's error, STEP_TIMEOUT, INTERRUPTED, or INTERNAL for a graph that cannot be ordered.
 */
export async function runSteps(steps: readonly Step[], options: RunOptions): Promise<StepOutcome[]> {
  const ordered = orderSteps(steps)
  throwIfAborted(options.signal)
  const outcomes: StepOutcome[] = []
  const stop = new AbortController()
  const signal = AbortSignal.any([options.signal, stop.signal])
  let first: LocalCloudError | undefined
  await inOrder(
    ordered,
    options.concurrency,
    () => !signal.aborted,
    async (step) => {
      try {
        outcomes.push(await runStep(step, { ...options, signal }))
      } catch (error) {
        const cause = toLocalCloudError(error)
        first ??= cause
        stop.abort(
          new LocalCloudError('INTERRUPTED', { message: `Stopped, because ${step.title} failed.`, cause }),
        )
      }
    },
  )
  throwIfAborted(options.signal)
  if (first) throw first
  return outcomes
}

async function runStep(step: Step, { emit, signal, settleMs }: RunOptions): Promise<StepOutcome> {
  const { id, title, timeoutMs } = step
  const started = Date.now()
  const ms = (): number => Date.now() - started
  emit({ type: 'started', step: id, title })
  try {
    const work = async (run: StepRun): Promise<Pick<StepOutcome, 'outcome' | 'seen'>> => {
      const observed = await step.observe(run)
      if (observed.state === 'done') return { outcome: 'skipped', seen: observed.reason }
      throwIfAborted(run.signal)
      await step.apply(run)
      throwIfAborted(run.signal)
      return { outcome: 'succeeded', seen: await step.verify(run) }
    }
    const result = await withinDeadline({ ...deadline(step, emit, settleMs), timeoutMs, signal }, work)
    if (result.outcome === 'skipped')
      emit({ type: 'skipped', step: id, title, reason: result.seen, ms: ms() })
    else emit({ type: 'succeeded', step: id, title, seen: result.seen, ms: ms() })
    return { id, ...result, ms: ms() }
  } catch (error) {
    const failure = toLocalCloudError(error)
    emit({ type: 'failed', step: id, title, error: failure, ms: ms() })
    throw failure
  }
}

/**
 * Asks every step how far the world is, all at once and only reading; emits progress only. A step that cannot say is
 * `unknown` with its error as the reason, or `absent` when something it needs is.
 * @throws LocalCloudError INTERRUPTED when the signal aborts, INTERNAL for a graph that cannot be ordered.
 */
export async function observeSteps(steps: readonly Step[], options: RunOptions): Promise<PlannedStep[]> {
  const ordered = orderSteps(steps)
  throwIfAborted(options.signal)
  const { emit, signal, settleMs } = options
  const rows = await Promise.all(
    ordered.map(async (step): Promise<PlannedStep> => {
      const row = { id: step.id, title: step.title, needs: step.needs }
      try {
        const timeoutMs = Math.min(step.timeoutMs, observeTimeoutMs)
        return {
          ...row,
          ...(await withinDeadline({ ...deadline(step, emit, settleMs), timeoutMs, signal }, (run) =>
            step.observe(run),
          )),
        }
      } catch (error) {
        return { ...row, state: 'unknown', reason: toLocalCloudError(error).message }
      }
    }),
  )
  throwIfAborted(signal)
  return rows.reduce<PlannedStep[]>((done, row) => [...done, resolveUnknown(row, done)], [])
}

/** Looking must be quick; what takes longer than this is reported as unknown. */
const observeTimeoutMs = 20_000

function resolveUnknown(row: PlannedStep, before: readonly PlannedStep[]): PlannedStep {
  if (row.state !== 'unknown') return row
  const absent = before.find((other) => row.needs.includes(other.id) && other.state === 'absent')
  return absent ? { ...row, state: 'absent', reason: `comes after: ${absent.title}` } : row
}

/**
 * Takes every step back, each after all that need it, in parallel where that allows. A step that fails does not keep the
 * others from being undone.
 * @throws LocalCloudError the only error, or the first with the others as evidence; INTERRUPTED when the signal aborts.
 */
export async function undoSteps(steps: readonly Step[], options: RunOptions): Promise<void> {
  const ordered = orderSteps(steps)
  const { emit, signal, settleMs } = options
  throwIfAborted(signal)
  const reversed = ordered
    .map((step) => ({
      id: step.id,
      step,
      needs: ordered.filter((other) => other.needs.includes(step.id)).map((other) => other.id),
    }))
    .reverse()
  const errors: { title: string; error: LocalCloudError }[] = []
  await inOrder(
    reversed,
    options.concurrency,
    () => !signal.aborted,
    async ({ step }) => {
      const { id, title, timeoutMs } = step
      if (!step.undo) return
      const started = Date.now()
      emit({ type: 'started', step: id, title })
      try {
        await withinDeadline({ ...deadline(step, emit, settleMs), timeoutMs, signal }, async (run) =>
          step.undo?.(run),
        )
        emit({ type: 'undone', step: id, title, ms: Date.now() - started })
      } catch (thrown) {
        const error = toLocalCloudError(thrown)
        errors.push({ title, error })
        emit({ type: 'failed', step: id, title, error, ms: Date.now() - started })
      }
    },
  )
  throwIfAborted(signal)
  const [first, ...others] = errors
  if (!first) return
  if (others.length === 0) throw first.error
  throw new LocalCloudError(first.error.code, {
    message: `${String(errors.length)} steps could not be taken back; the first, ${first.title}: ${first.error.message}`,
    hint: first.error.hint,
    evidence: [
      ...first.error.evidence,
      ...others.map(({ title, error }) => `${title}: ${error.code}: ${error.message}`),
    ],
    cause: first.error.cause,
  })
}

const deadline = (step: Step, emit: Emit, settleMs: number | undefined) => ({
  id: step.id,
  title: step.title,
  onProgress(message: string) {
    emit({ type: 'progress', step: step.id, message })
  },
  ...(settleMs === undefined ? {} : { settleMs }),
})

/** Runs `work` on each node once all its needs have ended, at most `concurrency` at a time, as long as `goOn` holds. */
async function inOrder<N extends { id: string; needs: readonly string[] }>(
  nodes: readonly N[],
  concurrency = Infinity,
  goOn: () => boolean,
  work: (node: N) => Promise<void>,
): Promise<void> {
  const waiting = new Set(nodes)
  const ended = new Set<string>()
  const running = new Map<string, Promise<void>>()
  for (;;) {
    for (const node of waiting) {
      if (running.size >= concurrency || !goOn()) break
      if (!node.needs.every((need) => ended.has(need))) continue
      waiting.delete(node)
      running.set(
        node.id,
        work(node).finally(() => {
          running.delete(node.id)
          ended.add(node.id)
        }),
      )
    }
    if (running.size === 0) return
    await Promise.race(running.values())
  }
}
