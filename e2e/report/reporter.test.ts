import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RunReport } from './run-report.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'report-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})

/** Runs the sample suites with a vitest of their own, as `npm run e2e` runs the real ones. */
const run = (
  name: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<{ stdout: string; report: RunReport }> =>
  new Promise((resolve) => {
    const directory = path.join(folder, name)
    execFile(
      process.execPath,
      [
        path.resolve('node_modules/vitest/vitest.mjs'),
        'run',
        '--root',
        path.resolve('e2e/report/sample'),
        ...args,
      ],
      { env: { ...process.env, SAMPLE_REPORT: directory, ...env } },
      (_, stdout) => {
        resolve({
          stdout,
          report: JSON.parse(readFileSync(path.join(directory, 'report.json'), 'utf8')) as RunReport,
        })
      },
    )
  })

describe('reportTo', () => {
  let stdout: string
  let report: RunReport
  beforeAll(async () => {
    ;({ stdout, report } = await run('all', []))
  })

  const verdict = (title: string) => report.tests.find((test) => test.path.at(-1) === title)

  it('gives each test its verdict', () => {
    expect(verdict('passes')?.verdict).toBe('pass')
    expect(verdict('fails')).toMatchObject({
      verdict: 'fail',
      reasons: [{ message: expect.stringMatching(/-   "replicas": 2,\n\+   "replicas": 1,/) as string }],
    })
    expect(verdict('is not proven')).toMatchObject({
      verdict: 'not-proven',
      reasons: [{ message: 'this machine has one node' }],
    })
    expect(verdict('is not proven by a note')).toMatchObject({
      verdict: 'not-proven',
      reasons: [{ message: 'no GPU' }],
    })
    expect(verdict('breaks')?.verdict).toBe('error')
  })

  it('counts a broken set-up and a file that does not load as errors, and the tests that never ran', () => {
    expect(verdict('never runs')).toMatchObject({ suite: 'broken-set-up', verdict: 'error' })
    expect(verdict('set-up or clean-up')?.reasons[0]?.message).toBe('no cluster')
    expect(verdict('the file')).toMatchObject({
      suite: 'broken-file',
      verdict: 'error',
      reasons: [{ message: 'a file that does not load' }],
    })
    expect(report.totals).toEqual({ pass: 1, fail: 1, 'not-proven': 4, error: 4 })
  })

  it('says of a test below a set-up that can prove nothing that it is not proven, and why', () => {
    expect(report.tests.filter(({ suite }) => suite === 'weak-set-up')).toMatchObject([
      {
        path: ['below a set-up that can prove nothing', 'cannot be proven'],
        verdict: 'not-proven',
        reasons: [{ message: 'this cluster has no GPUs' }],
      },
    ])
    expect(stdout).toMatch(/^NOT PROVEN +weak-set-up: .*cannot be proven .*\n +this cluster has no GPUs$/m)
    expect(verdict('waits in vain')).toMatchObject({
      verdict: 'not-proven',
      reasons: [{ message: 'no GPU is free' }],
    })
    expect(stdout).toMatch(/^NOT PROVEN +weak-part: a part › waits in vain .*\n +no GPU is free$/m)
    expect(stdout).not.toMatch(/^ERROR +weak-/m)
  })

  it('carries what a test recorded, and removes secrets', () => {
    expect(verdict('passes')?.record).toMatchObject({
      facts: [{ name: 'pod', value: 'web-1 <b>' }],
      controls: [{ cause: 'NetworkPolicy deny-all', heldMs: 3_000, beside: { seen: 'connected' } }],
    })
    expect(JSON.stringify(report)).not.toContain('hunter2')
  })

  it('prints one line a test, with reasons and controls below', () => {
    expect(stdout).toMatch(/^FAIL +verdicts: verdicts › fails /m)
    expect(stdout).toMatch(
      /^NOT PROVEN +verdicts: verdicts › is not proven {2}\(\d+ ms\)\n +this machine has one node$/m,
    )
    expect(stdout).toContain('held 3.0 s; before: connected; beside: connected; after: connected')
  })

  it('prints a failure that is meant as caught, and reports it as the failure that it is', async () => {
    const { report, stdout } = await run('meant', ['-t', 'fails', 'verdicts'], {
      SAMPLE_MEANT_TO_FAIL: 'fails',
    })
    expect(stdout).toMatch(/^caught +verdicts: verdicts › fails /m)
    expect(stdout).not.toContain('FAIL')
    expect(report.tests.map(({ verdict }) => verdict)).toEqual(['fail'])
  })

  it('leaves three whole files and nothing else', () => {
    expect(readdirSync(path.join(folder, 'all')).sort()).toEqual(['index.html', 'junit.xml', 'report.json'])
    const page = readFileSync(path.join(folder, 'all', 'index.html'), 'utf8')
    expect(page).toContain('web-1 &lt;b&gt;')
    expect(page).toContain('NetworkPolicy deny-all')
    expect(page).not.toMatch(/<script|https?:\/\/|@import|url\(/)
    const xml = readFileSync(path.join(folder, 'all', 'junit.xml'), 'utf8')
    expect(xml).toContain('tests="10" failures="1" errors="4" skipped="4"')
  })

  it('leaves out what a name filter excluded, and reports although the cluster is gone', async () => {
    const filtered = await run('filtered', ['-t', 'passes', 'verdicts'], { SAMPLE_NO_ENVIRONMENT: '1' })
    expect(filtered.report.tests.map((test) => test.path.at(-1))).toEqual(['passes'])
    expect(filtered.report.environment).toEqual([
      { group: 'Cluster', name: 'could not be read', value: 'the API does not answer' },
    ])
  })
}, 30_000)
