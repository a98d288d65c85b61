import { duration } from '../../harness/look.ts'
import { testName, totalsOf, type RunReport, type TestReport } from '../run-report.ts'
import type { Anchors } from './anchors.ts'
import { many, markup, type Markup } from './markup.ts'
import { packLanes } from './pack-lanes.ts'
import { timeTicks } from './ticks.ts'
import { elapsed, moment } from './times.ts'
import { verdictBar, verdictOrder, verdictWords } from './verdict-chip.ts'

interface Bar {
  from: number
  to: number
  test: TestReport
}

/** How many of the longest tests are named. */
const longest = 5

/** Which test ran when: a lane for each suite, in it a row for each of what ran at the same time. */
export function timeline({ tests, startedAt, durationMs }: RunReport, anchors: Anchors): Markup | undefined {
  const start = Date.parse(startedAt)
  const bars = tests.flatMap((test): Bar[] => {
    const from = Date.parse(test.startedAt) - start
    return ran(test) && Number.isFinite(from) ? [{ from, to: from + test.durationMs, test }] : []
  })
  if (bars.length === 0) return undefined
  const length = bars.reduce((end, { to }) => Math.max(end, to), Math.max(durationMs, 1))
  const busy = bars.reduce((sum, { test }) => sum + test.durationMs, 0)
  const slow = [...bars].sort((a, b) => b.test.durationMs - a.test.durationMs).slice(0, longest)
  const lanes = [...Map.groupBy(bars, ({ test }) => test.suite)].sort(
    ([, a], [, b]) => Math.min(...a.map(({ from }) => from)) - Math.min(...b.map(({ from }) => from)),
  )
  return markup`<section id="timeline"><h2>Timeline</h2>
<p class="lead">${duration(busy)} of tests in ${duration(durationMs)}, ${(busy / length).toFixed(1)} at once on average. Begun ${moment(startedAt)}.${
    bars.length < tests.length &&
    ` ${many(tests.length - bars.length, 'test')} never began and ${tests.length - bars.length === 1 ? 'is' : 'are'} not drawn.`
  }</p>
<div class="card timeline"><div class="ruler" aria-hidden="true"><div class="track">${timeTicks(
    length,
    9,
  ).map((at) => markup`<span style="left:${percent(at, length)}">${elapsed(at)}</span>`)}</div></div>
${lanes.map(([suite, list]) => lane(suite, list, length, anchors))}</div>
${legend(bars)}
<details class="slowest"><summary>the longest tests</summary><ol>${slow.map(
    ({ test }) =>
      markup`<li><b>${duration(test.durationMs)}</b> <a href="#${anchors.of(test)}">${testName(test)}</a></li>`,
  )}</ol></details></section>`
}

function lane(suite: string, bars: readonly Bar[], length: number, anchors: Anchors): Markup {
  const from = Math.min(...bars.map((bar) => bar.from))
  const to = Math.max(...bars.map((bar) => bar.to))
  const rows = packLanes(bars)
  const height = Math.max(4, Math.min(14, Math.floor(150 / rows.length)))
  return markup`<div class="lane"><p class="name"><b>${suite}</b> <span class="soft">${many(bars.length, 'test')} · ${elapsed(from)}–${elapsed(to)}</span>${verdictBar(totalsOf(bars.map(({ test }) => test)))}</p>
<div class="track" aria-hidden="true" style="background-size:${percent(timeTicks(length, 9)[1] ?? length, length)} 100%">${rows.map(
    (row) =>
      markup`<div class="row" style="height:${height}px">${row.map(
        ({ from: at, test }) =>
          markup`<a class="${test.verdict}" tabindex="-1" href="#${anchors.of(test)}" style="left:${percent(at, length)};width:${percent(test.durationMs, length)}" title="${test.path.join(' › ')}: ${verdictWords[test.verdict]}, ${duration(test.durationMs)} from ${elapsed(at)}"></a>`,
      )}</div>`,
  )}</div></div>
`
}

/** What the colours mean, of the verdicts that there are. */
const legend = (bars: readonly Bar[]): Markup =>
  markup`<ul class="legend">${verdictOrder
    .filter((verdict) => bars.some(({ test }) => test.verdict === verdict))
    .map(
      (verdict) =>
        markup`<li><span class="row"><i class="${verdict}"></i></span> ${verdictWords[verdict]}</li>`,
    )}</ul>`

/** Names that the reporter gives to the reasons of tests that never began. */
const neverBegan: readonly string[] = ['DidNotRun', 'Interrupted']

/** What broke in no time at all, such as a file that does not load, has no place on the line of time either. */
const ran = ({ verdict, durationMs, reasons }: TestReport): boolean =>
  (verdict !== 'error' || durationMs > 0) && !neverBegan.includes(reasons[0]?.name ?? '')

const percent = (part: number, whole: number): string =>
  `${String(Math.round((Math.min(Math.max(part, 0), whole) / whole) * 100_000) / 1000)}%`
