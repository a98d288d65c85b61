import type { EnvironmentFact } from '../run-report.ts'
import { markup, type Markup } from './markup.ts'

/** Names longer than this stand above their values, so that a digest fits in a line. */
const longName = 24

/** Where the run took place, by group. */
export function environmentFacts(facts: readonly EnvironmentFact[]): Markup {
  const groups = Map.groupBy(facts, ({ group }) => group)
  return markup`<section id="environment"><h2>Environment</h2><div class="environment">${[...groups].map(
    ([group, list]) =>
      markup`<div class="card"><h3>${group}</h3><dl${list.some(({ name }) => name.length > longName) && markup` class="wide"`}>${list.map(({ name, value }) => markup`<dt>${name}</dt><dd>${value}</dd>`)}</dl></div>`,
  )}</div>${facts.length === 0 && markup`<p class="lead">Nothing is known about it.</p>`}</section>`
}
