import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { assertNegative, describeControls, type NegativeAssertion } from './controls.ts'
import { request } from './http-client.ts'
import type { TestRecord } from './record.ts'

const settle = { timeoutMs: 2_000, intervalMs: 10 }
const hold = { timeoutMs: 300, intervalMs: 10 }

let server: Server
let url: string
let blocked: boolean
let dead: boolean

beforeEach(async () => {
  blocked = false
  dead = false
  server = createServer((incoming, response) => {
    response.writeHead(dead ? 500 : blocked && incoming.url === '/guarded' ? 403 : 200)
    response.end('x')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`
})

afterEach(() => {
  server.close()
})

const status = (path: string, wanted: number) => async (signal: AbortSignal) => {
  const outcome = await request(url + path, { timeoutMs: 1_500, signal })
  const seen = outcome.kind === 'answered' ? String(outcome.status) : outcome.kind
  return { ok: seen === String(wanted), seen }
}

const assertion = (change: Partial<NegativeAssertion> = {}): NegativeAssertion => ({
  negative: { title: 'guarded is refused', run: status('/guarded', 403) },
  control: { title: 'guarded answers', run: status('/guarded', 200) },
  beside: { title: 'open answers', run: status('/open', 200) },
  cause: {
    title: 'the guard',
    apply: () => {
      setTimeout(() => (blocked = true), 30)
      return Promise.resolve()
    },
    remove: () => {
      blocked = false
      return Promise.resolve()
    },
  },
  settle,
  hold,
  ...change,
})

const empty = (): TestRecord => ({ controls: [], facts: [] })

describe('assertNegative', () => {
  it('records the control before, beside and after, the onset and how long it held', async () => {
    const record = empty()
    const entry = await assertNegative(record, assertion())
    expect(record.controls).toEqual([entry])
    expect(entry).toMatchObject({
      cause: 'the guard',
      negative: { title: 'guarded is refused', seen: '403' },
      before: { seen: '200' },
      beside: { title: 'open answers', seen: '200' },
      after: { seen: '200' },
    })
    expect(entry.onsetMs).toBeGreaterThanOrEqual(25)
    expect(entry.heldMs).toBeGreaterThanOrEqual(295)
    expect(describeControls(entry)).toContain('before: 200; beside: 200; after: 200')
  })

  it('is an error, not a pass, when the thing was dead from the start', async () => {
    dead = true
    const record = empty()
    await expect(
      assertNegative(record, assertion({ negative: { title: 'no answer', run: status('/guarded', 500) } })),
    ).rejects.toMatchObject({
      name: 'CheckBroke',
      message: expect.stringContaining('control before') as string,
    })
    expect(record.controls).toHaveLength(1)
  })

  it('is an error when the thing died meanwhile instead of being blocked', async () => {
    const dying = assertion({
      negative: {
        title: 'not 200',
        run: async (signal) => ({ ok: !(await status('/guarded', 200)(signal)).ok, seen: '500' }),
      },
      cause: {
        title: 'a crash',
        apply: () => {
          dead = true
          return Promise.resolve()
        },
        remove: () => Promise.resolve(),
      },
    })
    await expect(assertNegative(empty(), dying)).rejects.toThrow(/control beside/)
    dead = false
    const { beside: _, ...withoutBeside } = dying
    await expect(assertNegative(empty(), withoutBeside)).rejects.toThrow(/control after/)
  })

  it('fails when the cause has no effect, and takes the cause away again', async () => {
    let removed = false
    const toothless = assertion({
      cause: {
        title: 'a policy that nobody enforces',
        apply: () => Promise.resolve(),
        remove: () => {
          removed = true
          return Promise.resolve()
        },
      },
    })
    await expect(assertNegative(empty(), toothless)).rejects.toMatchObject({
      name: 'ExpectationFailed',
      message: expect.stringContaining('last seen: 200') as string,
    })
    expect(removed).toBe(true)
  })

  it('fails when the negative does not hold for the whole period', async () => {
    let looks = 0
    const guarded = status('/guarded', 403)
    const leaking = assertion({
      negative: {
        title: 'guarded is refused',
        run: (signal) => {
          looks += 1
          if (looks > 3) blocked = false
          return guarded(signal)
        },
      },
      cause: {
        title: 'a guard that gives up',
        apply: () => {
          blocked = true
          return Promise.resolve()
        },
        remove: () => Promise.resolve(),
      },
      hold: { timeoutMs: 10_000, intervalMs: 10 },
    })
    await expect(assertNegative(empty(), leaking)).rejects.toThrow(/did not hold; look 3 .* saw: 200/)
  })
})
