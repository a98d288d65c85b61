import { appendFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

/** Appends a line to the log that all suites of this sample share. */
export const say = (line: string): void => {
  appendFileSync(process.env['SAMPLE_LOG'] ?? '', `${line}\n`)
}

/** Tells of its beginning and its end, which lies a moment later. */
export async function atWork(name: string, ms: number): Promise<void> {
  say(`${name} begins`)
  await delay(ms)
  say(`${name} ends`)
}
