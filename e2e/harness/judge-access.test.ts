import { describe, expect, it } from 'vitest'
import { judgeAccess } from './judge-access.ts'

const user = 'system:serviceaccount:slate:slate-agent'
const answer = (status: number, message = '') => ({ status, message, body: '' })

describe('judgeAccess', () => {
  it.each([200, 201])('takes %s for an allowed request', (status) => {
    expect(judgeAccess(answer(status), user)).toEqual({ allowed: true, seen: `HTTP ${String(status)}` })
  })

  it('takes the authorizer’s 403 for a denied one', () => {
    const message = `secrets is forbidden: User "${user}" cannot list resource "secrets" in API group "" in the namespace "slate"`
    expect(judgeAccess(answer(403, message), user)).toEqual({ allowed: false, seen: `HTTP 403: ${message}` })
  })

  it('takes a dead token for a check that broke', () => {
    expect(() => judgeAccess(answer(401, 'Unauthorized'), user)).toThrow(
      /is not accepted, so nothing was denied/,
    )
  })

  it.each([
    [403, 'pods "a" is forbidden: exceeded quota: slate-resource-quota'],
    [403, 'secrets is forbidden: User "somebody-else" cannot list resource "secrets"'],
    [404, 'pods "a" not found'],
    [429, 'too many requests'],
    [500, 'internal error'],
  ])('takes %s %s for no answer', (status, message) => {
    expect(() => judgeAccess(answer(status, message), user)).toThrow(/neither allows nor denies/)
  })
})
