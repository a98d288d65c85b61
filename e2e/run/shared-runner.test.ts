import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RunReport } from '../report/run-report.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'shared-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})

/** Runs suites that are called like real ones, as the profile `shared` does. */
const run = (name: string, ...args: string[]): Promise<RunReport> =>
  new Promise((resolve) => {
    const directory = path.join(folder, name)
    execFile(
      process.execPath,
      [
        path.resolve('node_modules/vitest/vitest.mjs'),
        'run',
        '--root',
        path.resolve('e2e/run/sample'),
        ...args,
      ],
      { env: { ...process.env, SAMPLE_REPORT: directory } },
      () => {
        resolve(JSON.parse(readFileSync(path.join(directory, 'report.json'), 'utf8')) as RunReport)
      },
    )
  })

const told = ({ tests }: RunReport): Record<string, string> =>
  Object.fromEntries(
    tests.map(({ suite, path: titles, verdict, reasons }) => [
      `${suite}: ${titles.join(' › ')}`,
      [verdict, ...reasons.map(({ message }) => message)].join(': '),
    ]),
  )

describe('on a shared cluster', () => {
  let report: RunReport
  beforeAll(async () => {
    report = await run('all')
  }, 30_000)

  it('what is safe is run, and each test that is not is not proven, by its name and with the reason', () => {
    expect(told(report)).toEqual({
      'reset: reset › deletes everything':
        'not-proven: not run on a shared cluster: it deletes a system with its data, on which others may rely',
      'slate-limits: priority › slate-gpu-priority is the specified class': 'pass',
      'slate-limits: priority › a GPU workload displaces a standard one, and another standard one does not':
        'not-proven: not run on a shared cluster: it writes a resource of its own into the status of a node',
    })
  })

  it('not even the set-up of a suite runs of which nothing is safe', () => {
    expect(existsSync(path.join(folder, 'all.touched'))).toBe(false)
  })

  it('what a pattern leaves out is not told', async () => {
    const filtered = await run('filtered', '-t', 'specified class')
    expect(Object.values(told(filtered))).toEqual(['pass'])
  }, 30_000)
})
