import { rmSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { reportVariable, type RunReport } from '../report/run-report.ts'
import { fileOf } from '../suites.ts'
import { isAborted } from './is-aborted.ts'
import { openVitest } from './open-vitest.ts'
import { readReport } from './read-report.ts'

/** How long after it was told in vain vitest is told again to cancel, milliseconds. */
const toldAgainMs = 100

export interface RunTests {
  suites: readonly string[]
  /** Pattern for the titles of tests, which vitest joins by ` > `. */
  pattern?: string
  /** Where the report goes. */
  directory: string
  /** Ends the run in good order: tests that run are told, the others do not begin. */
  signal: AbortSignal
  /** How long tests may take to end after the signal, milliseconds. */
  graceMs?: number
}

/**
 * Runs suites in this process and returns their report, which lies in `directory` then; undefined when there is none, as when the signal
 * came before vitest was ready. After a later one the report tells what was not proven.
 * @throws whatever vitest throws for a configuration that cannot be loaded
 */
export async function runTests(options: RunTests): Promise<RunReport | undefined> {
  const { suites, pattern, directory, signal, graceMs = 20_000 } = options
  process.env[reportVariable] = directory
  rmSync(path.join(directory, 'report.json'), { force: true })
  rmSync(path.join(directory, 'evidence'), { recursive: true, force: true })
  if (signal.aborted) return undefined
  const before = process.exitCode
  const vitest = await withoutItsSignals(() => openVitest({ pattern }))
  const over = Promise.withResolvers<undefined>()
  let grace: NodeJS.Timeout | undefined
  let ended = false
  /** vitest forgets what it is told before its first test; once it listens the call returns when the run is over. */
  const cancel = async (): Promise<void> => {
    while (!ended) {
      await vitest.cancelCurrentRun('keyboard-input').catch(() => undefined)
      await delay(toldAgainMs, undefined, { ref: false })
    }
  }
  const stop = (): void => {
    void cancel()
    grace = setTimeout(over.resolve, graceMs, undefined)
  }
  signal.addEventListener('abort', stop, { once: true })
  try {
    if (!isAborted(signal)) await Promise.race([vitest.start(suites.map(fileOf)), over.promise])
  } finally {
    ended = true
    clearTimeout(grace)
    signal.removeEventListener('abort', stop)
    // A test that does not end keeps its worker; the process does not wait for it.
    await Promise.race([vitest.close(), over.promise, closing(signal)])
    process.exitCode = before
  }
  return readReport(directory)
}

/** Makes something that listens to signals by itself and would end the process at once, and takes its listeners away. */
async function withoutItsSignals<T>(make: () => Promise<T>): Promise<T> {
  const names = ['SIGINT', 'SIGTERM'] as const
  const before = names.map((name) => process.listeners(name))
  const made = await make()
  for (const [index, name] of names.entries())
    for (const listener of process.listeners(name))
      if (!before[index]?.includes(listener)) process.off(name, listener)
  return made
}

/** Resolves some time after an interruption, so that closing cannot take for ever; never without one. */
const closing = (signal: AbortSignal): Promise<undefined> =>
  new Promise((resolve) => {
    const begin = (): void => {
      setTimeout(resolve, 5_000, undefined).unref()
    }
    if (signal.aborted) begin()
    else signal.addEventListener('abort', begin, { once: true })
  })
