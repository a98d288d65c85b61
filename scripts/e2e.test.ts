import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { totalsOf, type RunReport, type TestReport } from '../e2e/report/run-report.ts'
import { onlyByName, parseOptions, suitesIn } from './e2e-options.ts'
import { summarize } from './e2e-summary.ts'

const known = ['addons', 'smoke']

describe('parseOptions', () => {
  it('takes every suite when none is named', () => {
    expect(parseOptions([], known)).toEqual({
      suites: known,
      name: 'local-cloud',
      up: true,
      allowForeign: false,
    })
  })

  it('runs a suite that destroys only when it is named', () => {
    const all = [...known, ...onlyByName]
    expect(parseOptions([], all)).toMatchObject({ suites: known })
    expect(parseOptions(['--suite', 'reset'], all)).toMatchObject({ suites: ['reset'] })
    const folder = path.resolve(import.meta.dirname, '..', 'e2e', 'suites')
    expect(suitesIn(folder)).toEqual(expect.arrayContaining([...onlyByName]))
  })

  it('takes what is given', () => {
    expect(
      parseOptions(
        [
          '--suite',
          'smoke',
          '--test',
          'ingress',
          '--name',
          'demo',
          '--no-up',
          '--allow-foreign',
          '--ingress-url',
          'http://h',
        ],
        known,
      ),
    ).toEqual({
      suites: ['smoke'],
      test: 'ingress',
      name: 'demo',
      up: false,
      allowForeign: true,
      ingressUrl: 'http://h',
    })
    expect(parseOptions(['--help'], known)).toBe('help')
  })

  it('refuses what it does not know', () => {
    expect(() => parseOptions(['--suite', 'smok'], known)).toThrow('there are addons, smoke')
    expect(() => parseOptions(['--siute', 'smoke'], known)).toThrow('--siute')
    expect(() => parseOptions(['--name', '../x'], known)).toThrow('--name ../x')
  })
})

describe('summarize', () => {
  const test = (verdict: TestReport['verdict'], title: string): TestReport => ({
    suite: 'smoke',
    path: [title],
    verdict,
    durationMs: 1,
    reasons: verdict === 'pass' ? [] : [{ name: 'X', message: `why ${title}\nmore` }],
    record: { controls: [], facts: [] },
  })
  const report = (...tests: TestReport[]): RunReport => ({
    format: 'local-cloud-e2e-report/1',
    runId: 'r',
    startedAt: '',
    durationMs: 1,
    environment: [],
    totals: totalsOf(tests),
    tests,
  })

  it('names what is red and what is not proven, and counts a broken check as failed', () => {
    const { lines, exitCode } = summarize(
      report(test('pass', 'a'), test('fail', 'b'), test('error', 'c'), test('not-proven', 'd')),
      '/r',
    )
    expect(exitCode).toBe(1)
    expect(lines.at(-1)).toBe('1 passed, 2 failed')
    expect(lines).toContain('Report: /r/index.html (also report.json and junit.xml)')
    expect(lines).toContain('  smoke: b: why b')
    expect(lines.join('\n')).toMatch(/NOT PROVEN, 1 tests.*\n {2}smoke: d: why d/)
  })

  it('is not green when nothing ran or nothing was written', () => {
    expect(summarize(report(), '/r')).toMatchObject({ exitCode: 1 })
    expect(summarize(undefined, '/r').lines.at(-1)).toBe('0 passed, 1 failed')
  })
})

describe('npm run e2e', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'e2e-'))
  })
  afterEach(() => {
    rmSync(folder, { recursive: true })
  })
  const run = (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
    new Promise((resolve) => {
      const child = execFile(
        process.execPath,
        ['scripts/e2e.mjs', ...args, '--state-dir', folder],
        (_, stdout, stderr) => {
          resolve({ code: child.exitCode ?? -1, stdout, stderr })
        },
      )
    })

  it('prints its help', async () => {
    expect(await run('--help')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('--suite NAME') as string,
    })
  })

  it('does not take a missing cluster for a success', async () => {
    expect(await run('--no-up')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('There is no cluster local-cloud that answers') as string,
    })
  })

  it('refuses an unknown suite', async () => {
    expect(await run('--suite', 'nonsense')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--suite nonsense: there is no such suite') as string,
    })
  })
})
