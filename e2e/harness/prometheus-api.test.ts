import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { fires, isSilent } from './alert-look.ts'
import { fromHere, prometheusApi, throughService, type PrometheusApi } from './prometheus-api.ts'
import { CheckBroke } from './verdict.ts'

// A server that answers as Prometheus 3.15 does; what it says of a path stands in `answers`.
const answers = new Map<string, { status?: number; body: unknown }>()
const asked: string[] = []
const server = createServer((request, response) => {
  asked.push(request.url ?? '')
  const [path = ''] = (request.url ?? '').split('?')
  const answer = answers.get(path)
  response.writeHead(answer === undefined ? 404 : (answer.status ?? 200))
  const body = answer?.body ?? '404 page not found\n'
  response.end(typeof body === 'string' ? body : JSON.stringify(body))
})
let url = ''
let prometheus: PrometheusApi
const signal = () => AbortSignal.timeout(5_000)
const success = (data: unknown) => ({ body: { status: 'success', data } })

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`
  prometheus = prometheusApi(fromHere(url))
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

const rule = {
  state: 'firing',
  name: 'BrainDown',
  query: 'up == 0',
  duration: 120,
  keepFiringFor: 0,
  labels: { severity: 'critical' },
  annotations: {},
  alerts: [],
  health: 'ok',
  evaluationTime: 0.0001,
  lastEvaluation: '2026-01-01T00:00:00Z',
  type: 'alerting',
}
const alert = (state: string, pod: string) => ({
  state,
  labels: { alertname: 'BrainDown', pod },
  annotations: { summary: `No brain in ${pod}` },
  activeAt: '2026-01-01T00:00:00.5Z',
  value: '0e+00',
})
const withRules = (...rules: unknown[]) =>
  answers.set('/api/v1/rules', success({ groups: [{ name: 'zones', file: '/etc/a.yaml', rules }] }))
const withAlerts = (...alerts: unknown[]) => answers.set('/api/v1/alerts', success({ alerts }))

beforeEach(() => {
  answers.clear()
  asked.length = 0
})

describe('prometheusApi', () => {
  it('reads targets with the reason of those that are down', async () => {
    const target = (health: string, lastError: string) => ({
      discoveredLabels: { __address__: '10.0.0.1:8000' },
      labels: { job: 'zones', pod: 'a' },
      scrapePool: 'zones',
      scrapeUrl: 'http://10.0.0.1:8000/metrics',
      lastError,
      health,
    })
    answers.set(
      '/api/v1/targets',
      success({
        activeTargets: [target('up', ''), target('down', 'connection refused')],
        droppedTargets: [],
      }),
    )
    const expected = {
      job: 'zones',
      labels: { job: 'zones', pod: 'a' },
      url: 'http://10.0.0.1:8000/metrics',
    }
    expect(await prometheus.targets(signal())).toEqual([
      { ...expected, health: 'up', error: '' },
      { ...expected, health: 'down', error: 'connection refused' },
    ])
    expect(asked).toEqual(['/api/v1/targets?state=active'])
  })

  it('reads alerts and rules', async () => {
    withAlerts(alert('pending', 'a'))
    withRules(rule, { ...rule, name: 'Bad', health: 'err', lastError: 'many-to-many matching' })
    expect(await prometheus.alerts(signal())).toEqual([
      {
        name: 'BrainDown',
        state: 'pending',
        labels: { alertname: 'BrainDown', pod: 'a' },
        annotations: { summary: 'No brain in a' },
        sinceMs: Date.UTC(2026, 0, 1) + 500,
      },
    ])
    const [first, second] = await prometheus.rules(signal())
    expect(first).toEqual({
      group: 'zones',
      file: '/etc/a.yaml',
      name: 'BrainDown',
      expression: 'up == 0',
      forSeconds: 120,
      labels: { severity: 'critical' },
      state: 'firing',
      health: 'ok',
      error: '',
    })
    expect(second).toMatchObject({ health: 'err', error: 'many-to-many matching' })
  })

  it('sends an expression as it is and reads every number that Prometheus writes', async () => {
    const series = ['1.5', 'NaN', '+Inf', '-Inf', '2e-05'].map((value) => ({
      metric: { __name__: 'a' },
      value: [1, value],
    }))
    answers.set('/api/v1/query', success({ resultType: 'vector', result: series }))
    const expression = 'sum by (pod) (rate(a{b=~"c+&d"}[5m]))'
    const samples = await prometheus.query(expression, signal())
    expect(samples.map(({ value }) => value)).toEqual([1.5, NaN, Infinity, -Infinity, 0.00002])
    expect(samples[0]?.labels).toEqual({ __name__: 'a' })
    expect(new URL(asked[0] ?? '', url).searchParams.get('query')).toBe(expression)
    answers.set('/api/v1/query', success({ resultType: 'scalar', result: [1, '3'] }))
    expect(await prometheus.query('3', signal())).toEqual([{ labels: {}, value: 3 }])
  })

  it.each([
    [
      'refuses',
      {
        status: 400,
        body: { status: 'error', errorType: 'bad_data', error: 'parse error: unexpected end of input' },
      },
      'Prometheus refused /api/v1/query?query=up (400 bad_data): parse error: unexpected end of input',
    ],
    [
      'is not there, and a proxy answers',
      { status: 503, body: 'no endpoints available for service "prometheus"\n' },
      'Prometheus answered 503 to /api/v1/query?query=up, not in the form of its API: no endpoints available for service "prometheus"',
    ],
    [
      'answers with something else',
      success({ resultType: 'vector', result: [{ metric: {}, value: [1, 2] }] }),
      /with other fields: result\.0\.value\.1: .*string/,
    ],
  ])('breaks the check when Prometheus %s', async (_, answer, message) => {
    answers.set('/api/v1/query', answer)
    const thrown = await prometheus.query('up', signal()).catch((error: unknown) => error)
    expect(thrown).toBeInstanceOf(CheckBroke)
    expect((thrown as Error).message).toMatch(message)
  })

  it('breaks the check when nobody listens, and passes an abort on', async () => {
    const gone = prometheusApi(fromHere('http://127.0.0.1:1'))
    await expect(gone.alerts(signal())).rejects.toThrow(/^Prometheus does not answer \/api\/v1\/alerts: /)
    const aborted = AbortSignal.abort(new Error('enough'))
    await expect(prometheus.alerts(aborted)).rejects.toThrow('enough')
  })
})

it('throughService asks the proxy of the API server', async () => {
  const paths: string[] = []
  const kube = {
    raw: (path: string) => {
      paths.push(path)
      return Promise.resolve({ status: 200, body: JSON.stringify(success({ alerts: [] }).body) })
    },
  }
  const service = { namespace: 'monitoring', name: 'prometheus', port: 9090 }
  expect(await prometheusApi(throughService(kube, service)).alerts(signal())).toEqual([])
  expect(paths).toEqual(['/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/alerts'])
})

describe('fires and isSilent', () => {
  const both = async (name: string, labels = {}) => ({
    fires: await fires(prometheus, { name, labels })(signal()),
    silent: await isSilent(prometheus, { name, labels })(signal()),
  })

  it('tell firing from pending and from silence, by name and labels', async () => {
    withRules(rule)
    withAlerts(alert('pending', 'a'), alert('firing', 'b'))
    expect(await both('BrainDown', { pod: 'b' })).toEqual({
      fires: { ok: true, seen: 'BrainDown firing: No brain in b' },
      silent: { ok: false, seen: 'BrainDown firing: No brain in b' },
    })
    expect(await both('BrainDown', { pod: 'a' })).toMatchObject({
      fires: { ok: false },
      silent: { ok: false },
    })
    expect(await both('BrainDown', { pod: 'c' })).toEqual({
      fires: { ok: false, seen: 'BrainDown is silent; active: BrainDown' },
      silent: { ok: true, seen: 'BrainDown is silent; active: BrainDown' },
    })
  })

  it('break for an alert that no rule makes, and for one that cannot be evaluated', async () => {
    withRules(rule, { ...rule, name: 'Bad', health: 'err', lastError: 'many-to-many matching' })
    withAlerts()
    await expect(both('Other')).rejects.toThrow('Prometheus has no rule Other; it has Bad, BrainDown.')
    await expect(both('Bad')).rejects.toThrow('The rule Bad cannot be evaluated: many-to-many matching')
  })

  it('take a rule that was not evaluated yet for neither', async () => {
    withRules({ ...rule, state: 'unknown', health: 'unknown' })
    withAlerts()
    const seen = 'BrainDown was not evaluated yet'
    expect(await both('BrainDown')).toEqual({ fires: { ok: false, seen }, silent: { ok: false, seen } })
  })
})
