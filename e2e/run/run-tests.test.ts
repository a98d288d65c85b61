import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { Vitest } from 'vitest/node'
import { reportVariable } from '../report/run-report.ts'
import { openVitest } from './open-vitest.ts'
import { runTests } from './run-tests.ts'

vi.mock(import('./open-vitest.ts'))

let directory: string
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'run-tests-'))
  vi.stubEnv(reportVariable, undefined)
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(directory, { recursive: true })
})

it('begins no test when the signal comes while vitest is made, and closes it', async () => {
  const controller = new AbortController()
  const start = vi.fn<Vitest['start']>()
  const close = vi.fn<Vitest['close']>(async () => undefined)
  vi.mocked(openVitest).mockImplementation(async () => {
    controller.abort()
    return { start, close } as unknown as Vitest
  })
  expect(await runTests({ suites: ['smoke'], directory, signal: controller.signal })).toBeUndefined()
  expect(start).not.toHaveBeenCalled()
  expect(close).toHaveBeenCalledOnce()
})

it('tells vitest until it listens when the signal comes before the first test', async () => {
  const controller = new AbortController()
  const heard = Promise.withResolvers<{ testModules: []; unhandledErrors: [] }>()
  const cancelCurrentRun = vi
    .fn<Vitest['cancelCurrentRun']>()
    .mockResolvedValueOnce(undefined)
    .mockImplementation(async () => {
      heard.resolve({ testModules: [], unhandledErrors: [] })
    })
  const start = vi.fn<Vitest['start']>(() => {
    controller.abort()
    return heard.promise
  })
  const close = vi.fn<Vitest['close']>(async () => undefined)
  vi.mocked(openVitest).mockResolvedValue({ start, close, cancelCurrentRun } as unknown as Vitest)
  await runTests({ suites: ['smoke'], directory, signal: controller.signal })
  expect(cancelCurrentRun).toHaveBeenCalledTimes(2)
  expect(close).toHaveBeenCalledOnce()
})
