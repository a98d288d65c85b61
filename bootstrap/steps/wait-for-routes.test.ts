import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import type { KubeObject } from '../kube/client.ts'
import { fakeCluster } from '../kube/fake-client.ts'
import { waitForRoutes } from './wait-for-routes.ts'

type Answer = (host: string, path: string, times: number) => [status: number, body: string]

let server: Server | undefined
afterEach(() => {
  server?.closeAllConnections()
  server?.close()
  server = undefined
})

/** An ingress on this machine; `times` counts the requests for the same path. */
async function ingress(answer: Answer): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = []
  server = createServer((request, response) => {
    const what = `${request.headers.host ?? ''}${request.url ?? ''}`
    asked.push(what)
    const times = asked.filter((one) => one === what).length
    const [status, body] = answer(request.headers.host ?? '', request.url ?? '', times)
    response.writeHead(status).end(body)
  })
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`, asked }
}

const service = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'here' },
  spec: { selector: { app: name } },
})
const rule = (path: string, name: string): object => ({
  path,
  pathType: 'Prefix',
  backend: { service: { name, port: { number: 80 } } },
})
const objects = (host: string | undefined, ...paths: object[]): KubeObject[] => [
  service('web'),
  service('off'),
  {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'all', namespace: 'here' },
    spec: { rules: [{ ...(host === undefined ? {} : { host }), http: { paths } }] },
  },
]

/** A cluster in which a pod of `web` is ready, and one of `off` is not. */
function cluster() {
  const { client, objects: there } = fakeCluster()
  for (const [name, ready] of [
    ['web', 'True'],
    ['off', 'False'],
  ] as const) {
    there.set(`Pod here/${name}`, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'here', labels: { app: name, more: 'x' } },
      status: { phase: 'Running', conditions: [{ type: 'Ready', status: ready }] },
    })
  }
  return client
}

async function wait(of: KubeObject[], ingressUrl: string, timeoutMs = 5_000) {
  const warnings: string[] = []
  const progress: string[] = []
  const words = await waitForRoutes(
    cluster(),
    of,
    { ingressUrl, timeoutMs, warn: (message) => warnings.push(message) },
    { signal: AbortSignal.timeout(10_000), progress: (message) => progress.push(message) },
  )
  return { words, warnings, progress }
}

it.each([
  [503, 'no available server\n'],
  [502, 'Bad Gateway'],
  [504, 'Gateway Timeout'],
  [404, '404 page not found\n'],
])('asks again while the ingress itself answers %d', async (status, body) => {
  const { url, asked } = await ingress((_host, path, times) =>
    path === '/api' && times < 3 ? [status, body] : [200, 'ok'],
  )
  const seen = await wait(objects('a.test', rule('/', 'web'), rule('/api', 'web')), url)
  expect(seen).toMatchObject({ words: '2 routes answer', warnings: [] })
  expect(seen.progress).toContain(`ready; waiting for the ingress: a.test/api answers ${String(status)}`)
  // What has answered once is not asked again.
  expect(asked.sort()).toEqual(['a.test/', 'a.test/api', 'a.test/api', 'a.test/api'])
})

it('takes what an application answers for an answer', async () => {
  const { url } = await ingress((_host, path) => (path === '/' ? [404, 'nothing here'] : [500, 'broken']))
  expect(await wait(objects('a.test', rule('/', 'web'), rule('/api', 'web')), url)).toMatchObject({
    words: '2 routes answer',
    warnings: [],
  })
})

it('leaves out a Service without a ready pod, and objects without routes', async () => {
  const { url, asked } = await ingress(() => [503, 'no available server\n'])
  expect(await wait(objects('a.test', rule('/', 'off')), url)).toEqual({
    words: '',
    warnings: [],
    progress: [],
  })
  expect(await wait([service('web')], url)).toMatchObject({ words: '' })
  expect(asked).toEqual([])
})

it('warns of what is not passed on in the end, and goes on', async () => {
  const { url } = await ingress((_host, path) =>
    path === '/' ? [200, 'ok'] : [503, 'no available server\n'],
  )
  const { words, warnings } = await wait(objects('a.test', rule('/', 'web'), rule('/api', 'web')), url, 300)
  expect(words).toBe('1 of 2 routes answer')
  expect(warnings).toEqual([
    `a.test/api answers 503 at ${url}, although a pod of the Service here/web is ready.`,
  ])
})

it('warns when nothing listens', async () => {
  const { url } = await ingress(() => [200, ''])
  server?.close()
  const { words, warnings } = await wait(objects('a.test', rule('/', 'web')), url, 300)
  expect(words).toBe('0 of 1 routes answer')
  expect(warnings[0]).toContain('does not answer (ECONNREFUSED)')
})

it('asks for any name under a wildcard, for a name of its own without a host, and for an expression as far as it is none', async () => {
  const { url, asked } = await ingress(() => [200, 'ok'])
  await wait(objects('*.a.test', rule('/api(/|$)(.*)', 'web')), url)
  await wait(objects(undefined, rule('/(.*)', 'web')), url)
  expect(asked).toEqual(['any.a.test/api', 'localhost/'])
})

it('ends when it is interrupted', async () => {
  const { url } = await ingress(() => [503, ''])
  const run = { signal: AbortSignal.timeout(100), progress: () => undefined }
  await expect(
    waitForRoutes(
      cluster(),
      objects('a.test', rule('/', 'web')),
      { ingressUrl: url, warn: () => undefined },
      run,
    ),
  ).rejects.toThrow()
})
