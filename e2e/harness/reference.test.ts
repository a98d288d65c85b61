import { describe, expect, it } from 'vitest'
import { patternOf, refersTo, suiteOf } from './reference.ts'

const test = { suite: 'smoke', path: ['ingress', '/ answers as dashboard (a.b)'] }

describe('refersTo', () => {
  it('takes the whole name, and a beginning that ends with a word', () => {
    expect(refersTo('smoke: ingress › / answers as dashboard (a.b)', test)).toBe(true)
    expect(refersTo('smoke: ingress', test)).toBe(true)
    expect(refersTo('smoke: ingress › / answers as dashboard', test)).toBe(true)
  })

  it('does not take half a word, another suite or another test', () => {
    expect(refersTo('smoke: ingress › / answers as dash', test)).toBe(false)
    expect(refersTo('smok', test)).toBe(false)
    expect(refersTo('slate: ingress', test)).toBe(false)
  })
})

it('a reference names its suite, or is none', () => {
  expect(suiteOf('smoke: ingress: deep')).toBe('smoke')
  expect(() => suiteOf('smoke')).toThrow('is no reference')
})

it('the pattern takes titles as vitest joins them, with what means something in a pattern taken as it is', () => {
  const pattern = new RegExp(patternOf(['smoke: ingress › / answers as dashboard (a.b)', 'x: y']))
  expect(pattern.test('ingress > / answers as dashboard (a.b)')).toBe(true)
  expect(pattern.test('ingress > / answers as dashboard (acb)')).toBe(false)
  expect(pattern.test('not ingress > / answers as dashboard (a.b)')).toBe(false)
  expect(pattern.test('y is')).toBe(true)
})
