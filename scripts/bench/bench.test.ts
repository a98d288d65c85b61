import { execFile } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { milestones, readLines } from './milestones.ts'
import { markdownTable, replaceBetween, table, type BenchResult } from './result.ts'
import { run } from './run.ts'
import { spread } from './statistics.ts'

describe('spread', () => {
  it('is median, least and most', () => {
    expect(spread([30, 10, 20])).toEqual({ median: 20, min: 10, max: 30, n: 3 })
    expect(spread([40, 10, 20, 30])).toEqual({ median: 25, min: 10, max: 40, n: 4 })
    expect(spread([7])).toEqual({ median: 7, min: 7, max: 7, n: 1 })
    expect(() => spread([])).toThrow(RangeError)
  })
})

describe('milestones', () => {
  const start = Date.parse('2026-01-01T00:00:00.000Z')
  const event = (second: number, type: string, step: string) =>
    JSON.stringify({ at: new Date(start + second * 1000).toISOString(), type, step })
  const text = [
    event(1, 'started', 'cluster'),
    'a line of some tool',
    '{"broken":',
    'null',
    event(12, 'succeeded', 'cluster'),
    event(20, 'succeeded', 'addon:cilium'),
    event(50, 'succeeded', 'addon:traefik'),
    event(45, 'succeeded', 'addon:coredns'),
    event(80, 'succeeded', 'system'),
  ].join('\n')

  it('are read off the events, the last add-on counting', () => {
    expect(milestones(readLines(text), start)).toEqual({
      apiHealthy: 12_000,
      addonsProven: 50_000,
      systemReady: 80_000,
    })
  })

  it('are absent when they did not come: a step that was skipped is none', () => {
    expect(milestones(readLines(event(1, 'skipped', 'cluster')), start)).toEqual({})
  })
})

describe('the table', () => {
  const result: BenchResult = {
    format: 'local-cloud-bench/1',
    measuredAt: '2026-01-02T03:04:05.000Z',
    runs: 3,
    machine: { cores: 2, memoryGiB: 23.4, kernel: '6.1', node: 'v24', cpu: 'Some CPU' },
    engine: 'podman 4.3.1',
    kubernetes: 'v1.36.4',
    images: { source: 'packages', why: 'x' },
    measures: {
      systemReady: { median: 99_940, min: 91_000, max: 120_000, n: 3 },
      help: { median: 61, min: 58, max: 90, n: 15 },
    },
  }

  it('has a row for what was measured, in its order, with target and spread', () => {
    const lines = table(result).split('\n')
    expect(lines).toHaveLength(6)
    expect(lines[2]).toMatch(/^\| `up --help` +\| 0\.06 s +\| 0\.06 s – 0\.09 s +\| 15 +\| 0\.20 s +\|$/)
    expect(lines[3]).toMatch(/SLATE ready +\| 99\.9 s +\| 91\.0 s – 120\.0 s \| 3 +\| 120\.0 s \|$/)
    expect(lines[5]).toContain('2026-01-02: 2 cores (Some CPU), 23 GiB')
  })

  it('takes its place in a text, and only there', () => {
    const text = 'a\n<!-- bench:start -->\nold\n<!-- bench:end -->\nb'
    expect(replaceBetween(text, 'bench', 'new')).toBe(
      'a\n<!-- bench:start -->\n\nnew\n\n<!-- bench:end -->\nb',
    )
    expect(() => replaceBetween('a', 'bench', 'new')).toThrow('no place')
  })

  it('pads its columns', () => {
    expect(markdownTable(['a', 'b'], [['long one', '1']])).toEqual([
      '| a        | b   |',
      '| -------- | --- |',
      '| long one | 1   |',
    ])
  })
})

describe('run', () => {
  const { signal } = new AbortController()

  it('takes the time of a program and gives its lines as they come', async () => {
    const lines: string[] = []
    const ran = await run(
      process.execPath,
      ['-e', 'console.log("a\\nb"); setTimeout(() => console.log("c"), 50)'],
      {
        signal,
        onLine: (line) => lines.push(line),
      },
    )
    expect(lines).toEqual(['a', 'b', 'c'])
    expect(ran.ms).toBeGreaterThan(50)
  })

  it('says which program failed and what it said last', async () => {
    await expect(
      run(process.execPath, ['-e', 'console.error("no disk"); process.exitCode = 3'], { signal }),
    ).rejects.toThrow(/ended with exit code 3:\nno disk/)
  })

  it('ends the program and waits for it when it is stopped', async () => {
    const stop = new AbortController()
    setTimeout(() => {
      stop.abort(new Error('Ctrl-C'))
    }, 300)
    const started = performance.now()
    await expect(
      run(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)'], { signal: stop.signal }),
    ).rejects.toThrow('Ctrl-C')
    expect(performance.now() - started).toBeLessThan(10_000)
  })
})

describe('npm run bench', () => {
  it('prints its help and refuses what it does not know', async () => {
    const ask = (...args: string[]) =>
      new Promise<{ code: number | null; output: string }>((resolve) => {
        const child = execFile(process.execPath, ['scripts/bench.ts', ...args], (_, stdout, stderr) => {
          resolve({ code: child.exitCode, output: stdout + stderr })
        })
      })
    expect(await ask('--help')).toMatchObject({
      code: 0,
      output: expect.stringContaining('--runs N') as string,
    })
    expect(await ask('--runs', '0')).toMatchObject({
      code: 1,
      output: expect.stringContaining('--runs 0') as string,
    })
    expect(await ask('--rnus', '1')).toMatchObject({
      code: 1,
      output: expect.stringContaining('--rnus') as string,
    })
    // Three programs are started, on a machine that may be busy.
  }, 60_000)
})
