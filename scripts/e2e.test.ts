import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { totalsOf, type RunReport, type TestReport } from '../e2e/report/run-report.ts'
import { judgedTest } from '../e2e/report/sample/judged-test.ts'
import type { Suite } from '../e2e/suites.ts'
import { parseOptions } from './e2e-options.ts'
import { summarize } from './e2e-summary.ts'

const suite = (change: Partial<Suite> & { name: string }): Suite => ({
  about: 'it',
  lane: 'together',
  profile: 'quick',
  shared: true,
  canaries: false,
  ...change,
})
const known = {
  suites: [
    suite({ name: 'canary', lane: 'first' }),
    suite({ name: 'smoke' }),
    suite({ name: 'slate-access', system: 'slate', canaries: true }),
    suite({ name: 'chart', system: 'slate', profile: 'full' }),
    suite({ name: 'reset', profile: 'named', shared: 'it deletes a system' }),
    suite({
      name: 'drain',
      profile: 'named',
      shared: [
        { test: 'nodes › drained', why: 'it cordons' },
        { test: 'more › spread wide', why: 'it spreads' },
      ],
    }),
  ],
  criteria: new Map([['SC-1', ['smoke: workloads', 'slate-access: roles']]]),
}

describe('parseOptions', () => {
  it('takes what the quick profile has when nothing is said', () => {
    expect(parseOptions([], known)).toEqual({
      action: 'run',
      profile: 'quick',
      suites: ['canary', 'smoke', 'slate-access'],
      only: [],
      name: 'local-cloud',
      up: true,
      allowForeign: false,
      keep: false,
      json: false,
    })
  })

  it('the full profile has more, and never what runs only by name', () => {
    expect(parseOptions(['--profile', 'full'], known).suites).toEqual([
      'canary',
      'smoke',
      'slate-access',
      'chart',
    ])
    expect(parseOptions(['--suite', 'reset'], known).suites).toEqual(['reset'])
  })

  it('runs the canaries before what asks for them, and only then', () => {
    expect(parseOptions(['--suite', 'smoke'], known).suites).toEqual(['smoke'])
    expect(parseOptions(['--suite', 'slate-access'], known).suites).toEqual(['canary', 'slate-access'])
  })

  it('takes a criterion for its tests, and a reference as it is', () => {
    expect(parseOptions(['--only', 'SC-1'], known)).toMatchObject({
      only: ['smoke: workloads', 'slate-access: roles'],
      suites: ['canary', 'smoke', 'slate-access'],
    })
    expect(parseOptions(['--only', 'chart: installs'], known)).toMatchObject({
      only: ['chart: installs'],
      suites: ['chart'],
    })
  })

  it('takes the suites about the systems that are on the cluster, and others by their name', () => {
    const more = {
      ...known,
      suites: [...known.suites, suite({ name: 'zones-access', system: 'zones' })],
      systemsOn: (name: string) => (name === 'new' ? undefined : ['zones']),
    }
    expect(parseOptions([], more).suites).toEqual(['canary', 'smoke', 'zones-access'])
    expect(parseOptions(['--name', 'new'], more).suites).toEqual(['canary', 'smoke', 'slate-access'])
    expect(parseOptions(['--suite', 'slate-access'], more).suites).toEqual(['canary', 'slate-access'])
    expect(parseOptions(['--system', 'zones', '--name', 'new'], more)).toMatchObject({
      suites: ['zones-access'],
      systems: ['zones'],
    })
  })

  it('takes only the suites of a system', () => {
    expect(parseOptions(['--system', 'slate'], known).suites).toEqual(['canary', 'slate-access'])
  })

  it('takes what is given', () => {
    const flags = [
      ...['--suite', 'smoke', '--test', 'ingress', '--name', 'demo', '--no-up', '--allow-foreign', '--keep'],
      ...['--ingress-url', 'http://h', '--provider', 'kind'],
    ]
    expect(parseOptions(flags, known)).toEqual({
      action: 'run',
      profile: 'quick',
      suites: ['smoke'],
      only: [],
      test: 'ingress',
      name: 'demo',
      provider: 'kind',
      up: false,
      allowForeign: true,
      keep: true,
      json: false,
      ingressUrl: 'http://h',
    })
    for (const action of ['help', 'list', 'summary'])
      expect(parseOptions([`--${action}`], known)).toMatchObject({ action })
  })

  it('refuses what it does not know', () => {
    for (const [flags, words] of [
      [['--suite', 'smok'], 'there are canary, smoke'],
      [['--siute', 'smoke'], '--siute'],
      [['--name', '../x'], '--name ../x'],
      [['--profile', 'slow'], '--profile slow: there is quick, full'],
      [['--system', 'zones'], 'there is slate'],
      [['--only', 'SC-9'], '--only SC-9: is neither a criterion (SC-1)'],
      [['--provider', 'k8s'], '--provider k8s: there is kind'],
      [['--system', 'slate', '--suite', 'smoke'], 'no suite to run'],
    ] as const)
      expect(() => parseOptions(flags, known), flags.join(' ')).toThrow(words)
  })
})

