import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { serveChannels, type ChannelServer, type ChannelSocket } from '../../e2e/harness/channel-sockets.ts'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { ConnectedKube } from './client.ts'
import { connect } from './connect.ts'
import { startProtocolServer, type ProtocolServer } from './protocol-server.ts'

const seconds = (count: number): AbortSignal => AbortSignal.timeout(count * 1_000)
const pod = { namespace: 'slate', name: 'core', container: 'main' }

/** Channels of the subprotocol: https://kubernetes.io/docs/reference/kubernetes-api/ (v5.channel.k8s.io). */
const channels = { stdin: 0, stdout: 1, stderr: 2, status: 3, close: 255 } as const

const status = (socket: ChannelSocket, body: object): void => {
  socket.send(channels.status, JSON.stringify({ kind: 'Status', metadata: {}, ...body }))
  socket.end()
}
const exitStatus = (code: number): object => ({
  status: 'Failure',
  reason: 'NonZeroExitCode',
  details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
})

let server: ProtocolServer
let sockets: ChannelServer
let kube: ConnectedKube

beforeEach(async () => {
  server = await startProtocolServer()
  sockets = serveChannels(server.http, server.url, 'v5.channel.k8s.io')
  kube = await connect({ kubeconfigFile: server.kubeconfigFile, signal: seconds(5) })
})

afterEach(async () => {
  kube.close()
  sockets.close()
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
    sockets.behaviours = [
      (socket) => {
        socket.send(channels.stdout, 'out ')
        socket.send(channels.stderr, 'err')
        socket.send(channels.stdout, Buffer.from('Größe').subarray(0, 3))
        socket.send(channels.stdout, Buffer.from('Größe').subarray(3))
        status(socket, exitStatus(7))
      },
    ]
    const result = await kube.exec(pod, ['sh', '-c', 'exit 7'], { signal: seconds(5) })
    expect(result).toEqual({ exitCode: 7, stdout: 'out Größe', stderr: 'err' })
    expect(sockets.asked[0]?.pathname).toBe('/api/v1/namespaces/slate/pods/core/exec')
    expect(sockets.asked[0]?.searchParams.getAll('command')).toEqual(['sh', '-c', 'exit 7'])
    expect(sockets.asked[0]?.searchParams.get('container')).toBe('main')
    expect(sockets.asked[0]?.searchParams.get('stdin')).toBe('false')
  })

  it('gives the program its input and then ends it', async () => {
    sockets.behaviours = [
      (socket) => {
        let input = ''
        socket.onMessage((channel, data) => {
          if (channel === channels.stdin) input += data.toString('utf8')
          if (channel !== channels.close) return
          socket.send(channels.stdout, input.toUpperCase())
          status(socket, { status: 'Success' })
        })
      },
    ]
    const result = await kube.exec(pod, ['cat'], { signal: seconds(5), stdin: 'some words' })
    expect(result).toEqual({ exitCode: 0, stdout: 'SOME WORDS', stderr: '' })
  })

  it('is refused when the program could not be started', async () => {
    sockets.behaviours = [
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
    sockets.behaviours = [404]
    const error = await errorOf(kube.exec(pod, ['true'], { signal: seconds(5) }))
    expect(error.code).toBe('API_REFUSED')
    expect(error.message).toContain('there is no such pod')
    expect(error.message).not.toContain('event')
  })

  it('is refused with the last event of a pod that is gone', async () => {
    sockets.behaviours = [404]
    const event = (reason: string, message: string, lastTimestamp: string): object => ({
      metadata: { name: reason, namespace: 'slate' },
      type: 'Normal',
      reason,
      message,
      lastTimestamp,
      involvedObject: { kind: 'Pod', namespace: 'slate', name: 'core' },
    })
    server.handler = ({ path, query }) =>
      path.endsWith('/namespaces/slate/events') &&
      query.get('fieldSelector') === 'involvedObject.kind=Pod,involvedObject.name=core'
        ? {
            body: {
              kind: 'EventList',
              metadata: { resourceVersion: '1' },
              items: [
                event('Preempted', 'Preempted by pod 7 on node n', '2026-01-01T00:00:02Z'),
                event('Started', 'Container started', '2026-01-01T00:00:01Z'),
              ],
            },
          }
        : undefined
    const error = await errorOf(kube.exec(pod, ['true'], { signal: seconds(5) }))
    expect(error).toMatchObject({
      code: 'API_REFUSED',
      message:
        'The Kubernetes API refused exec in Pod slate/core: there is no such pod; its last event: ' +
        '2026-01-01T00:00:02Z Normal Preempted Pod slate/core: Preempted by pod 7 on node n (HTTP 404)',
    })
  })

  it('connects again while the server cannot answer, and starts the program once', async () => {
    let runs = 0
    sockets.behaviours = [
      503,
      429,
      (socket) => {
        runs += 1
        status(socket, { status: 'Success' })
      },
    ]
    expect((await kube.exec(pod, ['true'], { signal: seconds(10) })).exitCode).toBe(0)
    expect([sockets.asked.length, runs]).toEqual([3, 1])
  })

  it('does not take a broken connection for an end', async () => {
    sockets.behaviours = [
      (socket) => {
        socket.send(channels.stdout, 'half')
        setTimeout(() => {
          socket.destroy()
        }, 20)
      },
    ]
    const error = await errorOf(kube.exec(pod, ['true'], { signal: seconds(5) }))
    expect(error.code).toBe('API_UNREACHABLE')
    expect(error.message).toContain('broke before the program ended')
    expect(sockets.asked).toHaveLength(1)
  })

  it('ends at once when it is interrupted, and closes the connection', async () => {
    let closed = false
    sockets.behaviours = [
      (socket) => {
        socket.onClose(() => {
          closed = true
        })
      },
    ]
    const stop = new AbortController()
    const running = errorOf(kube.exec(pod, ['sleep', '100'], { signal: stop.signal }))
    await expect.poll(() => sockets.asked.length).toBe(1)
    stop.abort()
    expect((await running).code).toBe('INTERRUPTED')
    await expect.poll(() => closed).toBe(true)
  })
})
