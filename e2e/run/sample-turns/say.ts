import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

/** A log that all suites of this sample share. */
const file = process.env['SAMPLE_LOG'] ?? ''

export const say = (line: string): void => {
  appendFileSync(file, `${line}\n`)
}

/** Waits until the log is as wanted, at most 20 s: whoever reads the log sees what it lacks. */
export async function until(isAsWanted: (log: string[]) => boolean): Promise<void> {
  const deadline = performance.now() + 20_000
  const log = () => (existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [])
  while (!isAsWanted(log()) && performance.now() < deadline) await delay(20)
}

/** Tells of the beginning of some work and of its end, with the time in between. */
export async function atWork(name: string, work: () => Promise<unknown>): Promise<void> {
  say(`${name} begins`)
  const began = performance.now()
  await work()
  say(`${name} ends after ${String(Math.round(performance.now() - began))} ms`)
}
