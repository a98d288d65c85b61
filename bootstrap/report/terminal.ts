import { styleText } from 'node:util'
import ora from 'ora'
import { describeError } from './describe-error.ts'
import { duration } from './duration.ts'
import { eventLines, type Mood } from './event-line.ts'
import { formatProblem } from './format-problem.mjs'
import type { Reporter } from './reporter.ts'
import { trackRunningSteps, type RunningStep } from './running-steps.ts'

const styles = {
  good: 'green',
  bad: 'red',
  quiet: 'dim',
  warning: 'yellow',
  plain: 'reset',
} as const satisfies Record<Mood, string>

/**
 * For people at a terminal: a line for every running step with its time and last progress, kept up to date at the bottom;
 * what has ended scrolls away above.
 */
export function terminalReporter(stream: NodeJS.WriteStream, options: { verbose: boolean }): Reporter {
  const { verbose } = options
  const start = Date.now()
  const steps = trackRunningSteps(Date.now)
  const spinner = ora({ stream, discardStdin: false, hideCursor: true })
  const paint = (style: Parameters<typeof styleText>[0], text: string): string =>
    styleText(style, text, { stream })

  const draw = (): void => {
    const running = steps.running()
    if (running.length === 0) {
      if (spinner.isSpinning) spinner.stop()
      return
    }
    spinner.text = spinnerText(running, Date.now() - start, stream.columns)
    if (!spinner.isSpinning) spinner.start()
  }
  const clock = setInterval(draw, 1000)
  clock.unref()
  const print = (text: string): void => {
    // ora sees writes to its stream and draws itself below them again.
    stream.write(`${text}\n`)
  }

  return {
    emit(event) {
      steps.update(event)
      if (verbose && event.type === 'progress') print(paint('dim', `  ${event.step}: ${event.message}`))
      for (const { mark, mood, text } of eventLines(event)) {
        print(`${paint(styles[mood], mark)} ${mood === 'quiet' ? paint('dim', text) : text}`)
      }
      draw()
    },
    fail(error) {
      if (spinner.isSpinning) spinner.stop()
      stream.write(formatProblem(describeError(error, { stack: verbose }), paint))
    },
    close() {
      clearInterval(clock)
      if (spinner.isSpinning) spinner.stop()
    },
  }
}

/** The text beside and below the spinner: one line when one step runs, else a heading and a line for each. */
export function spinnerText(
  running: readonly RunningStep[],
  elapsedMs: number,
  columns: number,
  now = Date.now(),
): string {
  const lines = running.map(
    ({ title, since, progress }) =>
      `${title} (${duration(now - since)})${progress === '' ? '' : ` ${progress}`}`,
  )
  const shown =
    lines.length === 1
      ? lines
      : [`${String(lines.length)} steps, ${duration(elapsedMs)} in all`, ...lines.map((line) => `  ${line}`)]
  // The spinner takes two columns; a line that wraps would be cleared in part only.
  return shown
    .map((line) =>
      clip(
        line.replaceAll(/\s+/g, (blank) => (blank.includes('\n') ? ' ' : blank)),
        columns - 3,
      ),
    )
    .join('\n')
}

const clip = (line: string, width: number): string =>
  line.length <= width ? line : `${line.slice(0, Math.max(1, width - 1))}…`
