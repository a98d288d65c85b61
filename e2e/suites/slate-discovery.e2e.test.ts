import { randomBytes } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import { readContract, type Contract, type DeploymentRow } from '../../manifests/slate/contract.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { eventually } from '../harness/eventually.ts'
import { createNamespace } from '../harness/namespace.ts'
import { probePort, startProbePod } from '../harness/probe-pod.ts'
import { parsePrometheusText, sumOf, type MetricFamily } from '../harness/prometheus-text.ts'
import { recordOf } from '../harness/record.ts'
import { requireSlate } from '../harness/slate.ts'
import { expectFacts } from '../harness/slate-facts.ts'
import { evaluateIn, podsOfRow, readyPodOf, type PodOfSlate } from '../harness/slate-pods.ts'
import { CheckBroke } from '../harness/verdict.ts'

/*
 * How the parts of SLATE find each other: its Services and the pods behind them, their names as a pod of SLATE resolves them, and the
 * metrics as something that scrapes from inside gets them (A40).
 */
const contract = readContract()
const namespace = contract.namespace.name
const services = contract.services.rows
const settle = { timeoutMs: 60_000, intervalMs: 500 }
/** From whose pods is asked: nothing else of the suites touches them, for they have no Service. */
const asker = rowOf('slate-core')

let cluster: Cluster
beforeAll(async () => {
  cluster = await attach(choiceFromEnvironment(), AbortSignal.timeout(30_000))
  requireSlate(cluster)
})

type ServiceRow = Contract['services']['rows'][number]

function rowOf(name: string): DeploymentRow {
  const row = contract.deployments.find((one) => one.name === name)
  if (!row) throw new Error(`The contract has no Deployment ${name}.`)
  return row
}

/** The one Deployment whose pods a Service of the contract selects. */
function behind({ name, selector }: ServiceRow): DeploymentRow {
  const row = contract.deployments.find(
    (one) =>
      one.component === selector['app.kubernetes.io/component'] ||
      one.name === selector['app.kubernetes.io/name'],
  )
  if (!row) throw new Error(`No Deployment of the contract is behind ${name}.`)
  return row
}

interface Answer {
  status: number
  headers: Record<string, string | undefined>
  body: string
}

let asked = 0

/** Ready pods of the asker one after the other, for one alone would have to start a program for every question of the suite. */
async function nextAsker(signal: AbortSignal): Promise<PodOfSlate> {
  const ready = (await podsOfRow(cluster, asker, signal)).filter((pod) => pod.ready)
  const pod = ready[asked % ready.length]
  if (!pod) throw new CheckBroke(`No pod of ${asker.name} is ready.`)
  asked += 1
  return pod
}

/** Milliseconds for an answer. The router has its own metrics after it has asked every service (2 s) and Ollama for each model (10 s). */
const answerMs = 20_000

/** GETs from inside a pod of SLATE, each on a new connection. @throws CheckBroke when the pod could not ask */
async function getInside(
  urls: readonly string[],
  signal: AbortSignal,
): Promise<(Answer | { error: string })[]> {
  return evaluateIn(
    cluster,
    await nextAsker(signal),
    `Promise.all(input.map((url) => new Promise((resolve) => {
      require('http').get(url, { agent: false, timeout: ${String(answerMs)} }, (response) => {
        let body = ''
        response.setEncoding('utf8').on('data', (text) => { body += text })
          .on('end', () => resolve({ status: response.statusCode, headers: response.headers, body }))
      }).on('timeout', function () { this.destroy(new Error('no answer within ${String(answerMs)} ms')) })
        .on('error', (error) => resolve({ error: error.message }))
    })))`,
    urls,
    signal,
  )
}

/** Who answered how: `200 dashboard`. */
const wordsOf = (answer: Answer | { error: string }): string =>
  'error' in answer
    ? answer.error
    : `${String(answer.status)} ${answer.headers['x-slate-service'] ?? ''}`.trim()

async function oneInside(url: string, signal: AbortSignal): Promise<Answer> {
  const [answer] = await getInside([url], signal)
  if (answer === undefined) throw new CheckBroke('The pod that asks gave no answer.')
  if ('error' in answer) expect.fail(`${url}: ${answer.error}`)
  return answer
}

