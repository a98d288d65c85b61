import { describe, expect, it } from 'vitest'
import { newRunId, runId, runIdVariable } from './run-id.ts'

describe('run id', () => {
  it('is valid as a label value and as a part of a namespace name', () => {
    expect(newRunId()).toMatch(/^[a-z0-9]+-[a-f0-9]{6}$/)
    expect(newRunId().length).toBeLessThan(20)
  })

  it('differs for two runs of the same second', () => {
    const now = new Date()
    expect(newRunId(now)).not.toBe(newRunId(now))
  })

  it('is shared through the environment', () => {
    const env: NodeJS.ProcessEnv = {}
    const first = runId(env)
    expect(env[runIdVariable]).toBe(first)
    expect(runId(env)).toBe(first)
  })

  it('does not accept an id that would break a name', () => {
    expect(runId({ [runIdVariable]: 'Not A Label' })).toMatch(/^[a-z0-9]+-[a-f0-9]{6}$/)
  })
})
