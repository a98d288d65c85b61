import { createServer as createHttp } from 'node:http'
import net from 'node:net'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { describeHttp, kindOf, request } from './http-client.ts'

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

async function listen(server: net.Server): Promise<number> {
  const sockets = new Set<net.Socket>()
  server.on('connection', (socket) => sockets.add(socket))
  closers.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

describe('request', () => {
  it('sends the virtual host, the method, headers and the body', async () => {
    const port = await listen(
      createHttp((incoming, response) => {
        let body = ''
        incoming.on('data', (chunk: Buffer) => (body += chunk.toString()))
        incoming.on('end', () => {
          response.writeHead(201, { 'x-service': 'echo' })
          response.end(
            JSON.stringify({
              method: incoming.method,
              host: incoming.headers.host,
              a: incoming.headers['x-a'],
              body,
            }),
          )
        })
      }),
    )
    const outcome = await request(`http://127.0.0.1:${String(port)}/path`, {
      method: 'POST',
      host: 'slate.local',
      headers: { 'x-a': 'b' },
      body: 'grüße',
      timeoutMs: 1_000,
    })
    expect(outcome).toMatchObject({ kind: 'answered', status: 201, headers: { 'x-service': 'echo' } })
    expect(JSON.parse(outcome.kind === 'answered' ? outcome.body : '')).toEqual({
      method: 'POST',
      host: 'slate.local',
      a: 'b',
      body: 'grüße',
    })
  })

  it('opens a new connection for every request', async () => {
    const server = createHttp((_, response) => response.end('x'))
    let connections = 0
    server.on('connection', () => connections++)
    const port = await listen(server)
    for (let i = 0; i < 3; i++) await request(`http://127.0.0.1:${String(port)}/`, { timeoutMs: 1_000 })
    expect(connections).toBe(3)
  })

  it('uses a connection that is open already, whatever the URL’s host', async () => {
    const port = await listen(
      createHttp((_, response) => {
        response.end('over the stream')
      }),
    )
    const connection = net.connect(port, '127.0.0.1')
    const outcome = await request('http://nowhere.invalid:1/', { connection, timeoutMs: 1_000 })
    expect(outcome).toMatchObject({ kind: 'answered', status: 200, body: 'over the stream' })
  })

  it('does not follow a redirect', async () => {
    const port = await listen(
      createHttp((_, response) => response.writeHead(302, { location: '/other' }).end()),
    )
    expect(await request(`http://127.0.0.1:${String(port)}/`, { timeoutMs: 1_000 })).toMatchObject({
      status: 302,
    })
  })

  it('tells refused, reset, silence, unknown names and nonsense apart', async () => {
    const gone = await listen(net.createServer())
    closers.splice(0).forEach((close) => {
      close()
    })
    const silent = await listen(net.createServer())
    const rude = await listen(
      net.createServer((socket) => socket.once('data', () => socket.resetAndDestroy())),
    )
    const kind = async (url: string, timeoutMs = 5_000) => (await request(url, { timeoutMs })).kind
    expect(await kind(`http://127.0.0.1:${String(gone)}/`)).toBe('refused')
    expect(await kind(`http://127.0.0.1:${String(silent)}/`, 150)).toBe('timeout')
    expect(await kind(`http://127.0.0.1:${String(rude)}/`)).toBe('reset')
    expect(await kind('gopher://127.0.0.1/')).toBe('could-not-run')
    expect(kindOf(Object.assign(new Error('x'), { code: 'ENOTFOUND' }))).toBe('dns-failure')
    expect(kindOf(Object.assign(new Error('x'), { code: 'EHOSTUNREACH' }))).toBe('unreachable')
  })

  it('does not take half an answer for an answer', async () => {
    const port = await listen(
      createHttp((_, response) => {
        response.writeHead(200)
        response.write('half')
      }),
    )
    expect((await request(`http://127.0.0.1:${String(port)}/`, { timeoutMs: 100 })).kind).toBe('timeout')
  })

  it('throws when it is interrupted', async () => {
    const port = await listen(net.createServer())
    const controller = new AbortController()
    setTimeout(() => {
      controller.abort(new Error('Ctrl-C'))
    }, 20)
    await expect(
      request(`http://127.0.0.1:${String(port)}/`, { timeoutMs: 1_000, signal: controller.signal }),
    ).rejects.toThrow('Ctrl-C')
  })

  it('describes an outcome in one line', () => {
    expect(describeHttp({ kind: 'answered', status: 404, headers: {}, body: 'not\n found ', ms: 1 })).toBe(
      '404 not found',
    )
    expect(describeHttp({ kind: 'timeout', detail: 'no answer', ms: 1 })).toBe('timeout: no answer')
  })
})
