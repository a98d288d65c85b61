import { describeError } from './describe-error.ts'
import { duration } from './duration.ts'
import { eventLines } from './event-line.ts'
import { formatProblem } from './format-problem.mjs'
import type { Output, Reporter } from './reporter.ts'
import { trackRunningSteps } from './running-steps.ts'

export interface PlainOptions {
  /** Every line of progress, and stack traces. */
  verbose: boolean
  /** Milliseconds; default the system's clock. */
  now?: () => number
  /** Milliseconds between heartbeats; default 30 s. */
  heartbeatMs?: number
}

/** Progress of one step is told at most this often unless `verbose`, milliseconds. */
const progressEveryMs = 10_000

/**
 * For logs: one line an event, each with the time since the start. While steps run, a heartbeat names those still running
 * and what each reported last.
 */
export function plainReporter(output: Output, options: PlainOptions): Reporter {
  const { verbose, now = Date.now, heartbeatMs = 30_000 } = options
  const start = now()
  const steps = trackRunningSteps(now)
  const toldAt = new Map<string, number>()
  const line = (text: string): void => {
    output.write(
      `${`[${duration(now() - start)}]`.padEnd(12)} ${text.trimEnd().replaceAll('\n', '\n             ')}\n`,
    )
  }
  const heartbeat = setInterval(() => {
    for (const { title, since, progress } of steps.running()) {
      line(`… ${title} still running, ${duration(now() - since)}${progress === '' ? '' : `: ${progress}`}`)
    }
  }, heartbeatMs)
  heartbeat.unref()

  return {
    emit(event) {
      const title = steps.running().find((step) => 'step' in event && step.id === event.step)?.title
      steps.update(event)
      if (event.type === 'started') line(`▸ ${event.title}`)
      if (event.type === 'progress') {
        const last = toldAt.get(event.step)
        if (!verbose && last !== undefined && now() - last < progressEveryMs) return
        toldAt.set(event.step, now())
        line(`  ${title ?? event.step}: ${event.message}`)
      }
      for (const { mark, text } of eventLines(event)) line(`${mark} ${text}`)
    },
    fail(error) {
      output.write(formatProblem(describeError(error, { stack: verbose })))
    },
    close() {
      clearInterval(heartbeat)
    },
  }
}
