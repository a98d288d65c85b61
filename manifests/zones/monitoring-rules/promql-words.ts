/** A selector of an expression: a metric and the labels that it is matched by, each with the text that it is compared to. */
export interface Selector {
  metric: string
  matchers: Record<string, string>
}

const keywords = new Set([
  'and',
  'or',
  'unless',
  'on',
  'by',
  'without',
  'ignoring',
  'group_left',
  'group_right',
  'offset',
  'bool',
])

/**
 * The selectors of a PromQL expression, in their order: every name that is neither a function, nor a keyword, nor in the list of an aggregation
 * or a matching. For expressions that promtool accepts; it says nothing of others. Pure.
 */
export function selectorsOf(expression: string): Selector[] {
  const text = expression
    .replaceAll(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, ' ')
    .replaceAll(/\[[^\]]*\]/g, ' ')
    .replaceAll(/\boffset\s+\S+/g, ' ')
  return [...text.matchAll(/(?<![\w.])([a-zA-Z_:][\w:]*)\s*(\(|\{([^}]*)\})?/g)].flatMap(
    ([, name = '', after, matchers = '']) =>
      after === '(' || keywords.has(name) ? [] : [{ metric: name, matchers: matchersOf(matchers) }],
  )
}

/** Labels that an expression groups or matches by. Pure. */
export const groupingLabelsOf = (expression: string): string[] =>
  [...expression.matchAll(/\b(?:by|on|without|ignoring)\s*\(([^)]*)\)/g)].flatMap(([, list = '']) =>
    list
      .split(',')
      .map((label) => label.trim())
      .filter((label) => label !== ''),
  )

const matchersOf = (text: string): Record<string, string> =>
  Object.fromEntries(
    [...text.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"/g)].map(([, label = '', value = '']) => [
      label,
      value,
    ]),
  )
