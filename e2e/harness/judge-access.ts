import type { ApiAnswer } from './api-caller.ts'
import { CheckBroke } from './verdict.ts'

export interface Access {
  allowed: boolean
  /** `HTTP 200`, or `HTTP 403: …` in the server's words; never what a request brought. */
  seen: string
}

/**
 * Whether the API server let `user` do it. Only its authorizer's own sentence counts as a denial: 401 means that the token was dead, and a 403
 * of admission (quota, Pod Security) that the request had been allowed.
 * @throws CheckBroke for every answer that tells neither
 */
export function judgeAccess({ status, message }: ApiAnswer, user: string): Access {
  if (status >= 200 && status < 300) return { allowed: true, seen: `HTTP ${String(status)}` }
  const seen = `HTTP ${String(status)}: ${message}`
  if (status === 403 && message.includes(`User "${user}" cannot `)) return { allowed: false, seen }
  if (status === 401)
    throw new CheckBroke(`The token of ${user} is not accepted, so nothing was denied: ${seen}`)
  throw new CheckBroke(`This neither allows nor denies anything to ${user}: ${seen}`)
}
