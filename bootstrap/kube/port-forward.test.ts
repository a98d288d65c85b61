import { buffer, text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { serveChannels, type ChannelServer, type ChannelSocket } from '../../e2e/harness/channel-sockets.ts'
import type { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { ConnectedKube } from './client.ts'
import { connect } from './connect.ts'
import { startProtocolServer, type ProtocolServer } from './protocol-server.ts'

let server: ProtocolServer
let sockets: ChannelServer
let kube: ConnectedKube
beforeEach(async () => {
  server = await startProtocolServer()
  sockets = serveChannels(server.http, server.url, 'v4.channel.k8s.io')
  kube = await connect({ kubeconfigFile: server.kubeconfigFile, signal: AbortSignal.timeout(5_000) })
})
afterEach(async () => {
  kube.close()
  sockets.close()
  await server[Symbol.asyncDispose]()
})

const port = Buffer.from([8080 & 0xff, 8080 >> 8])
/** As a node begins: the port on both channels, each in a message of its own. */
const begin = (socket: ChannelSocket): void => {
  socket.send(0, port)
  socket.send(1, port)
}
const open = (signal = AbortSignal.timeout(5_000), openTimeoutMs = 5_000) =>
  kube.portForward({ namespace: 'slate', name: 'core' }, 8080, { signal, openTimeoutMs })
const failure = (promise: Promise<unknown>): Promise<LocalCloudError> =>
  promise.then(
    () => {
      throw new Error('It did not fail.')
    },
    (error: unknown) => error as LocalCloudError,
  )

describe('portForward', () => {
  it('carries bytes both ways and ends when the pod closes', async () => {
    sockets.behaviours = [
      (socket) => {
        begin(socket)
        let input = ''
        socket.onMessage((channel, data) => {
          expect(channel).toBe(0)
          input += data.toString('utf8')
          if (!input.endsWith('\n')) return
          socket.send(0, input.toUpperCase())
          socket.end()
        })
      },
    ]
    const stream = await open()
    stream.write('some ')
    stream.write('words\n')
    expect(await text(stream)).toBe('SOME WORDS\n')
    expect(sockets.asked[0]?.pathname).toBe('/api/v1/namespaces/slate/pods/core/portforward')
    expect(sockets.asked[0]?.searchParams.get('ports')).toBe('8080')
  })

  it('takes the port off the front even where data follows it at once', async () => {
    sockets.behaviours = [
      (socket) => {
        socket.send(0, Buffer.concat([port.subarray(0, 1)]))
        socket.send(0, Buffer.concat([port.subarray(1), Buffer.from('data')]))
        socket.end()
      },
    ]
    expect(await text(await open())).toBe('data')
  })

  it('loses nothing of a large answer that is read slowly', async () => {
    const whole = Buffer.alloc(3_000_000, 'abcdefghij')
    sockets.behaviours = [
      (socket) => {
        begin(socket)
        for (let at = 0; at < whole.length; at += 30_000) socket.send(0, whole.subarray(at, at + 30_000))
        socket.end()
      },
    ]
    const stream = await open()
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect((await buffer(stream)).equals(whole)).toBe(true)
  })

  it('fails in the node’s words when nothing listens on the port', async () => {
    sockets.behaviours = [
      (socket) => {
        begin(socket)
        socket.send(1, 'error forwarding port 8080: dial tcp4 127.0.0.1:8080: connect: connection refused')
        socket.end()
      },
    ]
    const stream = await open()
    const error = await failure(text(stream))
    expect(error.code).toBe('API_REFUSED')
    expect(error.message).toContain('connection refused')
  })

  it('is refused where there is no such pod, and does not ask again', async () => {
    sockets.behaviours = [404]
    const error = await failure(open())
    expect(error).toMatchObject({ code: 'API_REFUSED' })
    expect(error.message).toContain('there is no such pod')
    expect(sockets.asked).toHaveLength(1)
  })

  it('does not wait for ever for a server that does not answer', async () => {
    server.http.removeAllListeners('upgrade')
    const silent: { destroy(): void }[] = []
    server.http.on('upgrade', (_request, socket) => {
      socket.on('error', () => undefined)
      silent.push(socket)
    })
    expect(await failure(open(undefined, 50))).toMatchObject({ code: 'API_UNREACHABLE' })
    for (const socket of silent) socket.destroy()
  })

  it('is cut by its signal, and cuts the connection when it is destroyed', async () => {
    const closed: string[] = []
    sockets.behaviours = ['first', 'second'].map((name) => (socket: ChannelSocket) => {
      begin(socket)
      socket.onClose(() => closed.push(name))
    })
    const stop = new AbortController()
    const first = await open(stop.signal)
    const read = failure(text(first))
    stop.abort()
    expect((await read).code).toBe('INTERRUPTED')
    await expect.poll(() => closed).toEqual(['first'])
    const second = await open()
    second.destroy()
    await expect.poll(() => closed).toEqual(['first', 'second'])
  })
})
