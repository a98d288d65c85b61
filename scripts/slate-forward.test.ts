import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { KubeObject } from '../bootstrap/kube/client.ts'
import { serveChannels, type ChannelServer } from '../e2e/harness/channel-sockets.ts'
import { request } from '../e2e/harness/http-client.ts'
import { planWith, startFakeApi, type FakeApi } from './fake-api.ts'
import { parseForwardOptions } from './slate-forward-options.ts'

describe('parseForwardOptions', () => {
  it('reads names and ports in every form', () => {
    expect(parseForwardOptions([])).toEqual({ name: 'local-cloud', only: [], ports: {}, json: false })
    expect(
      parseForwardOptions([
        '--only',
        'a,b',
        '--only=c',
        '--port',
        'a=9080',
        '--name',
        'x',
        '--state-dir',
        '/s',
        '--json',
      ]),
    ).toEqual({ name: 'x', stateDir: '/s', only: ['a', 'b', 'c'], ports: { a: 9080 }, json: true })
    expect(parseForwardOptions(['--help'])).toBe('help')
  })

  it.each([
    [['--prot', 'a=1'], 'UNKNOWN_FLAG'],
    [['--port', '8080'], 'BAD_VALUE'],
    [['--port', 'a=70000'], 'BAD_VALUE'],
    [['--port', 'a=1', '--port', 'a=2'], 'BAD_VALUE'],
    [['--port'], 'BAD_VALUE'],
    [['--name', '../x'], 'BAD_VALUE'],
    [['web'], 'BAD_VALUE'],
  ])('refuses %j', (argv, code) => {
    expect(() => parseForwardOptions(argv)).toThrow(expect.objectContaining({ code }) as Error)
  })
})

describe('npm run slate:forward', () => {
  let api: FakeApi
  let channels: ChannelServer
  let child: ChildProcess | undefined
  beforeEach(async () => {
    const objects = { 'v1 Service slate/slate-web-svc': 'sha256:1' }
    api = await startFakeApi({
      plan: planWith([{ name: 'slate', environment: 'local' }]),
      parts: { 'system.slate': { title: 'SLATE', objects } },
    })
    channels = serveChannels(api.server.http, api.server.url, 'v4.channel.k8s.io')
    // Each pod answers one request with its name.
    channels.behaviours = [
      (socket) => {
        const pod = /pods\/([^/]+)\//.exec(socket.url.pathname)?.[1] ?? ''
        for (const channel of [0, 1]) socket.send(channel, Buffer.from([0, 0]))
        socket.onMessage(() => {
          socket.send(0, `HTTP/1.1 200 OK\r\nContent-Length: ${String(pod.length)}\r\n\r\n${pod}`)
          socket.end()
        })
      },
    ]
  })
  afterEach(async () => {
    if (child?.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    child = undefined
    channels.close()
    await api[Symbol.asyncDispose]()
  })

  const slice = (...ready: string[]): KubeObject => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: 'web-a',
      namespace: 'slate',
      labels: { 'kubernetes.io/service-name': 'slate-web-svc' },
    },
    ports: [{ name: '', port: 80 }],
    endpoints: ready.map((name) => ({ conditions: { ready: true }, targetRef: { kind: 'Pod', name } })),
  })
  const web = (port: number): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'slate-web-svc', namespace: 'slate' },
    spec: { ports: [{ port }] },
  })
  type Line = Record<string, unknown> & { forwards?: { url: string; localPort: number; note?: string }[] }
  const run = (...argv: string[]) => {
    const started = spawn(
      process.execPath,
      ['scripts/slate-forward.mjs', '--json', '--state-dir', api.stateDir, ...argv],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    child = started
    const lines = createInterface({ input: started.stdout })[Symbol.asyncIterator]()
    return {
      line: async (): Promise<Line> => JSON.parse(String((await lines.next()).value)) as Line,
      end: async (signal?: NodeJS.Signals): Promise<number | null> => {
        if (signal) started.kill(signal)
        if (started.exitCode === null) await once(started, 'exit')
        return started.exitCode
      },
    }
  }
  const get = (url: string) => request(url, { timeoutMs: 5_000 })

  it('forwards the Services of the cluster, follows their pods, and ends with 0 on Ctrl-C', async () => {
    const holder = createServer().listen(0, '127.0.0.1')
    await once(holder, 'listening')
    const { port } = holder.address() as { port: number }
    api.objects.push(web(port), slice('one'))
    const script = run()
    const { forwards = [] } = await script.line()
    expect(forwards).toMatchObject([{ service: 'slate-web-svc', port, address: '127.0.0.1' }])
    expect(forwards[0]?.localPort).not.toBe(port)
    expect(forwards[0]?.note).toContain(`${String(port)} is in use by`)
    const url = forwards[0]?.url ?? ''
    expect(await get(url)).toMatchObject({ kind: 'answered', status: 200, body: 'one' })

    api.changed(slice('two'))
    expect(await script.line()).toMatchObject({ type: 'moved', from: 'one', to: 'two' })
    expect(await get(url)).toMatchObject({ kind: 'answered', body: 'two' })
    holder.close()
    expect(await script.end('SIGINT')).toBe(0)
    expect((await get(url)).kind).toBe('refused')
  })

  it('refuses a Service that is not there, a taken port, and a cluster that is not there', async () => {
    api.objects.push(web(8080), slice('one'))
    const unknown = run('--only', 'wbe')
    expect(await unknown.line()).toMatchObject({ type: 'error', code: 'BAD_VALUE', exitCode: 2 })
    expect(await unknown.end()).toBe(2)

    const holder = createServer().listen(0, '127.0.0.1')
    await once(holder, 'listening')
    const { port } = holder.address() as { port: number }
    const taken = run('--port', `web=${String(port)}`)
    expect(await taken.line()).toMatchObject({ code: 'PORT_TAKEN' })
    expect(await taken.end()).toBe(3)
    holder.close()

    const absent = run('--name', 'nobody')
    expect(await absent.line()).toMatchObject({ code: 'NO_CLUSTER' })
    expect(await absent.end()).toBe(3)
  })

  it('says that the cluster has no system', async () => {
    api.objects.length = 0
    const other = await startFakeApi({ plan: planWith([]), parts: {} })
    api.objects.push(...other.objects)
    await other[Symbol.asyncDispose]()
    const script = run()
    expect(await script.line()).toMatchObject({ code: 'NO_SYSTEM' })
    expect(await script.end()).toBe(3)
  })
})
