import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { describeError } from './describe-error.ts'
import type { Reporter, Output } from './reporter.ts'

/**
 * One JSON object a line: every event as it is in `events.ts`, errors as `ErrorDescription`, and the error that ends the
 * command as `{ "type": "error", … }`. Times are milliseconds; `at` is the time of day, ISO 8601.
 */
export function jsonLinesReporter(output: Output, options: { stack: boolean; now?: () => Date }): Reporter {
  const { now = () => new Date() } = options
  const line = (record: object): void => {
    const replacer = (_key: string, value: unknown): unknown =>
      value instanceof LocalCloudError ? describeError(value, options) : value
    output.write(`${JSON.stringify({ at: now().toISOString(), ...record }, replacer)}\n`)
  }
  return {
    emit: line,
    fail(error) {
      line({ type: 'error', ...describeError(error, options) })
    },
    close() {
      // Holds nothing.
    },
  }
}
