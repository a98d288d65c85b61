import { totalsOf, type CriterionReport, type RunReport } from '../run-report.ts'
import type { Anchors } from './anchors.ts'
import { many, markup, type Markup } from './markup.ts'
import { chip, verdictBar } from './verdict-chip.ts'

/** Id of a criterion's row. */
export const criterionAnchor = (id: string): string => `criterion-${id.replaceAll(/[^A-Za-z0-9]+/g, '-')}`

/** Every criterion of the specification with its verdict, and what it rests on: tests, controls and mutations. */
export function criteriaTable({ criteria }: RunReport, anchors: Anchors): Markup {
  if (criteria.length === 0) {
    return markup`<section id="criteria"><h2>Success criteria</h2><p class="lead">This run was not held against any criterion.</p></section>`
  }
  return markup`<section id="criteria"><h2>Success criteria ${verdictBar(totalsOf(criteria))}</h2>
<table class="criteria"><thead><tr><th>verdict</th><th>criterion</th><th>rests on</th></tr></thead><tbody>
${criteria.map((criterion) => row(criterion, anchors))}</tbody></table></section>`
}

function row(criterion: CriterionReport, anchors: Anchors): Markup {
  const { id, text, source, verdict, why, tests, controls, mutations } = criterion
  const open = verdict === 'fail' || verdict === 'error'
  return markup`<tr class="${verdict}" id="${criterionAnchor(id)}"><td>${chip(verdict)}</td><td><p class="claim"><span class="id">${id}</span> ${text}</p>
<p class="soft source">${source}</p>${why !== '' && markup`<p class="why">${why}</p>`}
${
  tests.length + controls.length + mutations.length > 0 &&
  markup`<details${open && markup` open`}><summary>tests, controls, mutations</summary>
${list(
  'Tests',
  tests.flatMap((name) => testItems(name, anchors)),
)}
${list(
  'What the controls saw',
  controls.map((line) => markup`<li>${line}</li>`),
)}
${list(
  'Changes to the manifests that must be noticed',
  mutations.map(
    ({ name, caught }) =>
      markup`<li><span class="caught ${caughtClass(caught)}">${caughtWord(caught)}</span> <code>${name}</code></li>`,
  ),
)}</details>`
}</td><td class="proof"><ul><li${tests.length === 0 && markup` class="lacking"`}>${many(tests.length, 'test')}</li><li>${many(controls.length, 'control')}</li>${mutationCount(mutations)}</ul></td></tr>
`
}

const list = (title: string, items: readonly Markup[]): Markup | false =>
  items.length > 0 && markup`<h4>${title}</h4><ul class="long">${items}</ul>`

function testItems(name: string, anchors: Anchors): Markup[] {
  const found = anchors.named(name)
  if (found.length === 0) return [markup`<li><span class="chip absent">did not run</span> ${name}</li>`]
  return found.map(
    (test) => markup`<li>${chip(test.verdict)} <a href="#${anchors.of(test)}">${name}</a></li>`,
  )
}

const caughtWord = (caught: boolean | undefined): string =>
  caught === undefined ? 'not run' : caught ? '✓ caught' : '✗ survived'

const caughtClass = (caught: boolean | undefined): string =>
  caught === undefined ? 'absent' : caught ? 'pass' : 'fail'

function mutationCount(mutations: CriterionReport['mutations']): Markup {
  const ran = mutations.filter(({ caught }) => caught !== undefined)
  const survived = ran.filter(({ caught }) => caught === false).length
  if (mutations.length === 0) return markup`<li class="lacking">no mutations</li>`
  if (survived > 0)
    return markup`<li class="alarm">${survived} of ${many(mutations.length, 'mutation')} survived</li>`
  if (ran.length === 0) return markup`<li>${many(mutations.length, 'mutation')}, not run</li>`
  return markup`<li>${ran.length} of ${many(mutations.length, 'mutation')} caught</li>`
}
