import http from 'node:http'
import { randomBytes } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { eventually } from '../harness/eventually.ts'
import { describeHttp, request, type HttpOutcome } from '../harness/http-client.ts'
import { createNamespace, type TestNamespace } from '../harness/namespace.ts'
import { probePort, startProbePod, type ProbePod } from '../harness/probe-pod.ts'
import { recordOf } from '../harness/record.ts'
import { readContract } from '../../manifests/slate/contract.ts'
import { upload } from '../harness/upload.ts'
import { CheckBroke, NotProven } from '../harness/verdict.ts'

/*
 * Every annotation of SLATE's Ingress: what it does is seen on the controller that serves the cluster. Where waiting for the stated value
 * would take an hour, two copies of the annotations on a backend of the suite's own differ in that one value, and so does what they do.
 */
const { ingress: stated, namespace, environments } = readContract()
const prefix = 'nginx.ingress.kubernetes.io/'
const deafPorts = [8081, 8082]
const appear = { timeoutMs: 30_000, intervalMs: 200 }
/**
 * For what counts requests: the controller begins to count anew whenever any route of the cluster changes, so that one batch of them may see
 * two limits. One that does not limit never gets there. In between a rate fills up again.
 */
const counted = { timeoutMs: 60_000, intervalMs: 2_000 }
const mebibytes = 1024 * 1024
/** How Traefik refuses what is beyond a limit; ingress-nginx answers 503 unless told otherwise. */
const tooMany = 429

let cluster: Cluster
let annotations: Record<string, string>
let space: TestNamespace
let backend: ProbePod
const stack = new AsyncDisposableStack()

const seconds = (name: string): number => Number(annotations[`${prefix}${name}`])

beforeAll(async () => {
  const signal = AbortSignal.timeout(150_000)
  cluster = await attach(choiceFromEnvironment(), signal)
  const { kube, runId } = cluster
  const live = await kube.get(
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      namespace: namespace.name,
      name: stated.name,
    },
    signal,
  )
  if (!live) throw new NotProven(`The cluster ${cluster.name} has no Ingress ${stated.name}.`)
  annotations = Object.fromEntries(
    Object.entries(live.metadata.annotations ?? {}).filter(([key]) => key.startsWith(prefix)),
  )
  space = stack.use(await createNamespace({ kube, runId, purpose: 'ingress', signal }))
  backend = stack.use(
    await startProbePod({
      kube,
      runId,
      namespace: space.name,
      name: 'backend',
      labels: { app: 'backend' },
      signal,
    }),
  )
  // busybox httpd runs what lies below cgi-bin: an answer that takes five seconds.
  await backend.sh(
    'mkdir -p /tmp/www/cgi-bin && cd /tmp/www/cgi-bin && ' +
      String.raw`printf '#!/bin/sh\nsleep 5\necho "Content-Type: text/plain"\necho\necho slow\n' > slow && chmod +x slow`,
    signal,
  )
  // Each takes one connection and never reads what it sends beyond the first 64 KiB.
  for (const port of deafPorts) {
    await backend.sh(`(sleep 3600 | nc -l -p ${String(port)} | sleep 3600) >/dev/null 2>&1 & true`, signal)
  }
  await kube.apply(
    [
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'backend', namespace: space.name },
        spec: {
          selector: { app: 'backend' },
          ports: [
            { name: 'http', port: 80, targetPort: probePort },
            ...deafPorts.map((port) => ({ name: `deaf-${String(port)}`, port, targetPort: port })),
          ],
        },
      },
    ],
    { signal, dryRun: 'skip' },
  )
})

afterAll(() => stack.disposeAsync())

