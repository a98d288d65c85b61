import { PassThrough } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { reporterKind } from './choose-reporter.ts'
import { duration } from './duration.ts'
import type { Event } from './events.ts'
import { jsonLinesReporter } from './json-lines.ts'
import { plainReporter } from './plain.ts'
import { redactEvent } from './redact-event.ts'
import { spinnerText, terminalReporter } from './terminal.ts'

const failure = new LocalCloudError('NO_ENGINE', { message: 'No engine.' })
const stopped = new LocalCloudError('INTERRUPTED', { message: 'Stopped, because Engine failed.' })

const story: Event[] = [
  { type: 'notice', level: 'warning', message: 'cgroup v1' },
  { type: 'started', step: 'engine', title: 'Engine' },
  { type: 'started', step: 'images', title: 'Images' },
  { type: 'progress', step: 'images', message: 'building kubelet' },
  { type: 'progress', step: 'images', message: 'building cilium' },
  { type: 'skipped', step: 'tools', title: 'Tools', reason: 'kubectl is there', ms: 20 },
  { type: 'failed', step: 'engine', title: 'Engine', error: failure, ms: 1500 },
  { type: 'failed', step: 'images', title: 'Images', error: stopped, ms: 1600 },
  { type: 'succeeded', step: 'dns', title: 'DNS', seen: 'a lookup answers', ms: 65_000 },
  { type: 'undone', step: 'dns', title: 'DNS', ms: 100 },
  {
    type: 'planned',
    steps: [{ id: 'dns', title: 'DNS', needs: [], state: 'partial', reason: '1 of 2 pods' }],
  },
]

const collector = () => {
  let text = ''
  return { write: (part: string) => (text += part), text: () => text }
}

describe('duration', () => {
  it.each([
    [0, '0.0 s'],
    [449, '0.4 s'],
    [12_400, '12 s'],
    [59_800, '1 min 00 s'],
    [125_000, '2 min 05 s'],
    [3_720_000, '1 h 02 min'],
  ])('%i ms is %s', (ms, text) => {
    expect(duration(ms)).toBe(text)
  })
})

describe('reporterKind', () => {
  const none = { json: false, plain: false, verbose: false }
  it('chooses by flags, then by surroundings', () => {
    expect(reporterKind(none, {}, true)).toBe('terminal')
    expect(reporterKind(none, {}, false)).toBe('plain')
    expect(reporterKind(none, { CI: '1' }, true)).toBe('plain')
    expect(reporterKind(none, { CI: 'false' }, true)).toBe('terminal')
    expect(reporterKind(none, { TERM: 'dumb' }, true)).toBe('plain')
    expect(reporterKind({ ...none, plain: true }, {}, true)).toBe('plain')
    expect(reporterKind({ ...none, json: true, plain: true }, { CI: '1' }, true)).toBe('json')
  })
})

describe('plain', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('tells every event on a line of its own', () => {
    const output = collector()
    const reporter = plainReporter(output, { verbose: false })
    for (const event of story) reporter.emit(event)
    reporter.close()
    expect(
      output
        .text()
        .split('\n')
        .map((line) => line.replace(/^\[0\.0 s\] +/, '')),
    ).toEqual([
      '! cgroup v1',
      '▸ Engine',
      '▸ Images',
      'Images: building kubelet',
      '✔ Tools: kubectl is there',
      '✖ Engine (1.5 s): NO_ENGINE',
      '■ Images: stopped (1.6 s)',
      '✔ DNS (1 min 05 s): a lookup answers',
      '✔ DNS: taken back (0.1 s)',
      '◐ DNS: partial, 1 of 2 pods',
      '',
    ])
  })

  it('names what is still running every 30 s, with its last progress', () => {
    const output = collector()
    const reporter = plainReporter(output, { verbose: false })
    for (const event of story.slice(1, 5)) reporter.emit(event)
    reporter.emit({ type: 'succeeded', step: 'engine', title: 'Engine', seen: 'podman', ms: 5 })
    vi.advanceTimersByTime(61_000)
    reporter.close()
    vi.advanceTimersByTime(60_000)
    const beats = output
      .text()
      .split('\n')
      .filter((line) => line.includes('…'))
    expect(beats).toEqual([
      '[30 s]       … Images still running, 30 s: building cilium',
      '[1 min 00 s] … Images still running, 1 min 00 s: building cilium',
    ])
  })

  it('tells progress at most every 10 s a step, all of it with verbose', () => {
    const progress: Event = { type: 'progress', step: 'images', message: 'line' }
    for (const [verbose, lines] of [
      [false, 2],
      [true, 4],
    ] as const) {
      const output = collector()
      const reporter = plainReporter(output, { verbose })
      reporter.emit(progress)
      reporter.emit(progress)
      vi.advanceTimersByTime(10_000)
      reporter.emit(progress)
      reporter.emit(progress)
      reporter.close()
      expect(output.text().trim().split('\n')).toHaveLength(lines)
    }
  })

  it('ends with the error', () => {
    const output = collector()
    const reporter = plainReporter(output, { verbose: false })
    reporter.fail(failure)
    reporter.close()
    expect(output.text()).toBe(`✖ NO_ENGINE No engine.\n  → ${failure.hint}\n`)
  })
})

