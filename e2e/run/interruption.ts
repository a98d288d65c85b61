import { constants } from 'node:os'

/** Signals by which somebody ends a run. */
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** A terminal and a parent both send the signal: within this many milliseconds it is one wish. */
const echoMs = 1_500

/**
 * From now on the first signal to this process aborts the returned signal and nothing else; a second one, later, ends the process at
 * once. `exitCode` is 128 plus the number of the signal, as shells have it.
 */
export function interruption(): { signal: AbortSignal; exitCode: () => number } {
  const controller = new AbortController()
  let first: { by: NodeJS.Signals; at: number } | undefined
  const exitCode = (): number => 128 + (first === undefined ? 0 : constants.signals[first.by])
  for (const name of signals) {
    process.on(name, () => {
      if (first === undefined) {
        first = { by: name, at: performance.now() }
        process.stderr.write('\nStopping: tests that run are told to end, then what they made is removed.\n')
        controller.abort(new Error(`interrupted by ${name}`))
      } else if (performance.now() - first.at > echoMs) {
        process.kill(process.pid, 'SIGKILL')
      }
    })
  }
  return { signal: controller.signal, exitCode }
}