/** A copy of SLATE's Ingress annotations on the suite's own backend, with the changes; returns its host once it is served. */
async function copy(
  name: string,
  signal: AbortSignal,
  options: { changes?: Record<string, string>; port?: number; tls?: boolean; servedWith?: number } = {},
): Promise<string> {
  const { changes = {}, port = 80, tls = false, servedWith = 200 } = options
  const host = `${name}-${cluster.runId}-${randomBytes(2).toString('hex')}.example`
  const ingress: KubeObject = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: {
      name,
      namespace: space.name,
      annotations: {
        ...annotations,
        ...Object.fromEntries(Object.entries(changes).map(([key, value]) => [`${prefix}${key}`, value])),
      },
    },
    spec: {
      ingressClassName: stated.className,
      ...(tls ? { tls: [{ hosts: [host] }] } : {}),
      rules: [
        {
          host,
          http: {
            paths: [
              {
                path: '/',
                pathType: 'Prefix',
                backend: { service: { name: 'backend', port: { number: 80 } } },
              },
              ...(port === 80
                ? []
                : [
                    {
                      path: '/deaf',
                      pathType: 'Prefix',
                      backend: { service: { name: 'backend', port: { number: port } } },
                    },
                  ]),
            ],
          },
        },
      ],
    },
  }
  await cluster.kube.apply([ingress], { signal, dryRun: 'skip' })
  await eventually(
    `${host} is served`,
    async (stop) => {
      const outcome = await ask(host, '/', stop)
      return {
        ok: outcome.kind === 'answered' && outcome.status === servedWith,
        seen: describeHttp(outcome),
      }
    },
    { ...appear, signal },
  )
  return host
}

const ask = (host: string, path: string, signal: AbortSignal, timeoutMs = 15_000): Promise<HttpOutcome> =>
  request(`${cluster.ingressUrl}${path}`, { host, timeoutMs, signal })

const statusOf = (outcome: HttpOutcome): number | string =>
  outcome.kind === 'answered' ? outcome.status : `${outcome.kind}: ${outcome.detail}`

