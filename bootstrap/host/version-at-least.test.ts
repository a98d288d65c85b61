import { expect, it } from 'vitest'
import { versionAtLeast } from './version-at-least.ts'

it.each([
  ['525.60.13', '525.60.13', true],
  ['525.60.12', '525.60.13', false],
  ['525.105', '525.60.13', true],
  ['525', '525.60.13', false],
  ['1.9.0', '1.18', false],
  ['1.18', '1.18.0', true],
  ['2.0', '1.18', true],
  ['NVIDIA Container Toolkit CLI version 1.18.0-rc.2\ncommit: 9.9', '1.18', true],
  ['no version', '0.0', false],
])('%j is at least %s: %s', (text, minimum, expected) => {
  expect(versionAtLeast(text, minimum)).toBe(expected)
})
