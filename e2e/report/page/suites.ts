import { duration } from '../../harness/look.ts'
import { testName, totalsOf, type CriterionReport, type RunReport, type TestReport } from '../run-report.ts'
import type { Anchors } from './anchors.ts'
import { controlStrip } from './controls.ts'
import { criterionAnchor } from './criteria-table.ts'
import { evidenceLinks } from './evidence-links.ts'
import { many, markup, type Markup } from './markup.ts'
import { testTitle } from './test-title.ts'
import { chip, verdictBar } from './verdict-chip.ts'

/** A run of at most so many tests is shown unfolded. */
const unfolded = 40

/** All tests with everything that they told, by suite; in long runs the suites that are green are folded. */
export function suites({ tests, criteria }: RunReport, anchors: Anchors): Markup {
  const served = new Map<string, CriterionReport[]>()
  for (const criterion of criteria) {
    for (const name of criterion.tests) served.set(name, [...(served.get(name) ?? []), criterion])
  }
  return markup`<section id="suites"><h2>Suites</h2>
${[...Map.groupBy(tests, ({ suite }) => suite)].map(([name, list]) =>
  suite(name, list, anchors, served, tests.length <= unfolded),
)}</section>`
}

function suite(
  name: string,
  tests: readonly TestReport[],
  anchors: Anchors,
  served: ReadonlyMap<string, readonly CriterionReport[]>,
  unfold: boolean,
): Markup {
  const time = tests.reduce((sum, { durationMs }) => sum + durationMs, 0)
  const longest = Math.max(...tests.map(({ durationMs }) => durationMs), 1)
  const red = tests.some(({ verdict }) => verdict === 'fail' || verdict === 'error')
  return markup`<details class="card suite"${(red || unfold) && markup` open`}><summary><b>${name}</b> <span class="soft">${many(tests.length, 'test')} · ${duration(time)}</span>${verdictBar(totalsOf(tests))}</summary>
<table class="tests"><thead><tr><th>verdict</th><th>test</th><th class="time">time</th></tr></thead><tbody>
${tests.map((test) => row(test, longest, anchors, served.get(testName(test)) ?? []))}</tbody></table></details>
`
}

function row(
  test: TestReport,
  longest: number,
  anchors: Anchors,
  criteria: readonly CriterionReport[],
): Markup {
  const { facts, controls, matrices, series, evidence } = test.record
  const width = Math.max(1, Math.round((test.durationMs / longest) * 100))
  return markup`<tr id="${anchors.of(test)}"><td>${chip(test.verdict)}</td><td><p class="title">${testTitle(test)}${criteria.map(
    ({ id }) =>
      markup` <a class="serves" href="#${criterionAnchor(id)}" title="serves criterion ${id}">${id}</a>`,
  )}</p>
${test.verdict !== 'pass' && markup`<p class="short">${test.reasons[0]?.message.split('\n')[0] ?? 'no reason was given'}</p>`}
${facts.length > 0 && markup`<dl class="facts">${facts.map((fact) => markup`<div><dt>${fact.name}</dt><dd>${fact.value}</dd></div>`)}</dl>`}
${(matrices?.length ?? 0) > 0 && markup`<p class="short"><a href="#reachability">${many(matrices?.length ?? 0, 'matrix', 'matrices')} ↑</a></p>`}
${(series?.length ?? 0) > 0 && markup`<p class="short"><a href="#series">${many(series?.length ?? 0, 'plot')} ↑</a></p>`}
${controls.map(controlStrip)}${evidenceLinks(evidence)}</td>
<td class="time"><span>${duration(test.durationMs)}</span><i style="width:${width}%"></i></td></tr>
`
}
