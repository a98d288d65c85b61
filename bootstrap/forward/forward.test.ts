import { createServer as createHttp, request as requestHttp, type IncomingMessage } from 'node:http'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { buffer, text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { KubeObject } from '../kube/client.ts'
import { fakeCluster, type FakeCluster } from '../kube/fake-client.ts'
import type { ForwardEvent } from './events.ts'
import { startForwards, type Forwards } from './start-forwards.ts'

let cluster: FakeCluster
let events: ForwardEvent[]
let stop: AbortController
/** Pods by name: what listens behind their port. */
let pods: Map<string, Server>
/** Connections into pods that were opened, by pod. */
let opened: string[]
const open: AsyncDisposable[] = []
const others: Server[] = []

beforeEach(() => {
  cluster = fakeCluster()
  events = []
  stop = new AbortController()
  pods = new Map()
  opened = []
})
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]()
  for (const server of [...pods.values(), ...others.splice(0)]) server.close()
  stop.abort()
})

const service = (name = 'web-svc', ports: object[] = [{ name: 'http', port: 0 }]): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'slate' },
  spec: { ports },
})
const listen = async (server: Server, port = 0): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}
const addPod = async (name: string, server: Server): Promise<void> => {
  pods.set(name, server)
  await listen(server)
}
const web = (name: string): Server =>
  createHttp((request, response) => {
    response.setHeader('connection', 'close')
    void text(request).then((body) => response.end(`${name} ${request.method ?? ''} ${body}`))
  })
/** Tells the cluster which pods are ready, as the endpoint slices of the Service. */
const ready = (...names: string[]): void => {
  const slice: KubeObject = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'web-a', namespace: 'slate', labels: { 'kubernetes.io/service-name': 'web-svc' } },
    ports: [{ name: 'http', port: 8080 }],
    endpoints: [...pods.keys()].map((name) => ({
      conditions: { ready: names.includes(name) },
      targetRef: { kind: 'Pod', name },
    })),
  }
  cluster.objects.set('EndpointSlice slate/web-a', slice)
  cluster.edit('EndpointSlice slate/web-a', () => undefined)
}
/** Connections go to real listeners on loopback instead of over an API. */
const portForward = async (pod: { name: string }, port: number): Promise<Socket> => {
  expect(port).toBe(8080)
  opened.push(pod.name)
  const server = pods.get(pod.name)
  if (!server) throw new LocalCloudError('API_REFUSED', { message: 'there is no such pod' })
  const socket = connect((server.address() as AddressInfo | null)?.port ?? 1, '127.0.0.1')
  const fail = socket.destroy.bind(socket)
  // As the node tells it, after the connection to the API has been made.
  socket.destroy = (error?: Error & { code?: string }) => {
    const words = error?.code === 'ECONNREFUSED' ? 'connection refused' : (error?.message ?? '')
    return fail(error && new LocalCloudError('API_REFUSED', { message: `error forwarding port: ${words}` }))
  }
  return socket
}
const start = async (options: Partial<Parameters<typeof startForwards>[0]> = {}): Promise<Forwards> => {
  const forwards = await startForwards({
    kube: { waitForList: cluster.client.waitForList.bind(cluster.client), portForward },
    services: [service()],
    ports: {},
    address: '127.0.0.1',
    waitMs: 2_000,
    lingerMs: 400,
    emit: (event) => events.push(event),
    signal: stop.signal,
    ...options,
  })
  open.push(forwards)
  return forwards
}
const localPort = ({ forwards }: Forwards): number => forwards[0]!.localPort
const ask = (forwards: Forwards, body?: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const request = requestHttp(
      {
        port: localPort(forwards),
        host: '127.0.0.1',
        method: body === undefined ? 'GET' : 'POST',
        agent: false,
      },
      (answer: IncomingMessage) => {
        text(answer).then(resolve, reject)
      },
    )
    request.on('error', reject)
    request.end(body)
  })
/** A free port of this machine, so that a Service may want it. */
const freePort = async (): Promise<number> => {
  const server = createServer()
  const port = await listen(server)
  await new Promise((resolve) => server.close(resolve))
  return port
}
const services = async (): Promise<KubeObject[]> => [
  service('web-svc', [{ name: 'http', port: await freePort() }]),
]

