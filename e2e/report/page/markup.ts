import { plain } from '../plain.ts'

/** HTML that is safe to put into the page as it is; only `markup` makes it. */
export interface Markup {
  readonly markup: string
}

type Part = string | number | Markup | undefined | false | readonly Part[]

/**
 * Tag for templates of HTML: everything that is put in is escaped, unless it is markup itself, so that forgetting it is impossible. Lists are
 * joined; `undefined` and `false` leave nothing. Attributes must be quoted.
 */
export const markup = (strings: TemplateStringsArray, ...parts: readonly Part[]): Markup => ({
  markup: strings.reduce((text, next, index) => text + rendered(parts[index - 1]) + next),
})

/** Text of our own source that goes into the page unchanged, such as its style sheet. */
export const trusted = (text: string): Markup => ({ markup: text })

/** `many(3, 'test')` is "3 tests". */
export const many = (count: number, noun: string, plural = `${noun}s`): string =>
  `${String(count)} ${count === 1 ? noun : plural}`

function rendered(part: Part): string {
  if (part === undefined || part === false) return ''
  if (typeof part === 'string') return escape(part)
  if (typeof part === 'number') return String(part)
  return 'markup' in part ? part.markup : part.map(rendered).join('')
}

/** Text for an element or a quoted attribute, without the colours of terminals and the control characters that HTML cannot hold. */
export const escape = (text: string): string =>
  plain(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