describe('json lines', () => {
  it('gives every event as it is, and errors described', () => {
    const output = collector()
    const now = () => new Date(0)
    const reporter = jsonLinesReporter(output, { stack: false, now })
    for (const event of story) reporter.emit(event)
    reporter.fail(failure)
    const lines = output
      .text()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(lines).toHaveLength(story.length + 1)
    expect(lines[1]).toEqual({ at: '1970-01-01T00:00:00.000Z', ...story[1] })
    expect(lines[6]).toMatchObject({
      type: 'failed',
      step: 'engine',
      error: { code: 'NO_ENGINE', message: 'No engine.', exitCode: 3 },
    })
    expect(lines.at(-1)).toMatchObject({ type: 'error', code: 'NO_ENGINE', exitCode: 3 })
  })
})

describe('terminal', () => {
  it('shows running steps at the bottom and keeps what has ended', () => {
    const stream = new PassThrough() as unknown as NodeJS.WriteStream
    Object.assign(stream, {
      isTTY: true,
      columns: 60,
      rows: 24,
      cursorTo: () => true,
      clearLine: () => true,
      moveCursor: () => true,
      getColorDepth: () => 8,
      hasColors: () => true,
    })
    const reporter = terminalReporter(stream, { verbose: false })
    for (const event of story) reporter.emit(event)
    reporter.fail(failure)
    reporter.close()
    const text = stripVTControlCharacters(String((stream as unknown as PassThrough).read()))
    expect(text).toContain('2 steps,')
    expect(text).toMatch(/Images \(0\.\d s\) building cilium/)
    for (const line of [
      '! cgroup v1',
      '✖ Engine (1.5 s): NO_ENGINE',
      '■ Images: stopped (1.6 s)',
      '✔ DNS (1 min 05 s): a lookup answers',
      '✖ NO_ENGINE No engine.',
    ]) {
      expect(text).toContain(`${line}\n`)
    }
  })

  it('has a line for each of several steps, none wider than the terminal', () => {
    const one = { id: 'a', title: 'Images', since: 0, progress: `building\n${'x'.repeat(100)}` }
    expect(spinnerText([{ ...one, progress: '' }], 5000, 80, 3000)).toBe('Images (3.0 s)')
    const lines = spinnerText([one, { ...one, title: 'Engine', progress: 'starts' }], 5000, 40, 3000).split(
      '\n',
    )
    expect(lines).toHaveLength(3)
    expect(lines[0]).toBe('2 steps, 5.0 s in all')
    expect(lines[1]).toMatch(/^ {2}Images \(3\.0 s\) building x+…$/)
    expect(lines[1]).toHaveLength(37)
    expect(lines[2]).toBe('  Engine (3.0 s) starts')
  })
})

describe('redactEvent', () => {
  it('removes secrets from every text and leaves the rest', () => {
    const event: Event = {
      type: 'planned',
      steps: [{ id: 'a', title: 'A', needs: ['b'], state: 'done', reason: 'token=abcdefghij' }],
    }
    expect(redactEvent(event)).toEqual({
      type: 'planned',
      steps: [{ id: 'a', title: 'A', needs: ['b'], state: 'done', reason: 'token=[removed]' }],
    })
    expect(redactEvent(story[6]!)).toEqual(story[6])
  })
})
