import { describe, expect, it } from 'vitest'
import { consistently } from './consistently.ts'

describe('consistently', () => {
  it('looks for the whole period and returns the last thing seen', async () => {
    const started = performance.now()
    let looks = 0
    const seen = await consistently('held', () => ({ ok: true, seen: String(++looks) }), {
      timeoutMs: 400,
      intervalMs: 10,
    })
    expect(performance.now() - started).toBeGreaterThanOrEqual(395)
    expect(looks).toBeGreaterThan(3)
    expect(seen).toBe(String(looks))
  })

  it('fails at the first look that is not ok', async () => {
    let looks = 0
    const holding = consistently(
      'blocked',
      () => ({ ok: ++looks < 3, seen: looks < 3 ? 'timeout' : 'connected' }),
      {
        timeoutMs: 1_000,
        intervalMs: 5,
      },
    )
    await expect(holding).rejects.toMatchObject({
      name: 'ExpectationFailed',
      message: expect.stringMatching(/blocked: did not hold; look 3 .* saw: connected/) as string,
    })
    expect(looks).toBe(3)
  })

  it('does not call one look a period', async () => {
    const hanging = () => new Promise<never>(() => undefined)
    await expect(consistently('x', hanging, { timeoutMs: 30, intervalMs: 5 })).rejects.toMatchObject({
      name: 'CheckBroke',
    })
    await expect(
      consistently('x', () => ({ ok: true, seen: '' }), { timeoutMs: 30, intervalMs: 1_000 }),
    ).rejects.toThrow(/only [01] look/)
  })

  it('goes on until there were two looks when each takes longer than the period', async () => {
    let looks = 0
    const slow = async () => {
      await new Promise((resolve) => setTimeout(resolve, 1_020))
      return { ok: true, seen: String(++looks) }
    }
    expect(await consistently('x', slow, { timeoutMs: 1_000, intervalMs: 5 })).toBe('2')
  })

  it('breaks when a look cannot run', async () => {
    const look = () => Promise.reject(new Error('exec failed'))
    await expect(consistently('x', look, { timeoutMs: 100, intervalMs: 5 })).rejects.toMatchObject({
      name: 'CheckBroke',
    })
  })

  it('refuses a bare boolean by type', () => {
    const use = () => {
      // @ts-expect-error a boolean cannot say what was seen
      void consistently('x', () => Promise.resolve(true), { timeoutMs: 1, intervalMs: 1 })
    }
    expect(use).toBeTypeOf('function')
  })
})
