import { describe, expect, it } from 'vitest'
import { selectorQuery, selects } from './label-selector.ts'

const expression = (key: string, operator: string, ...values: string[]) => ({
  matchExpressions: [{ key, operator, values }],
})

describe('selectorQuery', () => {
  it('writes every operator as the API reads it', () => {
    expect(
      selectorQuery({
        matchLabels: { app: 'core', tier: 'a' },
        matchExpressions: [
          { key: 'x', operator: 'In', values: ['1', '2'] },
          { key: 'y', operator: 'NotIn', values: ['3'] },
          { key: 'z', operator: 'Exists' },
          { key: 'w', operator: 'DoesNotExist' },
        ],
      }),
    ).toBe('app=core,tier=a,x in (1,2),y notin (3),z,!w')
  })
})

describe('selects', () => {
  it.each([
    [{}, true],
    [{ matchLabels: { app: 'core' } }, true],
    [{ matchLabels: { app: 'core', tier: 'b' } }, false],
    [expression('app', 'In', 'x', 'core'), true],
    [expression('none', 'In', 'x'), false],
    [expression('app', 'NotIn', 'core'), false],
    [expression('none', 'NotIn', 'x'), true],
    [expression('app', 'Exists'), true],
    [expression('app', 'DoesNotExist'), false],
    [expression('none', 'DoesNotExist'), true],
  ])('%j is %s', (selector, expected) => {
    expect(selects(selector, { app: 'core' })).toBe(expected)
  })
})
