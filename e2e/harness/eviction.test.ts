import { describe, expect, it } from 'vitest'
import { judgeEviction } from './eviction.ts'
import { CheckBroke } from './verdict.ts'

const answer = (status: number, message = '', cause?: { reason: string; message: string }) => ({
  status,
  message,
  body: JSON.stringify({ kind: 'Status', message, details: cause && { causes: [cause] } }),
})
const budget = (message: string) => answer(429, 'Cannot evict pod.', { reason: 'DisruptionBudget', message })

describe('judgeEviction', () => {
  it('takes 201 for a granted eviction', () => {
    expect(judgeEviction(answer(201))).toEqual({ kind: 'granted', seen: 'HTTP 201' })
  })

  it('takes a 429 that names a budget for its refusal', () => {
    const words = 'The disruption budget ollama-pdb needs 1 healthy pods and has 1 currently'
    expect(judgeEviction(budget(words))).toEqual({
      kind: 'refused',
      budget: 'ollama-pdb',
      needs: 1,
      seen: `HTTP 429: ${words}`,
    })
  })

  it('does not take a budget that has not counted for a refusal', () => {
    const words = 'The disruption budget a is still being processed by the server.'
    expect(judgeEviction(budget(words))).toMatchObject({ kind: 'unsettled' })
  })

  it.each([
    answer(429, 'too many requests, please try again later'),
    answer(404, 'pods "a" not found'),
    answer(500, 'This pod has more than one PodDisruptionBudget'),
  ])('takes anything else for a check that broke: $message', (other) => {
    expect(() => judgeEviction(other)).toThrow(CheckBroke)
  })
})
