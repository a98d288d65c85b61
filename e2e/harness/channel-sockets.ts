import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { acceptKey, decodeFrame, encodeFrame, opcodes } from './websocket-frames.ts'

/** An upgraded connection, as the server sees it. */
export interface ChannelSocket {
  /** What was asked for. */
  url: URL
  /** Sends data on a channel of the subprotocol. */
  send(channel: number, data: string | Buffer): void
  /** Says farewell, as a server does that has nothing more to send. */
  end(): void
  /** Cuts the connection. */
  destroy(): void
  onMessage(listener: (channel: number, data: Buffer) => void): void
  onClose(listener: () => void): void
}

/** What the server does with a connection that wants to be upgraded: an HTTP status instead, or a conversation. */
export type ChannelBehaviour = number | ((socket: ChannelSocket) => void)

/** The servers's side of the websockets of exec and port-forward (vN.channel.k8s.io), for tests. */
export interface ChannelServer {
  /** Taken in turn; the last one stays. */
  behaviours: ChannelBehaviour[]
  /** What was asked for, in order. */
  readonly asked: URL[]
  /** Cuts every connection. */
  close(): void
}

/** Answers upgrades on an HTTP server with this subprotocol. */
export function serveChannels(http: Server, origin: string, subprotocol: string): ChannelServer {
  const sockets = new Set<Socket>()
  const server: ChannelServer = {
    behaviours: [],
    asked: [],
    close() {
      for (const socket of sockets) socket.destroy()
      sockets.clear()
    },
  }
  http.on('upgrade', (request, socket: Socket) => {
    const url = new URL(request.url ?? '', origin)
    server.asked.push(url)
    const { behaviours } = server
    const behaviour = behaviours.length > 1 ? behaviours.shift() : behaviours[0]
    socket.on('error', () => undefined)
    if (typeof behaviour !== 'function') {
      socket.end(`HTTP/1.1 ${String(behaviour ?? 500)} No\r\nContent-Length: 0\r\n\r\n`)
      return
    }
    const key = request.headers['sec-websocket-key'] ?? ''
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptKey(key)}\r\nSec-WebSocket-Protocol: ${subprotocol}\r\n\r\n`,
    )
    socket.resume()
    // A socket that was upgraded is no longer the HTTP server's to close.
    socket.on('end', () => socket.end())
    sockets.add(socket)
    behaviour(channelSocket(socket, url))
  })
  return server
}

function channelSocket(socket: Socket, url: URL): ChannelSocket {
  const frame = (opcode: number, data: Buffer): void => {
    if (!socket.destroyed) socket.write(encodeFrame(opcode, data, false))
  }
  return {
    url,
    send(channel, data) {
      frame(opcodes.binary, Buffer.concat([Buffer.from([channel]), Buffer.from(data)]))
    },
    end() {
      frame(opcodes.close, Buffer.alloc(0))
    },
    destroy() {
      socket.destroy()
    },
    onMessage(listener) {
      let buffer: Buffer = Buffer.alloc(0)
      socket.on('data', (chunk: Buffer) => {
        buffer = Buffer.concat([buffer, chunk])
        for (let decoded = decodeFrame(buffer); decoded; decoded = decodeFrame(buffer)) {
          buffer = decoded.rest
          const { opcode, payload } = decoded.frame
          if (opcode === opcodes.close) socket.end()
          else listener(payload.readUInt8(0), payload.subarray(1))
        }
      })
    },
    onClose(listener) {
      socket.on('close', listener)
    },
  }
}
