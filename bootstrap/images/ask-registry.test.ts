import { createServer, type Server } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { askRegistry, parseReference } from './ask-registry.ts'

let server: Server | undefined
afterEach(() => {
  server?.close()
  server = undefined
})

const listen = async (onConnection: (destroy: () => void) => void): Promise<string> => {
  server = createServer((socket) => {
    socket.on('error', () => undefined)
    onConnection(() => socket.destroy())
  })
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  return `127.0.0.1:${String((server.address() as { port: number }).port)}`
}

const signal = new AbortController().signal

describe('askRegistry', () => {
  it('gives up on a registry that hangs, at the time-out and with its name', async () => {
    const host = await listen(() => undefined)
    const started = performance.now()
    const answer = await askRegistry(`${host}/a/b:1`, { timeoutMs: 200, signal })
    expect(answer).toEqual({ available: false, reason: `${host} did not answer within 0.2 s` })
    expect(performance.now() - started).toBeLessThan(2_000)
  })

  it('tells a registry that refuses the connection', async () => {
    const host = await listen((destroy) => {
      destroy()
    })
    const answer = await askRegistry(`${host}/a/b:1`, { timeoutMs: 5_000, signal })
    expect(answer).toMatchObject({
      available: false,
      reason: expect.stringContaining('cannot be reached') as string,
    })
  })
})

describe('parseReference', () => {
  it('splits host, repository and tag and knows where docker.io really is', () => {
    expect(parseReference('docker.io/library/node:24')).toEqual({
      host: 'registry-1.docker.io',
      repository: 'library/node',
      tag: '24',
    })
    expect(parseReference('localhost:5000/a/b:v1')).toEqual({
      host: 'localhost:5000',
      repository: 'a/b',
      tag: 'v1',
    })
  })
})
