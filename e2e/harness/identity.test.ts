import { describe, expect, it } from 'vitest'
import type { HttpOutcome } from './http-client.ts'
import { judgeIdentity } from './identity.ts'

const answer = (
  change: { status?: number; headers?: Record<string, string>; body?: unknown } = {},
): HttpOutcome => ({
  kind: 'answered',
  status: change.status ?? 200,
  headers: {
    'x-slate-service': 'dashboard',
    'x-slate-pod': 'dash-1',
    'content-type': 'application/json; charset=utf-8',
    ...change.headers,
  },
  body:
    typeof change.body === 'string'
      ? change.body
      : JSON.stringify(change.body ?? { service: 'dashboard', pod: 'dash-1' }),
  ms: 1,
})

const pods = ['dash-1', 'dash-2']

describe('judgeIdentity', () => {
  it('is the pod for the right answer', () => {
    expect(judgeIdentity(answer(), 'dashboard', pods)).toEqual({ ok: true, seen: 'dash-1' })
    expect(
      judgeIdentity(answer({ headers: { 'content-type': 'text/html' }, body: '<html>' }), 'dashboard', pods)
        .ok,
    ).toBe(true)
  })

  it.each([
    ['another service', answer({ headers: { 'x-slate-service': 'core' } })],
    ['a pod that is not the service’s', answer({ headers: { 'x-slate-pod': 'stray' } })],
    ['an error', answer({ status: 503 })],
    ['a body that contradicts the headers', answer({ body: { service: 'dashboard', pod: 'dash-2' } })],
    ['a body that is no object', answer({ body: 'null' })],
    ['silence', { kind: 'timeout', detail: 'x', ms: 1 } as const],
  ])('does not take %s for it', (_, outcome) => {
    expect(judgeIdentity(outcome, 'dashboard', pods).ok).toBe(false)
  })

  it('says what was wrong', () => {
    expect(judgeIdentity(answer({ headers: { 'x-slate-pod': 'stray' } }), 'dashboard', pods).seen).toContain(
      'x-slate-pod is stray, which is none of dash-1, dash-2',
    )
  })
})