describe('Services', () => {
  it.each(services)('$name has the stated type, ports and selector', async ({ name }) => {
    const signal = AbortSignal.timeout(20_000)
    const facts = ['service type', 'service ports', 'service selector']
    await expectFacts(cluster, `Service/${name}`, facts, signal)
  })

  it.each(services)('$name leads to exactly the ready pods of its deployment, on its ports', async (row) => {
    const signal = AbortSignal.timeout(120_000)
    await eventually(
      row.name,
      async (stop) => {
        const [slices, pods] = await Promise.all([
          cluster.kube.list(
            {
              apiVersion: 'discovery.k8s.io/v1',
              kind: 'EndpointSlice',
              namespace,
              labelSelector: `kubernetes.io/service-name=${row.name}`,
            },
            stop,
          ),
          podsOfRow(cluster, behind(row), stop),
        ])
        const ends = (slices as unknown as EndpointSlice[]).flatMap(({ endpoints }) => endpoints ?? [])
        const ready = ends.filter(({ conditions }) => conditions?.ready === true)
        const seen = sorted(ready.map(({ targetRef }) => targetRef?.uid ?? ''))
        const wanted = sorted(pods.filter((pod) => pod.ready).map(({ uid }) => uid))
        const ports = sorted(
          (slices as unknown as EndpointSlice[]).flatMap((slice) =>
            (slice.ports ?? []).map(({ port }) => port),
          ),
        )
        const wantedPorts = sorted(row.ports)
        return {
          ok: wanted.length > 0 && same(seen, wanted) && same(ports, wantedPorts),
          seen: `pods ${seen.join(', ') || 'none'} on ${ports.join(', ') || 'no port'}; ready pods of the deployment: ${wanted.join(', ') || 'none'}`,
        }
      },
      { ...settle, signal },
    )
  })
})

interface EndpointSlice {
  endpoints?: { conditions?: { ready?: boolean }; targetRef?: { uid: string } }[]
  ports?: { port: number }[]
}

const sorted = <T extends string | number>(values: readonly T[]): T[] => [...new Set(values)].sort()
const same = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  JSON.stringify(a) === JSON.stringify(b)

describe('names', () => {
  it.each(services)(
    '$name resolves inside SLATE by each form of its name, to its ClusterIP',
    async ({ name }) => {
      const signal = AbortSignal.timeout(60_000)
      const service = await cluster.kube.get({ apiVersion: 'v1', kind: 'Service', namespace, name }, signal)
      const { clusterIP } = (service?.['spec'] ?? {}) as { clusterIP?: string }
      const forms = [name, `${name}.${namespace}`, `${name}.${namespace}.svc.cluster.local`]
      const pod = await nextAsker(signal)
      const resolved = await evaluateIn<string[][]>(
        cluster,
        pod,
        `Promise.all(input.map((name) => require('dns').promises.lookup(name, { all: true, family: 4 })
        .then((all) => all.map(({ address }) => address), (error) => [error.code])))`,
        forms,
        signal,
      )
      expect(Object.fromEntries(forms.map((form, index) => [form, resolved[index]]))).toEqual(
        Object.fromEntries(forms.map((form) => [form, [clusterIP]])),
      )
    },
  )

  it.each(services)(
    '$name answers inside SLATE by its short name, as its deployment, on every port',
    async (row) => {
      const signal = AbortSignal.timeout(120_000)
      const deployment = behind(row)
      await eventually(
        row.name,
        async (stop) => {
          const answers = await getInside(
            row.ports.map((port) => `http://${row.name}:${String(port)}${deployment.healthPath}`),
            stop,
          )
          const seen = answers.map(wordsOf)
          const wanted = `200 ${deployment.entrypoint ?? ''}`.trim()
          return { ok: seen.every((one) => one === wanted), seen: seen.join(', ') }
        },
        { ...settle, signal },
      )
    },
  )

  it('a headless Service gives the addresses of its pods, one with a ClusterIP only that', async ({
    task,
    signal,
  }) => {
    const { kube, runId } = cluster
    await using stack = new AsyncDisposableStack()
    const space = stack.use(await createNamespace({ kube, runId, purpose: 'headless', signal }))
    const service = (name: string, spec: Record<string, unknown>) => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: space.name },
      spec: { selector: { app: 'named' }, ports: [{ port: 80, targetPort: probePort }], ...spec },
    })
    await kube.apply([service('headless', { clusterIP: 'None' }), service('plain', {})], {
      signal,
      dryRun: 'skip',
    })
    const pods = await Promise.all(
      ['first', 'second'].map((name) =>
        startProbePod({ kube, runId, namespace: space.name, name, labels: { app: 'named' }, signal }),
      ),
    )
    const [client] = pods
    if (!client) throw new CheckBroke('No pod to ask from.')
    const plain = await kube.get(
      { apiVersion: 'v1', kind: 'Service', namespace: space.name, name: 'plain' },
      signal,
    )
    const resolve = async (name: string, stop: AbortSignal): Promise<string[]> => {
      const said = await client.sh(`nslookup -type=a ${name}.${space.name}.svc.cluster.local || true`, stop)
      const answer = said.slice(said.indexOf('Name:') === -1 ? said.length : said.indexOf('Name:'))
      return sorted([...answer.matchAll(/^Address[ 0-9]*: *(\S+)$/gm)].map(([, address = '']) => address))
    }
    const wanted = sorted(pods.map(({ ip }) => ip))
    await eventually(
      'the headless name',
      async (stop) => {
        const seen = await resolve('headless', stop)
        return { ok: same(seen, wanted), seen: seen.join(', ') || 'no address' }
      },
      { timeoutMs: 30_000, intervalMs: 500, signal },
    )
    const { clusterIP } = plain?.['spec'] as { clusterIP: string }
    expect(await resolve('plain', signal)).toEqual([clusterIP])
    recordOf(task.meta).facts.push(
      { name: 'headless', value: wanted.join(', ') },
      { name: 'ClusterIP', value: clusterIP },
    )
  })
})

