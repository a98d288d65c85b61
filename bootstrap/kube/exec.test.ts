import type { Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { acceptKey, decodeFrame, encodeFrame, opcodes } from '../../e2e/harness/websocket-frames.ts'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { ConnectedKube } from './client.ts'
import { connect } from './connect.ts'
import { startProtocolServer, type ProtocolServer } from './protocol-server.ts'

const seconds = (count: number): AbortSignal => AbortSignal.timeout(count * 1_000)
const pod = { namespace: 'slate', name: 'core', container: 'main' }

/** Channels of the subprotocol: https://kubernetes.io/docs/reference/kubernetes-api/ (v5.channel.k8s.io). */
const channels = { stdin: 0, stdout: 1, stderr: 2, status: 3, close: 255 } as const

const send = (socket: Socket, channel: number, data: string | Buffer): void => {
  socket.write(encodeFrame(opcodes.binary, Buffer.concat([Buffer.from([channel]), Buffer.from(data)]), false))
}
const status = (socket: Socket, body: object): void => {
  send(socket, channels.status, JSON.stringify({ kind: 'Status', metadata: {}, ...body }))
  socket.write(encodeFrame(opcodes.close, Buffer.alloc(0), false))
}
const exitStatus = (code: number): object => ({
  status: 'Failure',
  reason: 'NonZeroExitCode',
  details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
})

let server: ProtocolServer
let kube: ConnectedKube
let asked: URL[]
const sockets = new Set<Socket>()

/** What the server does with an upgraded connection, or an HTTP status instead of one, in turn. */
let behaviours: (
  ((socket: Socket, received: (onMessage: (channel: number, data: Buffer) => void) => void) => void) | number
)[]

beforeEach(async () => {
  server = await startProtocolServer()
  kube = await connect({ kubeconfigFile: server.kubeconfigFile, signal: seconds(5) })
  asked = []
  server.http.on('upgrade', (request, socket: Socket) => {
    asked.push(new URL(request.url ?? '', server.url))
    const behaviour = behaviours.length > 1 ? behaviours.shift() : behaviours[0]
    socket.on('error', () => undefined)
    if (typeof behaviour === 'number' || behaviour === undefined) {
      socket.end(`HTTP/1.1 ${String(behaviour ?? 500)} No\r\nContent-Length: 0\r\n\r\n`)
      return
    }
    const key = request.headers['sec-websocket-key'] ?? ''
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptKey(key)}\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n`,
    )
    socket.resume()
    // A socket that was upgraded is no longer the HTTP server's to close.
    socket.on('end', () => socket.end())
    sockets.add(socket)
    let buffer: Buffer = Buffer.alloc(0)
    behaviour(socket, (onMessage) => {
      socket.on('data', (chunk: Buffer) => {
        buffer = Buffer.concat([buffer, chunk])
        for (let decoded = decodeFrame(buffer); decoded; decoded = decodeFrame(buffer)) {
          buffer = decoded.rest
          const { opcode, payload } = decoded.frame
          if (opcode === opcodes.close) socket.end()
          else onMessage(payload.readUInt8(0), payload.subarray(1))
        }
      })
    })
  })
})

afterEach(async () => {
  kube.close()
  for (const socket of sockets) socket.destroy()
  sockets.clear()
  await server[Symbol.asyncDispose]()
})

async function errorOf(promise: Promise<unknown>): Promise<LocalCloudError> {
  try {
    await promise
  } catch (error) {
    expect(error).toBeInstanceOf(LocalCloudError)
    return error as LocalCloudError
  }
  throw new Error('It did not fail.')
}

describe('exec', () => {
  it('returns both streams and the exit code of the program', async () => {
    behaviours = [
      (socket) => {
        send(socket, channels.stdout, 'out ')
        send(socket, channels.stderr, 'err')
        send(socket, channels.stdout, Buffer.from('Größe').subarray(0, 3))
        send(socket, channels.stdout, Buffer.from('Größe').subarray(3))
        status(socket, exitStatus(7))
      },
    ]
    const result = await kube.exec(pod, ['sh', '-c', 'exit 7'], { signal: seconds(5) })
    expect(result).toEqual({ exitCode: 7, stdout: 'out Größe', stderr: 'err' })
    expect(asked[0]?.pathname).toBe('/api/v1/namespaces/slate/pods/core/exec')
    expect(asked[0]?.searchParams.getAll('command')).toEqual(['sh', '-c', 'exit 7'])
    expect(asked[0]?.searchParams.get('container')).toBe('main')
    expect(asked[0]?.searchParams.get('stdin')).toBe('false')
  })

  it('gives the program its input and then ends it', async () => {
    behaviours = [
      (socket, received) => {
        let input = ''
        received((channel, data) => {
          if (channel === channels.stdin) input += data.toString('utf8')
          if (channel !== channels.close) return
          send(socket, channels.stdout, input.toUpperCase())
          status(socket, { status: 'Success' })
        })
      },
    ]
    const result = await kube.exec(pod, ['cat'], { signal: seconds(5), stdin: 'some words' })
    expect(result).toEqual({ exitCode: 0, stdout: 'SOME WORDS', stderr: '' })
  })

  it('is refused when the program could not be started', async () => {
    behaviours = [
      (socket) => {
        status(socket, {
          status: 'Failure',
          reason: 'InternalError',
          code: 500,
          message: 'exec: "nothing": not found',
        })
      },
    ]
    const error = await errorOf(kube.exec(pod, ['nothing'], { signal: seconds(5) }))
    expect(error.code).toBe('API_REFUSED')
    expect(error.message).toContain('exec: "nothing": not found')
  })

  it('is refused where there is no such pod', async () => {
    behaviours = [404]
    const error = await errorOf(kube.exec(pod, ['true'], { signal: seconds(5) }))
    expect(error.code).toBe('API_REFUSED')
    expect(error.message).toContain('there is no such pod')
  })

  it('connects again while the server cannot answer, and starts the program once', async () => {
    let runs = 0
    behaviours = [
      503,
      429,
      (socket) => {
        runs += 1
        status(socket, { status: 'Success' })
      },
    ]
    expect((await kube.exec(pod, ['true'], { signal: seconds(10) })).exitCode).toBe(0)
    expect([asked.length, runs]).toEqual([3, 1])
  })

  it('does not take a broken connection for an end', async () => {
    behaviours = [
      (socket) => {
        send(socket, channels.stdout, 'half')
        setTimeout(() => socket.destroy(), 20)
      },
    ]
    const error = await errorOf(kube.exec(pod, ['true'], { signal: seconds(5) }))
    expect(error.code).toBe('API_UNREACHABLE')
    expect(error.message).toContain('broke before the program ended')
    expect(asked).toHaveLength(1)
  })

  it('ends at once when it is interrupted, and closes the connection', async () => {
    let closed = false
    behaviours = [
      (socket) => {
        socket.on('close', () => {
          closed = true
        })
      },
    ]
    const stop = new AbortController()
    const running = errorOf(kube.exec(pod, ['sleep', '100'], { signal: stop.signal }))
    await expect.poll(() => asked.length).toBe(1)
    stop.abort()
    expect((await running).code).toBe('INTERRUPTED')
    await expect.poll(() => closed).toBe(true)
  })
})
