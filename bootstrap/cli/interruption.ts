import { LocalCloudError } from '../errors/local-cloud-error.ts'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * One Ctrl-C can arrive several times: from the terminal, from npx and from our own parent, which pass it on. Repetitions
 * within this time, in milliseconds, count as one.
 */
const sameWithinMs = 500

export interface Interruption {
  /** Aborts with INTERRUPTED at the first SIGINT, SIGTERM or SIGHUP. */
  signal: AbortSignal
  /** Lets signals have their usual effect again. */
  dispose(): void
}

/** Turns signals to this process into an abort; a second one, when stopping takes too long, calls `force`. */
export function listenForInterruption(force: () => void, now: () => number = Date.now): Interruption {
  const controller = new AbortController()
  let firstAt: number | undefined
  const onSignal = (name: NodeJS.Signals): void => {
    if (firstAt === undefined) {
      firstAt = now()
      controller.abort(new LocalCloudError('INTERRUPTED', { message: `Stopped by ${name}.` }))
    } else if (now() - firstAt > sameWithinMs) force()
  }
  for (const name of signals) process.on(name, onSignal)
  return {
    signal: controller.signal,
    dispose() {
      for (const name of signals) process.off(name, onSignal)
    },
  }
}
