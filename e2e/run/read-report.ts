import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { RunReport } from '../report/run-report.ts'

/** The report that lies in a folder; undefined when there is none, or half a one. */
export function readReport(directory: string): RunReport | undefined {
  try {
    return JSON.parse(readFileSync(path.join(directory, 'report.json'), 'utf8')) as RunReport
  } catch {
    return undefined
  }
}