describe('annotations of the Ingress', () => {
  it('are the ones that the specification lists, and each has a test here', ({ task }) => {
    expect(annotations).toEqual({ ...stated.annotations, ...environments.local.ingressAnnotations })
    const titles = task.suite?.tasks.map(({ name }) => name.split(':')[0]) ?? []
    expect(titles).toEqual(
      expect.arrayContaining(Object.keys(annotations).map((key) => key.slice(prefix.length))),
    )
  })

  it('ssl-redirect: plain HTTP is served as it is, and would be redirected with the opposite value', async ({
    task,
    signal,
  }) => {
    const live = await ask(stated.host, '/api/agents', signal)
    expect(statusOf(live)).toBe(200)
    const plain = await copy('plain', signal, { tls: true })
    const redirected = await copy('redirected', signal, {
      tls: true,
      changes: { 'ssl-redirect': 'true' },
      servedWith: 308,
    })
    const [without, withIt] = await Promise.all([ask(plain, '/x', signal), ask(redirected, '/x', signal)])
    recordOf(task.meta).facts.push(
      { name: 'false', value: describeHttp(without) },
      { name: 'true', value: describeHttp(withIt) },
    )
    // The backend has no such page; that it was asked is what counts.
    expect(statusOf(without)).toBe(404)
    expect(statusOf(withIt)).toBe(308)
    expect(withIt.kind === 'answered' && withIt.headers.location).toMatch(/^https:/)
  })

  it('proxy-body-size: a body of that size reaches the service, one byte more is refused before it', async ({
    task,
    signal,
  }) => {
    const size = Number(/^(\d+)m$/.exec(annotations[`${prefix}proxy-body-size`] ?? '')?.[1]) * mebibytes
    expect(size).toBeGreaterThan(0)
    const url = `${cluster.ingressUrl}/api/workflow/tasks`
    const post = (bytes: number) => upload(url, { host: stated.host, bytes, timeoutMs: 60_000, signal })
    const allowed = await post(size)
    const refused = await post(size + 1)
    const again = await post(1_000)
    recordOf(task.meta).facts.push(
      { name: `${String(size)} bytes`, value: describeHttp(allowed) },
      { name: `${String(size + 1)} bytes`, value: describeHttp(refused) },
    )
    // The service has a limit of its own; who answers is told by the header that only the services send.
    const answeredBy = (outcome: HttpOutcome) =>
      outcome.kind === 'answered' ? (outcome.headers['x-slate-service'] ?? 'the ingress') : outcome.detail
    expect(answeredBy(allowed)).toBe('workflow')
    expect([statusOf(refused), answeredBy(refused)]).toEqual([413, 'the ingress'])
    expect(answeredBy(again)).toBe('workflow')
  }, 180_000)

  it('proxy-read-timeout: a slow answer is waited for, and is not with a shorter value', async ({
    task,
    signal,
  }) => {
    const [asStated, shorter] = await Promise.all([
      copy('read-stated', signal),
      copy('read-shorter', signal, { changes: { 'proxy-read-timeout': '2' } }),
    ])
    const [patient, impatient] = await Promise.all([
      ask(asStated, '/cgi-bin/slow', signal),
      ask(shorter, '/cgi-bin/slow', signal),
    ])
    recordOf(task.meta).facts.push(
      { name: 'as stated', value: `${describeHttp(patient)} after ${String(patient.ms)} ms` },
      { name: '2 s', value: `${describeHttp(impatient)} after ${String(impatient.ms)} ms` },
    )
    expect(statusOf(patient)).toBe(200)
    expect(patient.ms).toBeGreaterThan(4_500)
    expect(statusOf(impatient)).toBe(504)
  })

  it('proxy-send-timeout: a backend that does not read is given up with a shorter value only', async ({
    task,
    signal,
  }) => {
    const [asStated, shorter] = await Promise.all([
      copy('send-stated', signal, { port: 8081 }),
      copy('send-shorter', signal, { port: 8082, changes: { 'proxy-send-timeout': '2' } }),
    ])
    const send = (host: string) =>
      upload(`${cluster.ingressUrl}/deaf`, { host, bytes: 30 * mebibytes, timeoutMs: 12_000, signal })
    const [patient, impatient] = await Promise.all([send(asStated), send(shorter)])
    recordOf(task.meta).facts.push(
      { name: 'as stated', value: `${describeHttp(patient)} after ${String(patient.ms)} ms` },
      { name: '2 s', value: `${describeHttp(impatient)} after ${String(impatient.ms)} ms` },
    )
    if (patient.kind !== 'timeout') {
      throw new CheckBroke(`The backend that does not read was given up at once: ${describeHttp(patient)}`)
    }
    if (impatient.kind === 'timeout') {
      throw new NotProven(
        'The controller waits on with proxy-send-timeout 2 as with 3600: it does not honour this annotation.',
      )
    }
    expect(statusOf(impatient)).toBe(504)
  })

  it('limit-connections: as many requests at once as stated are served, and more are refused', async ({
    task,
    signal,
  }) => {
    const most = seconds('limit-connections')
    const host = await copy('connections', signal)
    const together = async (count: number, stop: AbortSignal) =>
      (await Promise.all(Array.from({ length: count }, () => ask(host, '/cgi-bin/slow', stop, 60_000)))).map(
        statusOf,
      )
    const within = tally(await together(most, signal))
    expect(within).toBe(`${String(most)} × 200`)
    const beyond = await eventually(
      `of ${String(most + 5)} requests at once ${String(most)} are served and 5 are refused`,
      async (stop) => {
        const seen = tally(await together(most + 5, stop))
        return { ok: seen === `${String(most)} × 200, 5 × ${String(tooMany)}`, seen }
      },
      { ...counted, signal },
    )
    recordOf(task.meta).facts.push({
      name: 'answers',
      value: `${String(most)} at once: ${within}; ${String(most + 5)} at once: ${beyond}`,
    })
    expect(await together(1, signal)).toEqual([200])
  })

  it('limit-rps: requests within the limit are served, and are cut with a smaller value', async ({
    task,
    signal,
  }) => {
    const perSecond = seconds('limit-rps')
    const smaller = 2
    const [asStated, less] = await Promise.all([
      copy('rate-stated', signal),
      copy('rate-smaller', signal, { changes: { 'limit-rps': String(smaller) } }),
    ])
    const requests = perSecond * 2
    const within = await flood(asStated, { requests, signal })
    expect(tally(within.statuses)).toBe(`${String(requests)} × 200`)
    const cut = await eventually(
      `at ${String(smaller)} a second requests are refused`,
      async (stop) => {
        const answers = await flood(less, { requests, signal: stop })
        const both = isDeepStrictEqual(new Set(answers.statuses), new Set([200, tooMany]))
        return { ok: both && served(answers) <= allowed(smaller, answers.ms), seen: describeFlood(answers) }
      },
      { ...counted, signal },
    )
    const most = await eventually(
      `a flood at ${String(perSecond)} a second is cut`,
      async (stop) => {
        const answers = await flood(asStated, { requests: perSecond * 16, signal: stop })
        return { ok: served(answers) <= allowed(perSecond, answers.ms), seen: describeFlood(answers) }
      },
      { ...counted, signal },
    )
    const again = await eventually(
      'the limited host serves again',
      async (stop) => {
        const outcome = await ask(less, '/', stop)
        return { ok: statusOf(outcome) === 200, seen: describeHttp(outcome) }
      },
      { ...appear, signal },
    )
    recordOf(task.meta).facts.push(
      { name: `${String(perSecond)} a second`, value: describeFlood(within) },
      { name: `${String(smaller)} a second`, value: cut },
      { name: `a flood at ${String(perSecond)}`, value: most },
      { name: 'afterwards', value: again },
    )
  })
})

