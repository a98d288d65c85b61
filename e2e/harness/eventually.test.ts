import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { LocalCloudError } from '../../bootstrap/errors/local-cloud-error.ts'
import { eventually } from './eventually.ts'
import { NotProven } from './verdict.ts'

const pace = { timeoutMs: 2_000, intervalMs: 5 }

describe('eventually', () => {
  it('returns what the first ok look saw, and does not look again', async () => {
    let looks = 0
    const seen = await eventually(
      'third look',
      () => ({ ok: ++looks === 3, seen: `look ${String(looks)}` }),
      pace,
    )
    expect(seen).toBe('look 3')
    expect(looks).toBe(3)
  })

  it('waits for a real server to come up', async () => {
    const server = createServer((_, response) => response.end('up'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    await new Promise((resolve) => server.close(resolve))
    setTimeout(() => server.listen(port, '127.0.0.1'), 60)
    const look = async (signal: AbortSignal) => {
      const text = await fetch(`http://127.0.0.1:${String(port)}`, { signal }).then(
        (response) => response.text(),
        () => 'refused',
      )
      return { ok: text === 'up', seen: text }
    }
    expect(await eventually('server', look, pace)).toBe('up')
    server.closeAllConnections()
    server.close()
  })

  it('says what was seen last when the time is over', async () => {
    let looks = 0
    const waiting = eventually('pods ready', () => ({ ok: false, seen: `${String(++looks)} of 9` }), {
      timeoutMs: 60,
      intervalMs: 10,
    })
    await expect(waiting).rejects.toMatchObject({ name: 'ExpectationFailed' })
    await expect(waiting).rejects.toThrow(
      new RegExp(`pods ready: not within 60 ms .*last seen: ${String(looks)} of 9`),
    )
  })

  it('ends in time although a look hangs, and aborts that look', async () => {
    let aborted = false
    const look = (signal: AbortSignal) =>
      new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => {
          aborted = true
          reject(new Error('aborted'))
        })
      })
    await expect(eventually('hanging', look, { timeoutMs: 40, intervalMs: 5 })).rejects.toThrow(
      /first look did not end/,
    )
    expect(aborted).toBe(true)
  })

  it('breaks at once when a look throws, instead of taking it for "not yet"', async () => {
    let looks = 0
    const look = () => {
      looks += 1
      throw new TypeError('pods is not iterable')
    }
    await expect(eventually('x', look, pace)).rejects.toMatchObject({
      name: 'CheckBroke',
      message: expect.stringContaining('pods is not iterable') as string,
    })
    expect(looks).toBe(1)
  })

  it('looks again when the API failed a look in a way that may pass', async () => {
    let looks = 0
    const look = () => {
      looks += 1
      if (looks < 3) throw new LocalCloudError('API_UNREACHABLE', { message: 'The API does not answer.' })
      return { ok: true, seen: 'there' }
    }
    expect(await eventually('x', look, pace)).toBe('there')
    expect(looks).toBe(3)
  })

  it('breaks at the end of its time when the API failed the last look, and does not call that a failure', async () => {
    let looks = 0
    const look = () => {
      looks += 1
      if (looks === 1) return { ok: false, seen: 'not yet' }
      throw new LocalCloudError('API_UNREACHABLE', { message: 'The API does not answer.' })
    }
    await expect(eventually('x', look, { timeoutMs: 60, intervalMs: 5 })).rejects.toMatchObject({
      name: 'CheckBroke',
      message: expect.stringContaining('The API does not answer.') as string,
    })
    expect(looks).toBeGreaterThan(2)
  })

  it('breaks at once for bad usage, which is the same the next time', async () => {
    let looks = 0
    const look = () => {
      looks += 1
      throw new LocalCloudError('BAD_VALUE', { message: 'There is no such value.' })
    }
    await expect(eventually('x', look, pace)).rejects.toMatchObject({ name: 'CheckBroke' })
    expect(looks).toBe(1)
  })

  it('passes on a verdict that the look gave itself', async () => {
    const look = () => {
      throw new NotProven('no second node')
    }
    await expect(eventually('x', look, pace)).rejects.toMatchObject({
      name: 'NotProven',
      message: 'no second node',
    })
  })

  it('stops when it is interrupted', async () => {
    const controller = new AbortController()
    setTimeout(() => {
      controller.abort(new Error('Ctrl-C'))
    }, 20)
    await expect(
      eventually('x', () => ({ ok: false, seen: '' }), { ...pace, signal: controller.signal }),
    ).rejects.toThrow('Ctrl-C')
  })

  it('refuses a bare boolean, and a missing pace, by type', () => {
    const uses = () => {
      // @ts-expect-error a boolean cannot say what was seen
      void eventually('x', () => true, pace)
      // @ts-expect-error the interval is required
      void eventually('x', () => ({ ok: true, seen: '' }), { timeoutMs: 1 })
    }
    expect(uses).toBeTypeOf('function')
  })

  it('an assertion within a look is a fail, at once, and no broken check', async () => {
    const looking = eventually('requests', () => expect.fail('a request failed'), pace)
    await expect(looking).rejects.toMatchObject({ name: 'AssertionError', message: 'a request failed' })
  })
})