describe('a forward', () => {
  it('leads to a ready pod and keeps to it', async () => {
    await addPod('a', web('a'))
    await addPod('b', web('b'))
    ready('b')
    const forwards = await start({ services: await services() })
    expect(forwards.forwards[0]).toMatchObject({
      service: 'web-svc',
      namespace: 'slate',
      address: '127.0.0.1',
    })
    expect(await ask(forwards)).toBe('b GET ')
    ready('a', 'b')
    expect(await ask(forwards, 'x')).toBe('b POST x')
    expect(events).toEqual([])
  })

  it('takes another pod when its own goes, and says so once', async () => {
    await addPod('a', web('a'))
    await addPod('b', web('b'))
    ready('a', 'b')
    const forwards = await start({ services: await services() })
    expect(await ask(forwards)).toBe('a GET ')
    ready('b')
    expect(await ask(forwards)).toBe('b GET ')
    expect(await ask(forwards)).toBe('b GET ')
    expect(events).toEqual([{ type: 'moved', service: 'web-svc', from: 'a', to: 'b' }])
  })

  it('lets a connection wait while no pod is ready', async () => {
    await addPod('a', web('a'))
    ready('a')
    const forwards = await start({ services: await services() })
    expect(await ask(forwards)).toBe('a GET ')
    ready()
    const answer = ask(forwards)
    setTimeout(() => {
      ready('a')
    }, 100)
    expect(await answer).toBe('a GET ')
    expect(events).toEqual([
      { type: 'moved', service: 'web-svc', from: 'a' },
      { type: 'moved', service: 'web-svc', to: 'a' },
    ])
  })

  it('closes a connection for which no pod gets ready in time, and says why', async () => {
    const forwards = await start({ services: await services(), waitMs: 100 })
    await expect(ask(forwards)).rejects.toThrow(/hang up|ECONNRESET/)
    expect(events).toEqual([{ type: 'closed', service: 'web-svc', reason: 'no pod was ready within 0.1 s' }])
  })

  it('tries another pod with the same request when one does not let it in', async () => {
    await addPod('a', web('a'))
    await addPod('b', web('b'))
    pods.get('a')?.close()
    ready('a', 'b')
    const forwards = await start({ services: await services() })
    expect(await ask(forwards, 'only once')).toBe('b POST only once')
    expect(opened).toEqual(['a', 'b'])
    expect(events).toEqual([{ type: 'moved', service: 'web-svc', from: 'a', to: 'b' }])
  })

  it('does not send a request again that a pod has taken', async () => {
    let taken = 0
    await addPod(
      'a',
      createServer((socket) =>
        socket.once('data', () => {
          taken += 1
          socket.resetAndDestroy()
        }),
      ),
    )
    await addPod('b', web('b'))
    ready('a', 'b')
    const forwards = await start({ services: await services() })
    await expect(ask(forwards, 'x')).rejects.toThrow()
    expect([taken, opened]).toEqual([1, ['a']])
    expect(events).toMatchObject([
      { type: 'closed', reason: expect.stringContaining('ECONNRESET') as string },
    ])
  })

  it('loses nothing of what is large, either way', async () => {
    const large = Buffer.alloc(8_000_000, 'abcdefghijklmnopqrstuvwxyz')
    await addPod(
      'a',
      createServer((socket) => socket.pipe(socket)),
    )
    ready('a')
    const forwards = await start({ services: await services() })
    const socket = connect(localPort(forwards), '127.0.0.1')
    const received = buffer(socket)
    socket.end(large)
    expect((await received).equals(large)).toBe(true)
  })

  it('passes on what a pod still says to a client that has ended its side', async () => {
    await addPod(
      'a',
      createServer({ allowHalfOpen: true }, (socket) => {
        socket.once('data', () => setTimeout(() => socket.end('late'), 200))
      }),
    )
    ready('a')
    const forwards = await start({ services: await services() })
    const socket = connect({ port: localPort(forwards), host: '127.0.0.1', allowHalfOpen: true })
    socket.end('question')
    expect(await text(socket)).toBe('late')
  })

  it('tells that the API refuses to say which pods are ready, and asks again', async () => {
    await addPod('a', web('a'))
    ready('a')
    cluster.fail.waitForList = new LocalCloudError('API_REFUSED', { message: 'forbidden' })
    const forwards = await start({ services: await services() })
    await expect.poll(() => events).toEqual([{ type: 'trouble', message: 'forbidden' }])
    delete cluster.fail.waitForList
    expect(await ask(forwards)).toBe('a GET ')
  })
})

describe('the ports', () => {
  it('are others where the Service’s own is taken, which is said', async () => {
    const port = await freePort()
    const holder = createServer()
    others.push(holder)
    await listen(holder, port)
    const { forwards } = await start({ services: [service('web-svc', [{ port }])] })
    expect(forwards[0]?.localPort).toBeGreaterThan(port)
    expect(forwards[0]?.note).toMatch(
      new RegExp(`^${String(port)} is in use by .*process ${String(process.pid)}`),
    )
  })

  it('that were asked for and are taken are refused by name before anything listens', async () => {
    const [port, own] = [await freePort(), await freePort()]
    const holder = createServer()
    others.push(holder)
    await listen(holder, port)
    const both = [service('api-svc', [{ port: own }]), service('web-svc', [{ port: 80 }])]
    const error = await start({ services: both, ports: { 'web-svc': port } }).catch(
      (thrown: unknown) => thrown,
    )
    expect(error).toMatchObject({ code: 'PORT_TAKEN' })
    expect((error as LocalCloudError).message).toContain('which --port gives to web-svc')
    const refused = await new Promise((resolve) => {
      connect(own, '127.0.0.1')
        .on('error', resolve)
        .on('connect', () => {
          resolve(undefined)
        })
    })
    expect(refused).toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('are free again, and open connections closed, when the signal aborts', async () => {
    await addPod('a', createServer())
    ready('a')
    const forwards = await start({ services: await services() })
    const socket = connect(localPort(forwards), '127.0.0.1')
    socket.on('error', () => undefined)
    const ended = new Promise((resolve) => socket.on('close', resolve))
    await expect.poll(() => opened).toEqual(['a'])
    stop.abort(new LocalCloudError('INTERRUPTED', { message: 'Stopped.' }))
    await ended
    const again = createServer()
    others.push(again)
    await expect.poll(() => listen(again, localPort(forwards)).catch(() => 0)).toBe(localPort(forwards))
    expect(events).toEqual([])
  })
})
