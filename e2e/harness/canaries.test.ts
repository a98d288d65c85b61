import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { reportVariable } from '../report/run-report.ts'
import { canaryFile, requireCanary } from './canaries.ts'
import { NotProven } from './verdict.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'canaries-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})
const env = () => ({ [reportVariable]: folder })
const sing = (text: string): void => {
  writeFileSync(path.join(folder, canaryFile), text)
}

it('passes after a green canary', () => {
  sing('{"dns":{"ok":true,"seen":"resolved"}}')
  expect(() => {
    requireCanary('dns', env())
  }).not.toThrow()
})

it('is not proven with the reason of a red one', () => {
  sing('{"dns":{"ok":false,"seen":"NXDOMAIN"}}')
  const ask = () => {
    requireCanary('dns', env())
  }
  expect(ask).toThrow(NotProven)
  expect(ask).toThrow('The canary dns failed: NXDOMAIN')
})

it.each(['', '{}', '{"metrics":{"ok":true,"seen":""}}', '{"dns":'])(
  'is not proven when the canary did not run: %s',
  (text) => {
    if (text !== '') sing(text)
    expect(() => {
      requireCanary('dns', env())
    }).toThrow('The canary dns did not run')
  },
)
