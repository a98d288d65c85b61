import { randomBytes } from 'node:crypto'
import { beforeAll, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { readContract } from '../../manifests/slate/contract.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { consistently } from '../harness/consistently.ts'
import { eventually } from '../harness/eventually.ts'
import { describeHttp, request } from '../harness/http-client.ts'
import type { Look } from '../harness/look.ts'
import { createNamespace } from '../harness/namespace.ts'
import { recordOf } from '../harness/record.ts'
import { requireSlate } from '../harness/slate.ts'
import { objectNamed, slateObjects } from '../harness/slate-objects.ts'
import { CheckBroke } from '../harness/verdict.ts'
import { openWebSocket, type OpenWebSocket } from '../harness/websocket-client.ts'
import { opcodes } from '../harness/websocket-frames.ts'
import { startCopy, startsSoon } from '../harness/workload-copy.ts'

/*
 * SLATE's Ingress keeps a WebSocket for 3600 s without a word (000 Ingress Configuration, "for WebSocket"). Seen for a part of it, on copies
 * of the dashboard behind copies of the Ingress; opening and echoing on SLATE itself is in the suite `smoke`.
 */
const { ingress: stated } = readContract()
const readTimeout = 'nginx.ingress.kubernetes.io/proxy-read-timeout'
/** How long a connection has to stay without a word: above 60 s, at which proxies cut by default. */
const idleMs = 70_000
const random = () => randomBytes(3).toString('hex')

let cluster: Cluster
beforeAll(async () => {
  cluster = await attach(choiceFromEnvironment(), AbortSignal.timeout(30_000))
  requireSlate(cluster)
})

/** Sends a text and bytes and takes nothing but the same back; what the server says of its own accord in between is skipped. */
async function echoes(socket: OpenWebSocket): Promise<void> {
  const text = JSON.stringify({ type: 'echo', nonce: random() })
  const bytes = randomBytes(1_000)
  socket.send(text)
  socket.send(bytes)
  const until = performance.now() + 10_000
  const left = new Set(['text', 'binary'])
  while (left.size > 0) {
    const frame = await socket.receive(until - performance.now())
    if (frame.opcode === opcodes.text && frame.payload.toString() === text) left.delete('text')
    if (frame.opcode === opcodes.binary && frame.payload.equals(bytes)) left.delete('binary')
  }
}

async function opened(host: string, signal: AbortSignal): Promise<OpenWebSocket> {
  const outcome = await openWebSocket(`${cluster.ingressUrl}/ws`, { host, timeoutMs: 10_000, signal })
  if (outcome.kind !== 'open') expect.fail(`/ws of ${host} did not open: ${outcome.kind} ${outcome.detail}`)
  return outcome.socket
}

/** SLATE's Ingress as the overlay has it, for a copy of the dashboard: other host and namespace, only the paths to the dashboard. */
function ingressCopy(
  objects: readonly KubeObject[],
  namespace: string,
  host: string,
  service: string,
): KubeObject {
  const copy = objectNamed(objects, `Ingress/${stated.name}`)
  copy.metadata = { ...copy.metadata, namespace, name: `copy-${random()}` }
  const spec = copy['spec'] as {
    rules: { host: string; http: { paths: { path: string; backend: { service: { name: string } } }[] } }[]
  }
  const paths = (spec.rules[0]?.http.paths ?? []).filter(({ path }) => ['/', '/ws'].includes(path))
  for (const { backend } of paths) backend.service.name = service
  spec.rules = [{ host, http: { paths } }]
  return copy
}

const answers =
  (host: string, wanted: 200 | 404) =>
  async (signal: AbortSignal): Promise<Look> => {
    const outcome = await request(`${cluster.ingressUrl}/health`, { host, timeoutMs: 5_000, signal })
    return { ok: outcome.kind === 'answered' && outcome.status === wanted, seen: describeHttp(outcome) }
  }
const served = (host: string, wanted: 200 | 404, signal: AbortSignal): Promise<string> =>
  eventually(`${host} answers ${String(wanted)}`, answers(host, wanted), {
    timeoutMs: 30_000,
    intervalMs: 300,
    signal,
  })

/** A server with the dashboard's port and paths that echoes and never says anything by itself, not even a ping. */
const silentProgram = `
  const { WebSocketServer } = require('/app/node_modules/ws')
  const server = require('node:http').createServer((_, answer) => answer.end('ok\\n'))
  new WebSocketServer({ server, path: '/ws' }).on('connection', (socket) =>
    socket.on('message', (data, binary) => socket.send(data, { binary })))
  server.listen(8080)
  process.on('SIGTERM', () => process.exit(0))`

it(`a connection without a word for ${String(idleMs / 1_000)} s stays while routes come and go, and echoes then`, async ({
  task,
  signal,
}) => {
  const { kube, runId } = cluster
  await using stack = new AsyncDisposableStack()
  const [objects, space] = await Promise.all([
    slateObjects(cluster, signal),
    createNamespace({ kube, runId, purpose: 'idle', signal }),
  ])
  stack.use(space)
  const start = (as: string, program?: string) =>
    startCopy(kube, {
      objects,
      deployment: 'slate-dashboard',
      as,
      namespace: space.name,
      runId,
      signal,
      change: (deployment) => {
        startsSoon(deployment)
        deployment.spec.replicas = 1
        const [container] = deployment.spec.template.spec.containers
        if (container && program !== undefined) container.command = ['node', '-e', program]
      },
    })
  const copies = await Promise.all([start('silent', silentProgram), start('own')])
  const hostOf = (name: string) => `${name}-${runId}-${random()}.example`
  const ingresses = copies.map(({ deployment, service }) => {
    const host = hostOf(deployment.metadata.name)
    return { host, object: ingressCopy(objects, space.name, host, service?.name ?? '') }
  })
  await kube.apply(
    ingresses.map(({ object }) => object),
    { signal, dryRun: 'skip' },
  )
  await Promise.all(ingresses.map(({ host }) => served(host, 200, signal)))
  const [silent, own] = await Promise.all(ingresses.map(({ host }) => opened(host, signal)))
  if (!silent || !own) throw new CheckBroke('Not both connections were opened.')
  stack.use(silent)
  stack.use(own)
  await Promise.all([echoes(silent), echoes(own)])
  const since = performance.now()
  const ended = new AbortController()
  stack.defer(() => {
    ended.abort()
  })
  const meanwhile = AbortSignal.any([signal, ended.signal])

  const silence = async (): Promise<string> => {
    const said = await silent.receive(idleMs - (performance.now() - since)).catch(String)
    if (typeof said !== 'string')
      throw new CheckBroke(`The silent server spoke: ${said.payload.toString().slice(0, 100)}`)
    if (!said.includes('no frame within')) expect.fail(`after ${ago()}: ${said}`)
    return `silent for ${String(idleMs)} ms`
  }
  const ago = (): string => `${String(Math.round(performance.now() - since))} ms`
  let othersDone = false
  const listening = async (): Promise<number> => {
    let frames = 0
    // Its pings are answered by whoever reads: until the other parts are done as well.
    while (!othersDone) {
      await own.receive(idleMs).catch((error: unknown) => expect.fail(`after ${ago()}: ${String(error)}`))
      frames += 1
    }
    return frames
  }
  /** One more way to the silent server, until the scope ends. */
  const route = async (name: string, annotations: Record<string, string> = {}) => {
    const host = hostOf(name)
    const object = ingressCopy(objects, space.name, host, copies[0].service?.name ?? '')
    object.metadata.annotations = { ...object.metadata.annotations, ...annotations }
    await kube.apply([object], { signal: meanwhile, dryRun: 'skip' })
    await served(host, 200, meanwhile)
    return { host, object }
  }
  const changes = async (): Promise<number> => {
    let count = 0
    do {
      const { host, object } = await route('route')
      await consistently(`${host} answers`, answers(host, 200), {
        timeoutMs: 8_000,
        intervalMs: 2_000,
        signal: meanwhile,
      })
      const ref = { ...object, name: object.metadata.name, namespace: space.name }
      await kube.delete(ref, { signal: meanwhile, wait: true })
      await served(host, 404, meanwhile)
      count += 2
    } while (performance.now() - since < idleMs - 20_000)
    return count
  }
  /** The same silence where the Ingress waits for 5 s only: what shows that a cut would be seen. */
  const cut = async (): Promise<string> => {
    const { host } = await route('twin', { [readTimeout]: '5' })
    await using twin = await opened(host, meanwhile)
    await echoes(twin)
    const from = performance.now()
    const how = await twin.receive(25_000).then(
      () => 'said something',
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    )
    if (!/was closed|close frame|ECONNRESET/.test(how))
      throw new CheckBroke(`The control was not cut: ${how}`)
    return `cut after ${String(Math.round(performance.now() - from))} ms`
  }
  const others = Promise.all([silence(), changes(), cut()]).finally(() => {
    othersDone = true
  })
  const [[seen, changed, control], frames] = await Promise.all([others, listening()])
  await Promise.all([echoes(silent), echoes(own)])
  const record = recordOf(task.meta)
  record.controls.push({
    negative: { title: 'a silent connection is not cut', seen },
    heldMs: idleMs,
    before: { title: `its twin with ${readTimeout} 5 is cut`, seen: control },
    after: { title: 'the connection echoes text and bytes', seen: 'both came back' },
  })
  record.facts.push(
    { name: 'the silent copy differs', value: `${copies[0].differs}; its program only echoes` },
    {
      name: 'the dashboard’s own program',
      value: `sent ${String(frames)} frames by itself, got none, then echoed`,
    },
    { name: 'changes of the routes meanwhile', value: String(changed) },
  )
})
