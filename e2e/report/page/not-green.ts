import { duration } from '../../harness/look.ts'
import type { TestReport } from '../run-report.ts'
import type { Anchors } from './anchors.ts'
import { evidenceLinks } from './evidence-links.ts'
import { many, markup, type Markup } from './markup.ts'
import { testTitle } from './test-title.ts'
import { chip, verdictOrder } from './verdict-chip.ts'

/** Everything that is not green: red tests one by one with their first cause, unproven ones by the reason that they share. */
export function notGreen(tests: readonly TestReport[], anchors: Anchors): Markup | undefined {
  const red = tests
    .filter(({ verdict }) => verdict === 'fail' || verdict === 'error')
    .sort((a, b) => verdictOrder.indexOf(a.verdict) - verdictOrder.indexOf(b.verdict))
  const unproven = Map.groupBy(
    tests.filter(({ verdict }) => verdict === 'not-proven'),
    ({ reasons }) => reasons[0]?.message ?? 'no reason was given',
  )
  if (red.length + unproven.size === 0) return undefined
  return markup`<section id="not-green"><h2>Not green</h2>
${red.map((test) => detail(test, anchors))}
${[...unproven].map(([reason, list]) => unprovenGroup(reason, list, anchors))}</section>`
}

function detail(test: TestReport, anchors: Anchors): Markup {
  const stacks = test.reasons.flatMap(({ stack }) => (stack === undefined ? [] : [stack]))
  return markup`<article class="card detail ${test.verdict}">
  <h3>${chip(test.verdict)} <a href="#${anchors.of(test)}">${testTitle(test)}</a> <small>${test.suite} · ${duration(test.durationMs)}</small></h3>
  ${reason(test.reasons[0]?.message ?? 'no reason was given')}
  ${test.reasons.slice(1).map(({ message }) => reason(`then: ${message}`, 'more'))}
  ${evidenceLinks(test.record.evidence)}
  ${stacks.length > 0 && markup`<details><summary>stack</summary><pre>${stacks.join('\n\n')}</pre></details>`}
</article>
`
}

/** The first line is the sentence; what follows, a difference or a matrix, keeps its columns. */
function reason(message: string, className = ''): Markup {
  const [first = '', ...rest] = message.split('\n')
  return markup`<p class="reason ${className}">${first}</p>${rest.length > 0 && markup`<pre class="rest">${rest.join('\n')}</pre>`}`
}

/** A reason with more tests than this is shown with its tests folded. */
const unfolded = 5

const unprovenGroup = (message: string, tests: readonly TestReport[], anchors: Anchors): Markup =>
  markup`<article class="card detail not-proven">
  <h3>${chip('not-proven')}</h3>
  ${reason(message)}
  <details${tests.length <= unfolded && markup` open`}><summary>${many(tests.length, 'test')}</summary><ul class="long">${tests.map((test) => markup`<li><a href="#${anchors.of(test)}">${test.suite}: ${testTitle(test)}</a></li>`)}</ul></details>
</article>
`
