import { describeHttp, type HttpOutcome } from './http-client.ts'
import type { Look } from './look.ts'

/**
 * Judges whether an answer came from the expected service: status 200, `x-slate-service` and, in JSON, the field `service` name it, and
 * `x-slate-pod` names one of its pods. `seen` is the pod.
 */
export function judgeIdentity(outcome: HttpOutcome, expected: string, pods: readonly string[]): Look {
  const bad = (why: string): Look => ({ ok: false, seen: `${why} (${describeHttp(outcome)})` })
  if (outcome.kind !== 'answered') return { ok: false, seen: describeHttp(outcome) }
  if (outcome.status !== 200) return bad(`status ${String(outcome.status)}`)
  const service = outcome.headers['x-slate-service']
  const pod = outcome.headers['x-slate-pod']
  if (service !== expected) return bad(`x-slate-service is ${String(service)}, not ${expected}`)
  if (typeof pod !== 'string' || !pods.includes(pod)) {
    return bad(`x-slate-pod is ${String(pod)}, which is none of ${pods.join(', ') || 'no pods'}`)
  }
  if (outcome.headers['content-type']?.startsWith('application/json')) {
    const body = parseObject(outcome.body)
    if (body?.['service'] !== expected || body['pod'] !== pod) {
      return bad(`the body says service ${String(body?.['service'])}, pod ${String(body?.['pod'])}`)
    }
  }
  return { ok: true, seen: pod }
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