/** Deployments whose pods say that they are to be scraped, and where. */
const scraped = contract.deployments.flatMap((row) =>
  row.scrapePort === undefined ? [] : [{ ...row, port: row.scrapePort }],
)

async function scrape(
  pod: PodOfSlate,
  port: number,
  signal: AbortSignal,
): Promise<Map<string, MetricFamily>> {
  const url = `http://${pod.ip}:${String(port)}${contract.scrape.path}`
  const answer = await oneInside(url, signal)
  expect(answer.status, url).toBe(200)
  expect(answer.headers['content-type'], url).toMatch(/^text\/plain; version=0\.0\.4/)
  return parsed(answer.body)
}

function parsed(body: string): Map<string, MetricFamily> {
  try {
    return parsePrometheusText(body)
  } catch (error) {
    return expect.fail(`no metrics of Prometheus: ${String(error)}`)
  }
}

describe('metrics', () => {
  it.each(scraped)('pods of $name say where they are scraped', async (row) => {
    const signal = AbortSignal.timeout(20_000)
    await expectFacts(cluster, `Deployment/${row.name}`, ['scrape annotations'], signal)
    for (const { name, annotations } of await podsOfRow(cluster, row, signal)) {
      expect(annotations, name).toMatchObject({
        'prometheus.io/scrape': 'true',
        'prometheus.io/port': String(row.port),
        'prometheus.io/path': contract.scrape.path,
      })
    }
  })

  it.each(scraped)('every pod of $name gives its metrics there, in the format of Prometheus', async (row) => {
    const signal = AbortSignal.timeout(120_000)
    const pods = (await podsOfRow(cluster, row, signal)).filter(({ ready }) => ready)
    expect(pods.length).toBeGreaterThan(0)
    for (const pod of pods) {
      const families = await scrape(pod, row.port, signal)
      const build = families.get('slate_build_info')?.samples[0]?.labels
      expect(build, pod.name).toMatchObject({ service: row.entrypoint, pod: pod.name })
      expect(families.get('slate_http_requests_total')?.type).toBe('counter')
    }
  })

  it.each(scraped)('the counters of $name grow by the requests that it got', async (row) => {
    const signal = AbortSignal.timeout(120_000)
    const pod = await readyPodOf(cluster, row, signal)
    const labels = { route: 'unmatched', status: '404' }
    const read = async () => sumOf(await scrape(pod, row.port, signal), 'slate_http_requests_total', labels)
    const before = await read()
    const requests = 7
    const path = `/no-such-path-${randomBytes(4).toString('hex')}`
    const urls = Array.from({ length: requests }, () => `http://${pod.ip}:${String(row.ports[0])}${path}`)
    const answers = await getInside(urls, signal)
    expect(answers.map((answer) => ('error' in answer ? answer.error : answer.status))).toEqual(
      urls.map(() => 404),
    )
    const after = await read()
    expect(after - before).toBeGreaterThanOrEqual(requests)
    // Others may ask for what is not there as well, but not for so much.
    expect(after - before).toBeLessThan(requests + 50)
  })

  it.each(contract.optional.monitoring.targets)(
    'Service $service gives metrics on port $port from inside SLATE',
    async ({ service, port }) => {
      const signal = AbortSignal.timeout(60_000)
      const row = services.find(({ name }) => name === service)
      if (!row) throw new CheckBroke(`The contract has no Service ${service}.`)
      const answer = await oneInside(`http://${service}:${String(port)}${contract.scrape.path}`, signal)
      expect(answer.headers['x-slate-service']).toBe(behind(row).entrypoint)
      expect(sumOf(parsed(answer.body), 'slate_ready')).toBe(1)
    },
  )

  it('slate-metrics-svc tells of the whole system: every part that has a Service is up', async ({
    task,
    signal,
  }) => {
    const parts = new Set(services.map((row) => behind(row).name)).size
    const seen = await eventually(
      'slate_service_up',
      async (stop) => {
        const [answer] = await getInside([`http://slate-metrics-svc:9090${contract.scrape.path}`], stop)
        if (answer === undefined || 'error' in answer || answer.status !== 200)
          return { ok: false, seen: answer === undefined ? 'no answer' : wordsOf(answer) }
        const up = parsed(answer.body).get('slate_service_up')?.samples ?? []
        return {
          ok: up.length === parts && up.every(({ value }) => value === 1),
          seen:
            up.map(({ labels, value }) => `${labels['name'] ?? ''} ${String(value)}`).join(', ') || 'none',
        }
      },
      { ...settle, signal },
    )
    recordOf(task.meta).facts.push({ name: 'slate_service_up', value: seen })
  })
})
