import { expect, it } from 'vitest'
import { isNewEnoughGo } from './minimum-go.ts'

it.each([
  ['go1.26.3', true],
  ['go1.26.8', true],
  ['go1.27', true],
  ['go1.26.2', false],
  ['go1.25.9', false],
  ['', false],
  [undefined, false],
] as const)('%s', (version, enough) => {
  expect(isNewEnoughGo(version)).toBe(enough)
})
