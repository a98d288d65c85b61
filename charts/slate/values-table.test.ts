import { describe, expect, it } from 'vitest'
import { helmPage, valuesTable } from './values-table.ts'

describe('the table of values', () => {
  it('in docs/how-to/helm.md is what values.yaml says', async () => {
    const { found, wanted } = await helmPage()
    expect(found, 'run: node scripts/run.mjs charts/slate/values-table.ts').toBe(wanted)
  })

  it('has a row for every described value, and one for a described map', () => {
    expect(
      valuesTable(
        [
          '# What this is about.',
          '',
          '# -- A map',
          'map: { a: 1 }',
          '# not a description',
          'group:',
          '  # -- This | that',
          '  none: null',
          '  # more words',
          '  # -- A number',
          '  number: 1',
        ].join('\n'),
      ),
    ).toBe(
      [
        '| value          | default    | meaning      |',
        '| -------------- | ---------- | ------------ |',
        '| `map`          | `{ a: 1 }` | A map        |',
        '| `group.none`   | `null`     | This \\| that |',
        '| `group.number` | `1`        | A number     |',
      ].join('\n'),
    )
  })

  it.each(['a: 1', 'a:\n  b: {}', '# words\na: []', '# -- described\nb: 1\na: 2'])(
    'refuses a value without a description: %j',
    (text) => {
      expect(() => valuesTable(text)).toThrow(/^a(\.b)? has no description/)
    },
  )
})
