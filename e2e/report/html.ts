import { duration } from '../harness/look.ts'
import type { ControlRecord, Sighting } from '../harness/record.ts'
import type { Verdict } from '../harness/verdict.ts'
import { style } from './html-style.ts'
import type { RunReport, TestReport } from './run-report.ts'

const words: Record<Verdict, string> = {
  pass: 'pass',
  fail: 'fail',
  'not-proven': 'not proven',
  error: 'error',
}
const order: Verdict[] = ['error', 'fail', 'not-proven', 'pass']

/** The report as one page that needs nothing else: no script, no font, no picture; light and dark as the reader's system is. */
export function html(report: RunReport): string {
  const { totals, tests } = report
  const red = totals.fail + totals.error
  const headline =
    tests.length === 0
      ? 'No test ran'
      : red > 0
        ? `${String(red)} of ${String(tests.length)} tests are red`
        : totals['not-proven'] > 0
          ? `Nothing is red; ${String(totals['not-proven'])} of ${String(tests.length)} could not be proven here`
          : `All ${String(tests.length)} tests pass`
  const state: Verdict =
    tests.length === 0 || red > 0 ? 'fail' : totals['not-proven'] > 0 ? 'not-proven' : 'pass'
  const notGreen = tests.filter(({ verdict }) => verdict !== 'pass').sort(byVerdict)
  const suites = Map.groupBy(tests, ({ suite }) => suite)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escape(headline)} · local-cloud e2e</title>
<style>${style}</style>
</head>
<body>
<header class="${state}">
  <p class="eyebrow">local-cloud · end-to-end report</p>
  <h1>${escape(headline)}</h1>
  <p class="when"><time datetime="${escape(report.startedAt)}">${escape(report.startedAt.replace('T', ' ').replace(/\.\d+Z$/, ' UTC'))}</time> · took ${duration(report.durationMs)} · run <code>${escape(report.runId)}</code></p>
  <ul class="totals">${(['pass', 'fail', 'error', 'not-proven'] as const).map((verdict) => `<li class="${verdict}${totals[verdict] === 0 ? ' none' : ''}"><b>${String(totals[verdict])}</b> ${words[verdict]}</li>`).join('')}</ul>
</header>
<main>
${notGreen.length === 0 ? '' : `<section><h2>Not green</h2>${notGreen.map(detail).join('\n')}</section>`}
${[...suites].map(([name, list]) => suiteSection(name, list)).join('\n')}
${environment(report)}
</main>
</body>
</html>
`
}

const byVerdict = (a: TestReport, b: TestReport): number =>
  order.indexOf(a.verdict) - order.indexOf(b.verdict)

const chip = (verdict: Verdict): string => `<span class="chip ${verdict}">${words[verdict]}</span>`

function detail(test: TestReport): string {
  const first = test.reasons[0]
  const stacks = test.reasons.flatMap(({ stack }) => (stack === undefined ? [] : [stack]))
  return `<article class="detail ${test.verdict}">
  <h3>${chip(test.verdict)} ${title(test)} <small>${escape(test.suite)} · ${duration(test.durationMs)}</small></h3>
  <p class="reason">${escape(first?.message ?? 'no reason was given')}</p>
  ${test.reasons
    .slice(1)
    .map(({ message }) => `<p class="reason more">then: ${escape(message)}</p>`)
    .join('')}
  ${stacks.length === 0 ? '' : `<details><summary>stack</summary><pre>${escape(stacks.join('\n\n'))}</pre></details>`}
</article>`
}

function suiteSection(name: string, tests: readonly TestReport[]): string {
  const time = tests.reduce((sum, { durationMs }) => sum + durationMs, 0)
  const longest = Math.max(...tests.map(({ durationMs }) => durationMs), 1)
  return `<section>
<h2>${escape(name)} <small>${String(tests.length)} tests · ${duration(time)}</small></h2>
<table class="tests"><thead><tr><th>verdict</th><th>test</th><th class="time">time</th></tr></thead><tbody>
${tests.map((test) => row(test, longest)).join('\n')}
</tbody></table>
</section>`
}

function row(test: TestReport, longest: number): string {
  const { facts, controls } = test.record
  const width = Math.max(1, Math.round((test.durationMs / longest) * 100))
  return `<tr><td>${chip(test.verdict)}</td><td><div class="title">${title(test)}</div>
${facts.length === 0 ? '' : `<dl class="facts">${facts.map((fact) => `<div><dt>${escape(fact.name)}</dt><dd>${escape(fact.value)}</dd></div>`).join('')}</dl>`}
${controls.map(controlTable).join('')}</td>
<td class="time"><span>${duration(test.durationMs)}</span><i style="width:${String(width)}%"></i></td></tr>`
}

const title = ({ path }: TestReport): string =>
  path
    .map((part, index) =>
      index === path.length - 1 ? escape(part) : `<span class="parent">${escape(part)} ›</span>`,
    )
    .join(' ')

function controlTable(entry: ControlRecord): string {
  const cell = (when: string, kind: string, { title: what, seen }: Sighting, note = '') =>
    `<div class="${kind}${seen === undefined ? ' unseen' : ''}"><b>${when}</b><span>${escape(what)}</span><q>${escape(seen ?? 'did not get that far')}</q>${note === '' ? '' : `<em>${escape(note)}</em>`}</div>`
  const notes = [
    entry.onsetMs === undefined ? undefined : `set in after ${duration(entry.onsetMs)}`,
    entry.heldMs === undefined ? undefined : `held for ${duration(entry.heldMs)}`,
  ].filter((note) => note !== undefined)
  return `<figure class="controls"><figcaption>Negative assertion and its controls${entry.cause === undefined ? '' : ` · cause: ${escape(entry.cause)}`}</figcaption>
<div class="strip">${cell('control before', 'control', entry.before)}${cell(entry.cause === undefined ? 'the negative' : 'under the cause', 'negative', entry.negative, notes.join(', '))}${entry.beside === undefined ? '' : cell('control beside', 'control', entry.beside)}${cell('control after', 'control', entry.after)}</div></figure>`
}

function environment({ environment: facts }: RunReport): string {
  const groups = Map.groupBy(facts, ({ group }) => group)
  return `<section><h2>Environment</h2><div class="environment">${[...groups]
    .map(
      ([group, list]) =>
        `<div><h3>${escape(group)}</h3><dl>${list.map(({ name, value }) => `<dt>${escape(name)}</dt><dd>${escape(value)}</dd>`).join('')}</dl></div>`,
    )
    .join('')}</div></section>`
}

const escape = (text: string): string =>
  text
    .replaceAll(/\u001b\[[0-9;]*m/g, '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
