import { describe, expect, it } from 'vitest'
import { html } from './html.ts'
import { escape } from './page/markup.ts'
import { totalsOf, type CriterionReport, type RunReport, type TestReport } from './run-report.ts'
import { evil, sampleReport, sampleStart } from './sample/sample-report.ts'
import { tagsOf } from './sample/tags-of.ts'

const sample = html(sampleReport())
const tags = tagsOf(sample)

const made = (tests: TestReport[], change: Partial<RunReport> = {}): RunReport => ({
  ...sampleReport(0),
  criteria: [],
  environment: [],
  totals: totalsOf(tests),
  tests,
  ...change,
})

const test = (change: Partial<TestReport> = {}): TestReport => ({
  suite: 'smoke',
  path: ['ingress', 'answers'],
  verdict: 'pass',
  startedAt: new Date(sampleStart + 1000).toISOString(),
  durationMs: 2_000,
  reasons: [],
  record: { controls: [], facts: [] },
  ...change,
})

const criterion = (change: Partial<CriterionReport>): CriterionReport => ({
  id: 'C1',
  text: 'It works',
  source: 'specification, Success Criteria',
  verdict: 'pass',
  why: '',
  tests: [],
  controls: [],
  mutations: [],
  ...change,
})

describe('html', () => {
  it('is well-formed, and every link on the page leads to one place', () => {
    const ids = tags.flatMap(({ attributes }) => (attributes['id'] === undefined ? [] : [attributes['id']]))
    expect(new Set(ids).size).toBe(ids.length)
    const targets = tags
      .flatMap(({ attributes }) => attributes['href'] ?? [])
      .filter((href) => href.startsWith('#'))
    expect(targets.length).toBeGreaterThan(250)
    expect(targets.filter((href) => !ids.includes(href.slice(1)))).toEqual([])
  })

  it('shows hostile text as text, wherever it stands', () => {
    expect(tags.filter(({ name }) => ['script', 'img', 'iframe', 'link', 'base'].includes(name))).toEqual([])
    expect(
      tags.flatMap(({ attributes }) => Object.keys(attributes)).filter((name) => name.startsWith('on')),
    ).toEqual([])
    expect(sample.split(escape(evil)).length - 1).toBeGreaterThanOrEqual(5)
    expect(sample).not.toContain('\u001b')
  })

  it('needs nothing but itself, and links only to files beside it', () => {
    expect(sample).not.toMatch(/https?:\/\/|@import|url\(/)
    expect(sample).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`)
    const files = tags
      .flatMap(({ attributes }) => attributes['href'] ?? [])
      .filter((href) => !href.startsWith('#'))
    expect(files).toContain('./evidence/58/events%20%26%20more.txt')
    expect(files.filter((href) => !/^\.\/[A-Za-z0-9]/.test(href) || href.includes('..'))).toEqual([])
    expect(files).toContain('./javascript%3Aalert(1)')
  })

  it.each([
    ['pass', 'pass'],
    ['fail', 'fail'],
    ['error', 'error'],
    ['not-proven', 'not proven'],
  ] as const)('says the verdict %s by a word', (verdict, word) => {
    const page = html(made([test({ verdict })], { criteria: [criterion({ verdict })] }))
    expect(
      page.match(
        new RegExp(`<span class="chip ${verdict}"><span aria-hidden="true">.</span> ${word}</span>`, 'g'),
      )?.length,
    ).toBeGreaterThanOrEqual(2)
  })

  it('says that nothing ran', () => {
    const page = html(made([]))
    expect(() => tagsOf(page)).not.toThrow()
    expect(page).toContain('<h1>No test ran</h1>')
    expect(page).toContain('<header class="fail">')
  })

  it('is not green when a criterion is not, though every test passes', () => {
    const page = (verdict: CriterionReport['verdict']) =>
      html(made([test()], { criteria: [criterion({ verdict })] }))
    expect(page('pass')).toContain('<h1>The only test passes</h1>')
    expect(page('fail')).toContain('<header class="fail">')
    expect(page('not-proven')).toContain('<header class="not-proven">')
  })

  it('holds long runs, and tests that share a name', () => {
    const page = html(made([...sampleReport(600).tests, test(), test()]))
    const ids = tagsOf(page).flatMap(({ attributes }) => attributes['id'] ?? [])
    expect(ids.filter((id) => id.startsWith('smoke-ingress-answers-'))).toHaveLength(2)
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('puts the criteria first, with what they rest on', () => {
    expect(sample.indexOf('id="criteria"')).toBeLessThan(sample.indexOf('id="not-green"'))
    expect(sample).toContain('1 of 3 mutations survived')
    expect(sample).toContain('did not run</span> slate-drain: a test › that was renamed')
  })

  it('names unproven tests under the reason that they share', () => {
    const unproven = (title: string, message: string) =>
      test({ path: [title], verdict: 'not-proven', reasons: [{ name: 'NotProven', message }] })
    const page = html(made([unproven('a', 'no GPU'), unproven('b', 'no GPU'), unproven('c', 'one node')]))
    expect(page.match(/<article/g)).toHaveLength(2)
  })
})

describe('the heat map', () => {
  it('shows what was expected and measured of every square, and how to see a mismatch again', () => {
    expect(sample).toContain('16 × 20, 2 of 320 squares are not as expected')
    expect(
      tags.filter(({ name, attributes }) => name === 'td' && attributes['class'] === 'sq leak'),
    ).toMatchObject([
      {
        attributes: {
          title:
            'slate-autonomous-loop → slate-agent-router:11434: expected closed, measured connected; control: slate-core connected to it in the same pass',
        },
      },
    ])
    expect(
      tags.filter(({ name, attributes }) => name === 'td' && attributes['class'] === 'sq shut'),
    ).toHaveLength(1)
    expect(sample.match(/<pre class="command">/g)).toHaveLength(3)
  })

  it('tells a square on which the specification and the policies disagree', () => {
    expect(sample).toMatch(/the specification says (open|closed), the policies mean (open|closed), measured/)
    expect(
      tags.filter(({ name, attributes }) => name === 'td' && attributes['class'] === 'sq disputed'),
    ).toHaveLength(1)
    expect(
      tags.filter(({ name, attributes }) => name === 'td' && attributes['class'] === 'sq none'),
    ).toHaveLength(8)
    expect(sample).toContain('the specification reads otherwise')
  })
})

describe('the plot', () => {
  it('has a panel for each series and says the same in words', () => {
    expect(sample).toContain('desired: 2 → 4 at 1:01 → 6 at 2:01 → 4 at 5:30 → 2 at 7:30')
    expect(
      tags.filter(({ name, attributes }) => name === 'path' && attributes['class']?.startsWith('line')),
    ).toHaveLength(3)
    expect(sample).not.toContain('NaN')
  })

  it('draws what holds its value to the end, and a lone sample', () => {
    const series = [
      {
        title: 's',
        unit: 'n',
        lines: [
          { name: 'one', points: [[sampleStart, 3]] as [number, number][] },
          {
            name: 'held',
            step: true,
            points: [
              [sampleStart, 1],
              [sampleStart + 10_000, 2],
            ] as [number, number][],
          },
          { name: 'none', points: [[sampleStart, Number.NaN]] as [number, number][] },
        ],
        limits: [],
        marks: [{ atMs: Number.NaN, text: 'never' }],
      },
    ]
    const page = html(made([test({ record: { controls: [], facts: [], series } })]))
    expect(page).toContain('none: nothing was seen')
    expect(page).not.toMatch(/ d="[^"]*NaN/)
    expect(page).toMatch(/class="line l0" d="M46 \d+h\.01"/)
    expect(page).toMatch(/class="line l1" d="M46 [\d.]+H824V[\d.]+H824"/)
  })

  it('says that nothing was seen', () => {
    const series = [{ title: 's', unit: 'n', lines: [], limits: [{ name: 'max', value: 3 }], marks: [] }]
    expect(html(made([test({ record: { controls: [], facts: [], series } })]))).toContain('Nothing was seen.')
  })
})

describe('the timeline', () => {
  it('draws what ran at the same time one above the other, and leaves out what never began', () => {
    const page = html(
      made(
        [
          test({ path: ['a'] }),
          test({ path: ['b'], startedAt: new Date(sampleStart + 2_000).toISOString() }),
          test({ path: ['c'], startedAt: new Date(sampleStart + 3_000).toISOString() }),
          test({
            path: ['d'],
            verdict: 'error',
            durationMs: 0,
            reasons: [{ name: 'DidNotRun', message: 'did not run' }],
          }),
        ],
        { durationMs: 10_000 },
      ),
    )
    expect(page.match(/<div class="row"/g)).toHaveLength(2)
    expect(page).toContain('style="left:30%;width:20%" title="c: pass, 2.0 s from 0:03"')
    expect(page).toContain('1 test never began and is not drawn.')
  })
})
