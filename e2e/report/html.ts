import { duration } from '../harness/look.ts'
import { criteriaLine, headline } from './headline.ts'
import { anchorsOf } from './page/anchors.ts'
import { criteriaTable } from './page/criteria-table.ts'
import { environmentFacts } from './page/facts.ts'
import { reachability } from './page/heat-map.ts'
import { markup, trusted, type Markup } from './page/markup.ts'
import { notGreen } from './page/not-green.ts'
import { overTime } from './page/series-plot.ts'
import { style } from './page/style.ts'
import { suites } from './page/suites.ts'
import { timeline } from './page/timeline.ts'
import { moment } from './page/times.ts'
import { verdictWords } from './page/verdict-chip.ts'
import { testName, type RunReport, type TestReport } from './run-report.ts'

/**
 * The report as one page that needs nothing else: no script, no font, no picture, no network; light and dark as the reader's system is,
 * readable on a phone and on paper. Only links to evidence lead away from it.
 */
export function html(report: RunReport): string {
  const { tests } = report
  const anchors = anchorsOf(tests)
  const placed = (test: TestReport) => ({ name: testName(test), id: anchors.of(test) })
  const sections: { title: string; id: string; body: Markup | undefined }[] = [
    { title: 'Success criteria', id: 'criteria', body: criteriaTable(report, anchors) },
    { title: 'Not green', id: 'not-green', body: notGreen(tests, anchors) },
    {
      title: 'Reachability',
      id: 'reachability',
      body: reachability(
        tests.flatMap((test) =>
          (test.record.matrices ?? []).map((matrix) => ({ matrix, test: placed(test) })),
        ),
      ),
    },
    {
      title: 'Over time',
      id: 'series',
      body: overTime(
        tests.flatMap((test) =>
          (test.record.series ?? []).length === 0
            ? []
            : [{ series: test.record.series ?? [], test: placed(test) }],
        ),
      ),
    },
    { title: 'Timeline', id: 'timeline', body: timeline(report, anchors) },
    { title: 'Suites', id: 'suites', body: tests.length === 0 ? undefined : suites(report, anchors) },
    { title: 'Environment', id: 'environment', body: environmentFacts(report.environment) },
  ]
  const there = sections.filter(({ body }) => body !== undefined)
  const page = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${headline(report).text} · local-cloud e2e</title>
<style>${trusted(style)}</style>
</head>
<body>
${top(report, there)}
<main>
${there.map(({ body }) => markup`${body}\n`)}</main>
</body>
</html>
`
  return page.markup
}

function top(report: RunReport, sections: readonly { title: string; id: string }[]): Markup {
  const { totals, startedAt, durationMs, runId, profile } = report
  const { text, verdict } = headline(report)
  const criteria = criteriaLine(report)
  return markup`<header class="${verdict}">
<p class="eyebrow">local-cloud · end-to-end report</p>
<h1>${text}</h1>
<p class="when">${criteria !== undefined && markup`<b>${criteria}</b> · `}<time datetime="${startedAt}">${moment(startedAt)}</time> · took ${duration(durationMs)} · profile ${profile} · run <code>${runId}</code></p>
<ul class="totals">${(['pass', 'fail', 'error', 'not-proven'] as const).map(
    (one) =>
      markup`<li class="${one}${totals[one] === 0 ? ' none' : ''}"><b>${totals[one]}</b> ${verdictWords[one]}</li>`,
  )}</ul>
<nav aria-label="parts of this page">${sections.map(({ title, id }) => markup`<a href="#${id}">${title}</a>`)}</nav>
</header>`
}
