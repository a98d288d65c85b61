import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { findBuiltProgram } from './built-program.ts'

const variable = 'LOCAL_CLOUD_TEST_BINARY'
let cache: string
const find = (program: string) => findBuiltProgram(cache, { component: 'tools', program, variable })
const path = (key: string, program: string): string => join(cache, 'components', 'tools', key, program)

beforeAll(() => {
  cache = mkdtempSync(join(tmpdir(), 'built-program-'))
  for (const [key, atSeconds] of [
    ['older', 100],
    ['newest', 300],
    ['old', 200],
  ] as const) {
    mkdirSync(dirname(path(key, 'tool')), { recursive: true })
    writeFileSync(path(key, 'tool'), '')
    utimesSync(path(key, 'tool'), atSeconds, atSeconds)
  }
  mkdirSync(dirname(path('unfinished', 'tool')))
})
afterAll(() => {
  rmSync(cache, { recursive: true })
})

it('finds the newest that was built', () => {
  expect(find('tool')).toBe(path('newest', 'tool'))
})

it('finds none of a component or program that is not there', () => {
  expect(find('other')).toBeUndefined()
  expect(findBuiltProgram(cache, { component: 'none', program: 'tool', variable })).toBeUndefined()
})

it('takes the one that is named, and no other when that is not there', () => {
  vi.stubEnv(variable, path('old', 'tool'))
  expect(find('tool')).toBe(path('old', 'tool'))
  vi.stubEnv(variable, path('unfinished', 'tool'))
  expect(find('tool')).toBeUndefined()
})
