import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { afterEach, describe, expect, it } from 'vitest'
import { openWebSocket } from './websocket-client.ts'
import { acceptKey, decodeFrame, encodeFrame, opcodes } from './websocket-frames.ts'

let server: Server | undefined
const streams: Duplex[] = []
afterEach(() => {
  for (const stream of streams.splice(0)) stream.destroy()
  server?.close()
})

async function serve(onUpgrade: (incoming: IncomingMessage, stream: Duplex) => void): Promise<string> {
  server = createServer((_, response) => response.writeHead(404).end())
  server.on('upgrade', (incoming, stream) => {
    streams.push(stream)
    onUpgrade(incoming, stream)
  })
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/ws`
}

const handshake = (
  incoming: IncomingMessage,
  key = acceptKey(incoming.headers['sec-websocket-key'] ?? ''),
): string =>
  `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${key}\r\nx-host: ${incoming.headers.host ?? ''}\r\n\r\n`

function echo(incoming: IncomingMessage, stream: Duplex): void {
  stream.write(handshake(incoming))
  let buffer = Buffer.alloc(0)
  stream.on('data', (chunk: Buffer) => {
    buffer = Buffer.concat([buffer, chunk])
    for (let decoded = decodeFrame(buffer); decoded; decoded = decodeFrame(buffer)) {
      buffer = Buffer.from(decoded.rest)
      stream.write(encodeFrame(opcodes.ping, Buffer.from('p'), false))
      if (decoded.frame.opcode === opcodes.pong) continue
      stream.write(encodeFrame(decoded.frame.opcode, decoded.frame.payload, false))
    }
  })
}

describe('WebSocket frames', () => {
  it('computes the accept key of the example in RFC 6455, section 1.3', () => {
    expect(acceptKey('dGhlIHNhbXBsZSBub25jZQ==')).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
  })

  it('encodes the examples of RFC 6455, section 5.7', () => {
    expect(encodeFrame(opcodes.text, Buffer.from('Hello'), false).toString('hex')).toBe('810548656c6c6f')
    const mask = Buffer.from('37fa213d', 'hex')
    expect(encodeFrame(opcodes.text, Buffer.from('Hello'), mask).toString('hex')).toBe(
      '818537fa213d7f9f4d5158',
    )
  })

  it.each([0, 125, 126, 65_535, 65_536])('carries %i bytes', (size) => {
    const payload = Buffer.alloc(size, 7)
    const encoded = encodeFrame(opcodes.binary, payload)
    expect(decodeFrame(encoded.subarray(0, -1))).toBeUndefined()
    const decoded = decodeFrame(Buffer.concat([encoded, Buffer.from('x')]))
    expect(decoded?.frame.payload.equals(payload)).toBe(true)
    expect(decoded?.rest.toString()).toBe('x')
  })
})

describe('openWebSocket', () => {
  it('opens under a virtual host and gets text and binary frames back, pings in between', async () => {
    const outcome = await openWebSocket(await serve(echo), { host: 'slate.local', timeoutMs: 1_000 })
    if (outcome.kind !== 'open') throw new Error(outcome.detail)
    await using socket = outcome.socket
    expect(socket.headers['x-host']).toBe('slate.local')
    socket.send('grüße')
    expect((await socket.receive(1_000)).payload.toString()).toBe('grüße')
    socket.send(Buffer.alloc(70_000, 1))
    const frame = await socket.receive(1_000)
    expect(frame.opcode).toBe(opcodes.binary)
    expect(frame.payload).toHaveLength(70_000)
  })

  it('does not accept a wrong key', async () => {
    const url = await serve((incoming, stream) => stream.write(handshake(incoming, 'AAAA')))
    expect(await openWebSocket(url, { timeoutMs: 1_000 })).toMatchObject({ kind: 'could-not-run' })
  })

  it('tells a server that does not upgrade from one that is not there', async () => {
    const url = await serve((_, stream) => stream.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n'))
    expect(await openWebSocket(url, { timeoutMs: 1_000 })).toMatchObject({ kind: 'answered', status: 404 })
    await new Promise((resolve) => server?.close(resolve))
    expect(await openWebSocket(url, { timeoutMs: 1_000 })).toMatchObject({ kind: 'refused' })
  })

  it('says when no frame comes, and when the server hangs up', async () => {
    const url = await serve((incoming, stream) => {
      stream.write(handshake(incoming))
      setTimeout(() => stream.write(encodeFrame(opcodes.close, Buffer.alloc(0), false)), 60)
    })
    const outcome = await openWebSocket(url, { timeoutMs: 1_000 })
    if (outcome.kind !== 'open') throw new Error(outcome.detail)
    await using socket = outcome.socket
    await expect(socket.receive(20)).rejects.toThrow('no frame within 20 ms')
    await expect(socket.receive(1_000)).rejects.toThrow('close frame')
  })
})
