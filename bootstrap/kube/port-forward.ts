import { Duplex, PassThrough, Readable } from 'node:stream'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { abortedError } from './aborted.ts'
import { refused } from './api-status.ts'
import type { Connection } from './connection.ts'
import { notConnected } from './not-connected.ts'

export interface PortForwardSpec {
  namespace: string
  name: string
  port: number
  signal: AbortSignal
  openTimeoutMs: number
}

/** The part of a websocket that is used here. */
interface Socket {
  addEventListener(type: 'close', listener: () => void): void
  send(data: Buffer, done: (error?: Error) => void): void
  pause(): void
  resume(): void
  terminate(): void
}

/** Channels of one forwarded port; each begins with the port in two bytes. */
const channels = { data: 0, error: 1 } as const
const portBytes = 2

/** `ConnectedKube.portForward`: one websocket for one connection, subprotocol v4.channel.k8s.io, which knows no half-closed state. */
export async function portForward(connection: Connection, spec: PortForwardSpec): Promise<Duplex> {
  const { namespace, name, port, signal, openTimeoutMs } = spec
  const what = `port ${String(port)} of Pod ${namespace}/${name}`
  if (signal.aborted) throw abortedError(signal)
  const { WebSocketHandler } = await import('@kubernetes/client-node/dist/web-socket-handler.js')
  // Without streams of its own the handler would end those of this process when the server closes a channel.
  const streams = { stdin: Readable.from([]), stdout: new PassThrough(), stderr: new PassThrough() }
  const handler = new WebSocketHandler(connection.forClientNode(), undefined, streams)

  let socket: Socket | undefined
  let trouble = ''
  const unread = new Map<number, number>([
    [channels.data, portBytes],
    [channels.error, portBytes],
  ])
  const stream = new Duplex({
    // When the pod has closed there is nobody to write to.
    allowHalfOpen: false,
    read() {
      socket?.resume()
    },
    write(chunk: Buffer, _encoding, done) {
      if (socket) socket.send(Buffer.concat([Buffer.from([channels.data]), chunk]), done)
      else done(new Error('not open'))
    },
    destroy(error, done) {
      signal.removeEventListener('abort', onAbort)
      socket?.terminate()
      done(error)
    },
  })
  const onAbort = (): void => {
    stream.destroy(abortedError(signal))
  }
  const onMessage = (channel: number, message: Buffer): boolean => {
    const skipped = Math.min(unread.get(channel) ?? 0, message.length)
    unread.set(channel, (unread.get(channel) ?? 0) - skipped)
    const data = message.subarray(skipped)
    if (stream.destroyed || data.length === 0) return true
    if (channel === channels.error) trouble += data.toString('utf8')
    else if (channel === channels.data && !stream.push(data)) socket?.pause()
    return true
  }
  const onClose = (): void => {
    if (stream.destroyed) return
    if (trouble === '') stream.push(null)
    else stream.destroy(refused(what, { code: 500, reason: '', message: trouble.trim(), causes: [] }))
  }

  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}/portforward?ports=${String(port)}`
  const opening = handler.connect(path, null, onMessage) as unknown as Promise<Socket>
  try {
    socket = await opened(opening, signal, openTimeoutMs, what)
  } catch (error) {
    stream.destroy()
    if (error instanceof LocalCloudError) throw error
    throw notConnected(error, connection.server, what).problem
  }
  signal.addEventListener('abort', onAbort, { once: true })
  socket.addEventListener('close', onClose)
  return stream
}

/** The socket, unless time or the signal ends the wait; a socket that opens after that is closed again. */
async function opened(
  opening: Promise<Socket>,
  signal: AbortSignal,
  timeoutMs: number,
  what: string,
): Promise<Socket> {
  const late = AbortSignal.timeout(timeoutMs)
  const over = AbortSignal.any([signal, late])
  let onOver = (): void => undefined
  const ended = new Promise<never>((_resolve, reject) => {
    onOver = () => {
      opening.then(
        (socket) => {
          socket.terminate()
        },
        () => undefined,
      )
      reject(
        signal.aborted
          ? abortedError(signal)
          : new LocalCloudError('API_UNREACHABLE', {
              message: `The Kubernetes API did not open ${what} within ${String(timeoutMs / 1000)} s.`,
            }),
      )
    }
    over.addEventListener('abort', onOver, { once: true })
  })
  try {
    return await Promise.race([opening, ended])
  } finally {
    over.removeEventListener('abort', onOver)
  }
}
