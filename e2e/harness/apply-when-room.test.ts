import { describe, expect, it } from 'vitest'
import { refused } from '../../bootstrap/kube/api-status.ts'
import { applyWhenRoom } from './apply-when-room.ts'

const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'client', namespace: 'slate' } }
const forbidden = (message: string) =>
  refused('PATCH Pod slate/client', { code: 403, reason: 'Forbidden', message, causes: [] })
const full = 'exceeded quota: slate-quota, requested: pods=1, used: pods=20, limited: pods=20'
const options = { timeoutMs: 5_000, signal: AbortSignal.timeout(10_000) }

/** An API that refuses with these errors, one after the other, and takes what comes after. */
function refusing(errors: Error[]) {
  let asked = 0
  const apply = () => {
    const error = errors[asked]
    asked += 1
    return error ? Promise.reject(error) : Promise.resolve([])
  }
  return { kube: { apply: apply as never }, asked: () => asked }
}

describe('a pod in a namespace with a quota', () => {
  it('waits until there is room', async () => {
    const { kube, asked } = refusing([forbidden(full)])
    await applyWhenRoom(kube, pod, options)
    expect(asked()).toBe(2)
  })

  it('does not wait where it is refused for something else', async () => {
    const { kube, asked } = refusing([forbidden('violates PodSecurity "restricted:latest"')])
    await expect(applyWhenRoom(kube, pod, options)).rejects.toThrow('violates PodSecurity')
    expect(asked()).toBe(1)
  })

  it('says what the quota said when no room came', async () => {
    const { kube } = refusing([forbidden(full), forbidden(full), forbidden(full)])
    await expect(applyWhenRoom(kube, pod, { ...options, timeoutMs: 50 })).rejects.toMatchObject({
      name: 'ExpectationFailed',
      message: expect.stringContaining('used: pods=20') as string,
    })
  })
})
