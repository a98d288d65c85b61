import type { ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { ConnectedKube, KubeObject } from './client.ts'
import { absent } from './conditions/absent.ts'
import { exists } from './conditions/exists.ts'
import { connect } from './connect.ts'
import {
  listAnswer,
  refusal,
  startProtocolServer,
  watchLine,
  type Answer,
  type Handler,
  type ProtocolServer,
} from './protocol-server.ts'

const seconds = (count: number): AbortSignal => AbortSignal.timeout(count * 1_000)

const map = (name: string, resourceVersion = '1'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default', resourceVersion, uid: `uid-${name}` },
})
const ref = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'default', name: 'a' }
const one = '/api/v1/namespaces/default/configmaps/a'
const all = '/api/v1/namespaces/default/configmaps'

let server: ProtocolServer | undefined
let client: ConnectedKube | undefined

async function started(handler: Handler): Promise<{ kube: ConnectedKube; server: ProtocolServer }> {
  server = await startProtocolServer(handler)
  client = await connect({ kubeconfigFile: server.kubeconfigFile, signal: seconds(5) })
  return { kube: client, server }
}

afterEach(async () => {
  client?.close()
  await server?.[Symbol.asyncDispose]()
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

/** Gives the answers one after the other and the last of them for ever. */
function inTurn(path: string, answers: readonly Answer[]): Handler {
  let count = -1
  return (request) => {
    if (request.path !== path) return undefined
    count += 1
    return answers[Math.min(count, answers.length - 1)]
  }
}

describe('requests', () => {
  it('send the token of the kubeconfig', async () => {
    const { kube, server: seen } = await started(inTurn(one, [{ body: map('a') }]))
    await kube.get(ref, seconds(5))
    expect(seen.requests.every(({ headers }) => headers.authorization === 'Bearer test-token')).toBe(true)
  })

  it('are repeated after 429, 503 and an interrupted connection, until they are answered', async () => {
    let asked = 0
    const { kube } = await started((request, response) => {
      if (request.path !== one) return undefined
      asked += 1
      if (asked === 1) return refusal(429, 'TooManyRequests', 'slow down')
      if (asked === 2) return { status: 503, body: 'starting' }
      if (asked === 3) {
        response.socket?.destroy()
        return 'streamed'
      }
      return { body: map('a') }
    })
    expect(await kube.get(ref, seconds(10))).toMatchObject({ metadata: { name: 'a' } })
    expect(asked).toBe(4)
  })

  it('wait as long as Retry-After says', async () => {
    const { kube } = await started(
      inTurn(one, [{ status: 429, body: 'slow down', headers: { 'retry-after': '1' } }, { body: map('a') }]),
    )
    const began = performance.now()
    await kube.get(ref, seconds(10))
    expect(performance.now() - began).toBeGreaterThan(950)
  })

  it('wait for a server that is not listening yet', async () => {
    const { kube, server: seen } = await started(inTurn(one, [{ body: map('a') }]))
    await seen.stop()
    const asking = kube.get(ref, seconds(10))
    await delay(200)
    await seen.listen()
    expect(await asking).toMatchObject({ metadata: { name: 'a' } })
  })

  it('end as unreachable when the deadline passes without an answer, with the reason', async () => {
    const { kube, server: seen } = await started(() => undefined)
    await seen.stop()
    const error = await errorOf(kube.get(ref, seconds(3)))
    expect(error.code).toBe('API_UNREACHABLE')
    expect(error.message).toContain('ECONNREFUSED')
    await seen.listen()
  })

  it('end at once when they are interrupted, also between two attempts', async () => {
    const { kube, server: seen } = await started(() => undefined)
    await seen.stop()
    const stop = new AbortController()
    const asking = errorOf(kube.get(ref, stop.signal))
    await delay(200)
    const began = performance.now()
    stop.abort()
    expect((await asking).code).toBe('INTERRUPTED')
    expect(performance.now() - began).toBeLessThan(5_000)
    await seen.listen()
  })

  it('end with the signal’s own reason', async () => {
    const { kube } = await started(() => 'streamed')
    const stop = new AbortController()
    const reason = new LocalCloudError('LOCKED', { message: 'something else' })
    const asking = errorOf(kube.get(ref, stop.signal))
    stop.abort(reason)
    expect(await asking).toBe(reason)
  })

  it('tell refusals with the server’s words and status, and repeat none of them', async () => {
    const { kube, server: seen } = await started(inTurn(one, [refusal(403, 'Forbidden', 'you may not')]))
    const error = await errorOf(kube.get(ref, seconds(5)))
    expect(error.code).toBe('API_REFUSED')
    expect(error.message).toContain('you may not (HTTP 403, Forbidden)')
    expect(seen.requests.filter(({ path }) => path === one)).toHaveLength(1)
  })

  it('of raw paths are asked once and return every status', async () => {
    const { kube, server: seen } = await started(inTurn('/readyz', [{ status: 503, body: 'not yet' }]))
    expect(await kube.raw('/readyz', seconds(5))).toEqual({ status: 503, body: 'not yet' })
    await seen.stop()
    expect((await errorOf(kube.raw('/readyz', seconds(5)))).code).toBe('API_UNREACHABLE')
    await seen.listen()
  })

  it('ask for the served kinds once', async () => {
    const { kube, server: seen } = await started(inTurn(one, [{ body: map('a') }]))
    await Promise.all([kube.get(ref, seconds(5)), kube.get(ref, seconds(5))])
    await kube.get(ref, seconds(5))
    expect(seen.requests.filter(({ path }) => path === '/api')).toHaveLength(1)
  })
})

describe('apply', () => {
  const namespaces: Handler = (request) =>
    request.path === '/api/v1/namespaces/default'
      ? { body: { kind: 'Namespace', metadata: { name: 'default' } } }
      : undefined

  it('rehearses, then applies, with strict validation, our field manager and without what only servers write', async () => {
    const { kube, server: seen } = await started((request) => {
      if (request.method !== 'PATCH') return namespaces(request, undefined as never)
      const rehearsal = request.query.get('dryRun') === 'All'
      return { status: rehearsal ? 200 : 201, body: map('a') }
    })
    const object = map('a', '7')
    expect(await kube.apply([object], { signal: seconds(5) })).toEqual([{ object: ref, change: 'created' }])
    const patches = seen.requests.filter(({ method }) => method === 'PATCH')
    expect(patches.map(({ query }) => query.get('dryRun'))).toEqual(['All', null])
    for (const patch of patches) {
      expect(Object.fromEntries(patch.query)).toMatchObject({
        fieldManager: 'local-cloud',
        force: 'true',
        fieldValidation: 'Strict',
      })
      expect(patch.headers['content-type']).toBe('application/apply-patch+yaml')
      expect(JSON.parse(patch.body)).toEqual({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'a', namespace: 'default' },
      })
    }
  })

  it('repeats after a conflict and an account that is not there yet', async () => {
    let asked = 0
    const { kube } = await started((request) => {
      if (request.method !== 'PATCH') return request.path === one ? refusal(404, 'NotFound', 'no') : undefined
      asked += 1
      if (asked === 1) return refusal(409, 'Conflict', 'the object has been modified')
      if (asked === 2)
        return refusal(403, 'Forbidden', 'error looking up service account default/default: not found')
      return { status: 201, body: map('a') }
    })
    const changes = await kube.apply([map('a')], { signal: seconds(10), dryRun: 'skip' })
    expect(changes[0]?.change).toBe('created')
    expect(asked).toBe(3)
  })

  it.each([
    [
      500,
      'failed to create typed patch object (default/a; /v1, Kind=ConfigMap): .dota: field not declared in schema',
      'dota field not declared in schema',
    ],
    [400, 'strict decoding error: unknown field "dota"', 'strict decoding error: unknown field "dota"'],
  ])(
    'takes a %i about a field for an invalid manifest and applies nothing',
    async (status, message, told) => {
      const { kube, server: seen } = await started((request) => {
        if (request.method !== 'PATCH') return namespaces(request, undefined as never)
        return request.path === one ? refusal(status, 'BadRequest', message) : { body: map('b') }
      })
      const error = await errorOf(kube.apply([map('b'), map('a')], { signal: seconds(5) }))
      expect(error.code).toBe('MANIFEST_INVALID')
      expect(error.evidence).toEqual([`objects, document 2, ConfigMap default/a: ${told}`])
      expect(
        seen.requests.filter(({ method, query }) => method === 'PATCH' && query.get('dryRun') === null),
      ).toEqual([])
    },
  )

  it('tells every cause of a 422', async () => {
    const causes = [
      { field: 'data.a', message: 'too long' },
      { field: 'data.b', message: 'too short' },
    ]
    const { kube } = await started((request) =>
      request.method === 'PATCH'
        ? refusal(422, 'Invalid', 'invalid', { causes })
        : namespaces(request, undefined as never),
    )
    const error = await errorOf(kube.apply([map('a')], { signal: seconds(5) }))
    expect(error.evidence).toEqual([
      'objects, document 1, ConfigMap default/a: data.a too long',
      'objects, document 1, ConfigMap default/a: data.b too short',
    ])
  })

  it('refuses the same object twice', async () => {
    const { kube } = await started(() => undefined)
    const error = await errorOf(kube.apply([map('a'), map('a')], { signal: seconds(5) }))
    expect(error.evidence[0]).toContain(
      'document 2, ConfigMap default/a: metadata.name the object is there twice',
    )
  })

  it('keeps at most eight requests in flight', async () => {
    let now = 0
    let most = 0
    const eight = Promise.withResolvers<undefined>()
    const { kube } = await started(async (request) => {
      if (request.method !== 'PATCH')
        return request.path.startsWith(all) ? refusal(404, 'NotFound', 'no') : undefined
      now += 1
      most = Math.max(most, now)
      // Nobody is answered before eight wait, and a ninth has time to come.
      if (most >= 8) eight.resolve(undefined)
      await Promise.race([eight.promise, delay(5_000)])
      await delay(20)
      now -= 1
      return { status: 201, body: map('a') }
    })
    const objects = Array.from({ length: 40 }, (_, index) => map(`a${String(index)}`))
    await kube.apply(objects, { signal: seconds(10), dryRun: 'skip' })
    expect(most).toBe(8)
  })
})

describe('waitFor', () => {
  /** Streams the lines of a watch and then keeps it open, or cuts it. */
  const stream = (
    response: ServerResponse,
    lines: readonly string[],
    end: 'open' | 'cut' | 'end',
  ): Answer => {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.flushHeaders()
    for (const line of lines) response.write(line)
    if (end === 'cut') setTimeout(() => response.socket?.destroy(), 20)
    if (end === 'end') response.end()
    return 'streamed'
  }
  const isWatch = (request: { query: URLSearchParams }): boolean => request.query.get('watch') === 'true'

  it('watches from the version of the list, one object by its name, and sees it come', async () => {
    const { kube, server: seen } = await started((request, response) => {
      if (request.path !== all) return undefined
      if (!isWatch(request)) return listAnswer([], '41')
      return stream(response, [watchLine('BOOKMARK', map('x')), watchLine('ADDED', map('a', '42'))], 'open')
    })
    const told: string[] = []
    const found = await kube.waitFor(ref, exists, {
      timeoutMs: 5_000,
      signal: seconds(6),
      onSeen: (words) => told.push(words),
    })
    expect(found?.metadata.resourceVersion).toBe('42')
    expect(told).toEqual(['does not exist', 'exists'])
    const watch = seen.requests.find(isWatch)
    expect(watch?.query.get('resourceVersion')).toBe('41')
    expect(watch?.query.get('fieldSelector')).toBe('metadata.name=a')
  })

  it.each([
    ['a dropped connection', (response: ServerResponse) => stream(response, ['{"type":"ADD'], 'cut')],
    ['an ended watch', (response: ServerResponse) => stream(response, [], 'end')],
    [
      'an expired version in the stream',
      (response: ServerResponse) =>
        stream(response, [watchLine('ERROR', { kind: 'Status', code: 410, reason: 'Expired' })], 'open'),
    ],
    ['410 as the answer', () => refusal(410, 'Expired', 'too old resource version')],
    ['429 as the answer', () => refusal(429, 'TooManyRequests', 'slow down')],
  ])('lists again after %s', async (_what, broken) => {
    let lists = 0
    const { kube } = await started((request, response) => {
      if (request.path !== all) return undefined
      if (isWatch(request)) return broken(response)
      lists += 1
      return listAnswer(lists === 1 ? [] : [map('a')])
    })
    await kube.waitFor(ref, exists, { timeoutMs: 5_000, signal: seconds(6) })
    expect(lists).toBe(2)
  })

  it('understands lines and letters that are cut in the middle', async () => {
    const { kube } = await started((request, response) => {
      if (request.path !== all) return undefined
      if (!isWatch(request)) return listAnswer([])
      const object = { ...map('a'), data: { word: 'Größe' } }
      const bytes = Buffer.from(watchLine('ADDED', object))
      response.writeHead(200)
      const middle = bytes.indexOf(0xc3) + 1
      response.write(bytes.subarray(0, middle))
      setTimeout(() => response.write(bytes.subarray(middle)), 20)
      return 'streamed'
    })
    const found = await kube.waitFor(ref, exists, { timeoutMs: 5_000, signal: seconds(6) })
    expect(found?.['data']).toEqual({ word: 'Größe' })
  })

  it('sees an object go', async () => {
    const { kube } = await started((request, response) => {
      if (request.path !== all) return undefined
      if (!isWatch(request)) return listAnswer([map('a')])
      return stream(response, [watchLine('DELETED', map('a', '2'))], 'open')
    })
    expect(await kube.waitFor(ref, absent, { timeoutMs: 5_000, signal: seconds(6) })).toBeUndefined()
  })

  it('does not become a busy loop when every watch ends at once', async () => {
    const { kube, server: seen } = await started((request, response) => {
      if (request.path !== all) return undefined
      return isWatch(request) ? stream(response, [], 'end') : listAnswer([])
    })
    await errorOf(kube.waitFor(ref, exists, { timeoutMs: 1_000, signal: seconds(6) }))
    expect(seen.requests.filter(isWatch).length).toBeLessThan(10)
  })

  it('waits for a kind that is not served yet', async () => {
    let servedNow = false
    const { kube } = await started((request) => {
      if (request.path === '/apis' && servedNow) {
        const gadgets = {
          resource: 'gadgets',
          responseKind: { kind: 'Gadget' },
          scope: 'Cluster',
          verbs: ['list', 'watch'],
        }
        return {
          body: {
            items: [{ metadata: { name: 'test.io' }, versions: [{ version: 'v1', resources: [gadgets] }] }],
          },
        }
      }
      if (request.path === '/apis/test.io/v1/gadgets') return listAnswer([{ ...map('g'), kind: 'Gadget' }])
      return undefined
    })
    const waiting = kube.waitFor({ apiVersion: 'test.io/v1', kind: 'Gadget', name: 'g' }, exists, {
      timeoutMs: 5_000,
      signal: seconds(6),
    })
    await delay(150)
    servedNow = true
    expect((await waiting)?.kind).toBe('Gadget')
  })

  it('looks again and again at a kind that cannot be watched', async () => {
    let lists = 0
    const { kube } = await started((request) => {
      if (request.path !== '/apis/metrics.k8s.io/v1/nodes') return undefined
      lists += 1
      return listAnswer(lists === 1 ? [] : [{ apiVersion: '', kind: '', metadata: { name: 'n' } }])
    })
    const metrics = { apiVersion: 'metrics.k8s.io/v1', kind: 'NodeMetrics', name: 'n' }
    expect(await kube.waitFor(metrics, exists, { timeoutMs: 5_000, signal: seconds(6) })).toMatchObject({
      kind: 'NodeMetrics',
    })
  })

  it('tells a deadline of the step as WAIT_TIMEOUT and an interruption as such', async () => {
    const { kube } = await started((request, response) => {
      if (request.path !== all) return undefined
      return isWatch(request) ? stream(response, [], 'open') : listAnswer([])
    })
    const deadline = new AbortController()
    const first = errorOf(kube.waitFor(ref, exists, { timeoutMs: 60_000, signal: deadline.signal }))
    await delay(100)
    deadline.abort(new LocalCloudError('STEP_TIMEOUT', { message: 'step over' }))
    const error = await first
    expect(error.code).toBe('WAIT_TIMEOUT')
    expect(error.message).toContain('does not exist')

    const interruption = new AbortController()
    const second = errorOf(kube.waitFor(ref, exists, { timeoutMs: 60_000, signal: interruption.signal }))
    await delay(100)
    interruption.abort()
    expect((await second).code).toBe('INTERRUPTED')
  })
})

describe('delete', () => {
  it('returns when an object of the same name but another uid is there', async () => {
    const { kube, server: seen } = await started((request) => {
      if (request.method === 'DELETE')
        return { body: { kind: 'Status', status: 'Success', details: { uid: 'old' } } }
      return request.path === all ? listAnswer([map('a')]) : undefined
    })
    await kube.delete(ref, { signal: seconds(5), wait: true, gracePeriodSeconds: 0 })
    const request = seen.requests.find(({ method }) => method === 'DELETE')
    expect(JSON.parse(request?.body ?? '')).toMatchObject({
      propagationPolicy: 'Foreground',
      gracePeriodSeconds: 0,
    })
  })

  it('takes an absent object and an unknown kind for deleted', async () => {
    const { kube } = await started(() => undefined)
    await kube.delete(ref, { signal: seconds(5), wait: true })
    await kube.delete(
      { apiVersion: 'test.io/v1', kind: 'Gadget', name: 'g' },
      { signal: seconds(5), wait: true },
    )
  })
})

describe('patch', () => {
  it('falls back to a merge patch for kinds without a strategy, and patches subresources', async () => {
    const { kube, server: seen } = await started((request) => {
      if (request.method !== 'PATCH') return undefined
      const strategic = request.headers['content-type'] === 'application/strategic-merge-patch+json'
      return strategic ? refusal(415, 'UnsupportedMediaType', 'no') : { body: map('a') }
    })
    await kube.patch(ref, { data: { a: null } }, { signal: seconds(5), subresource: 'status' })
    const patches = seen.requests.filter(({ method }) => method === 'PATCH')
    expect(patches.map(({ headers }) => headers['content-type'])).toEqual([
      'application/strategic-merge-patch+json',
      'application/merge-patch+json',
    ])
    expect(patches.every(({ path }) => path === `${one}/status`)).toBe(true)
  })
})

describe('logs', () => {
  it('come from the default container and can be those of the previous run', async () => {
    const pod = {
      metadata: {
        name: 'p',
        namespace: 'default',
        annotations: { 'kubectl.kubernetes.io/default-container': 'second' },
      },
      spec: { containers: [{ name: 'first' }, { name: 'second' }] },
    }
    const { kube, server: seen } = await started((request) => {
      if (request.path === '/api/v1/namespaces/default/pods/p') return { body: pod }
      if (request.path.endsWith('/log')) return { body: 'line\n' }
      return undefined
    })
    expect(
      await kube.logs({ namespace: 'default', name: 'p', previous: true, tailLines: 5 }, seconds(5)),
    ).toBe('line\n')
    const query = seen.requests.find(({ path }) => path.endsWith('/log'))?.query
    expect(Object.fromEntries(query ?? [])).toEqual({ container: 'second', previous: 'true', tailLines: '5' })
  })
})