describe('on a cluster on which others work', () => {
  const isShared = (name: string, stateDir: string | undefined): boolean =>
    name === 'theirs' && stateDir === '/s'
  const shared = { ...known, isShared }
  const theirs = ['--name', 'theirs', '--state-dir', '/s']

  it('the profile shared is taken by itself, and no other', () => {
    expect(parseOptions(theirs, shared)).toMatchObject({
      profile: 'shared',
      suites: ['canary', 'smoke', 'slate-access'],
    })
    expect(parseOptions([...theirs, '--profile', 'shared'], shared).profile).toBe('shared')
    expect(parseOptions(['--name', 'ours', '--state-dir', '/s'], shared).profile).toBe('quick')
    expect(parseOptions(['--provider', 'existing', '--context', 'c'], known)).toMatchObject({
      profile: 'shared',
      provider: 'existing',
      context: 'c',
    })
    for (const profile of ['quick', 'full'])
      expect(() => parseOptions([...theirs, '--profile', profile], shared)).toThrow(
        `--profile ${profile}: others work on this cluster`,
      )
  })

  it('what is not safe is refused by its name', () => {
    for (const [flags, words] of [
      [['--suite', 'reset'], '--suite reset: not on a shared cluster: it deletes a system'],
      [['--only', 'reset: all'], '--only reset: all: not on a shared cluster: it deletes a system'],
      [['--only', 'drain: nodes › drained'], 'not on a shared cluster: it cordons'],
      [['--only', 'drain: nodes › drained at once'], 'not on a shared cluster: it cordons'],
      [['--only', 'drain: more › spread'], 'not on a shared cluster: it spreads'],
    ] as const)
      expect(() => parseOptions([...theirs, ...flags], shared), flags.join(' ')).toThrow(words)
    expect(parseOptions([...theirs, '--only', 'drain: nodes'], shared).suites).toEqual(['drain'])
    expect(parseOptions([...theirs, '--suite', 'drain'], shared).suites).toEqual(['drain'])
    expect(parseOptions(['--suite', 'reset'], shared).suites).toEqual(['reset'])
  })

  it('a criterion is proven as far as that is safe', () => {
    const criteria = new Map([['SC-1', ['smoke: workloads', 'drain: nodes › drained']]])
    expect(parseOptions([...theirs, '--only', 'SC-1'], { ...shared, criteria }).suites).toEqual([
      'smoke',
      'drain',
    ])
  })

  it('a context without an existing cluster says nothing', () => {
    expect(() => parseOptions(['--context', 'c'], known)).toThrow('says nothing without --provider existing')
  })
})

describe('summarize', () => {
  const test = (verdict: TestReport['verdict'], title: string): TestReport => {
    const { reasons, ...judged } = judgedTest(title, verdict)
    const long = reasons.map((reason) => ({ ...reason, message: `${reason.message}\nmore` }))
    return { ...judged, suite: 'smoke', reasons: long }
  }
  const report = (...tests: TestReport[]): RunReport => ({
    format: 'local-cloud-e2e-report/1',
    runId: 'r',
    profile: 'quick',
    startedAt: '',
    durationMs: 1,
    environment: [],
    criteria: [],
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
    const text = lines.join('\n')
    for (const words of ['/r/index.html', 'smoke: b', 'why b', 'why c', 'smoke: d', 'why d'])
      expect(text).toContain(words)
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
