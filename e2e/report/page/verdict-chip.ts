import type { Verdict } from '../../harness/verdict.ts'
import { markup, type Markup } from './markup.ts'

/** Verdicts as readers know them. */
export const verdictWords: Readonly<Record<Verdict, string>> = {
  pass: 'pass',
  fail: 'fail',
  'not-proven': 'not proven',
  error: 'error',
}

/** Marks that tell verdicts apart where colours do not. */
const marks: Readonly<Record<Verdict, string>> = { pass: '✓', fail: '✗', 'not-proven': '?', error: '!' }

/** Verdicts from the one to look at first to the one to look at last. */
export const verdictOrder: readonly Verdict[] = ['error', 'fail', 'not-proven', 'pass']

/** A verdict by mark, word and colour. */
export const chip = (verdict: Verdict): Markup =>
  markup`<span class="chip ${verdict}"><span aria-hidden="true">${marks[verdict]}</span> ${verdictWords[verdict]}</span>`

/** How many have each verdict: a bar of their shares, with the numbers as its text. */
export function verdictBar(totals: Readonly<Record<Verdict, number>>): Markup {
  const there = [...verdictOrder].reverse().filter((verdict) => totals[verdict] > 0)
  const text = there.map((verdict) => `${String(totals[verdict])} ${verdictWords[verdict]}`).join(', ')
  return markup`<span class="bar" role="img" aria-label="${text}" title="${text}">${there.map(
    (verdict) => markup`<i class="${verdict}" style="flex-grow:${totals[verdict]}"></i>`,
  )}</span>`
}