/** ingress-nginx lets a burst of five seconds' worth through (limit-burst-multiplier), and the rate from then on. */
const allowed = (perSecond: number, ms: number): number =>
  perSecond * 5 + Math.ceil((ms / 1_000 + 1) * perSecond)

interface Flood {
  statuses: (number | string)[]
  ms: number
}

const served = ({ statuses }: Flood): number => statuses.filter((status) => status === 200).length

const describeFlood = ({ statuses, ms }: Flood): string => `${tally(statuses)} in ${String(ms)} ms`

/** `20 × 200, 5 × 429` */
function tally(statuses: readonly (number | string)[]): string {
  const counts = new Map<number | string, number>()
  for (const status of statuses) counts.set(status, (counts.get(status) ?? 0) + 1)
  return [...counts]
    .sort(([a], [b]) => String(a).localeCompare(String(b)))
    .map(([status, count]) => `${String(count)} × ${String(status)}`)
    .join(', ')
}

/** Requests over kept connections, fewer than limit-connections allows, as fast as they go. */
async function flood(
  host: string,
  { requests, signal }: { requests: number; signal: AbortSignal },
): Promise<Flood> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 10 })
  const started = performance.now()
  const statuses: (number | string)[] = []
  let left = requests
  const worker = async (): Promise<void> => {
    while (left-- > 0) statuses.push(await one(agent, host, signal))
  }
  try {
    await Promise.all(Array.from({ length: 10 }, worker))
  } finally {
    agent.destroy()
  }
  return { statuses, ms: Math.round(performance.now() - started) }
}

const one = (agent: http.Agent, host: string, signal: AbortSignal): Promise<number | string> =>
  new Promise((resolve) => {
    http
      .get(cluster.ingressUrl, { agent, headers: { host }, signal }, (incoming) => {
        incoming.resume()
        incoming.on('end', () => {
          resolve(incoming.statusCode ?? 0)
        })
        incoming.on('error', (error) => {
          resolve(error.message)
        })
      })
      .on('error', (error) => {
        resolve(error.message)
      })
  })
