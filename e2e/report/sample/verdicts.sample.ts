import { describe, expect, it } from 'vitest'
import { recordOf } from '../../harness/record.ts'
import { CheckBroke, NotProven } from '../../harness/verdict.ts'

// A suite with every verdict on purpose, for the test of the reporter.
describe('verdicts', () => {
  it('passes', ({ task }) => {
    const record = recordOf(task.meta)
    record.facts.push({ name: 'pod', value: 'web-1 <b>' })
    record.controls.push({
      negative: { title: 'blocked', seen: 'timeout' },
      cause: 'NetworkPolicy deny-all',
      onsetMs: 40,
      heldMs: 3_000,
      before: { title: 'reachable', seen: 'connected' },
      beside: { title: 'other pair', seen: 'connected' },
      after: { title: 'reachable', seen: 'connected' },
    })
    expect(1).toBe(1)
  })

  it('fails', () => {
    expect({ replicas: 1 }).toEqual({ replicas: 2 })
  })

  it('is not proven', () => {
    throw new NotProven('this machine has one node')
  })

  it('is not proven by a note', ({ skip }) => {
    skip('no GPU')
  })

  it('breaks', () => {
    throw new CheckBroke('exec failed with password=hunter2hunter2')
  })
})
