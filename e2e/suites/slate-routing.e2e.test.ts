import { randomBytes } from 'node:crypto'
import { beforeAll, describe, it } from 'vitest'
import { readContract } from '../../manifests/slate/contract.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { assertNegative } from '../harness/controls.ts'
import { eventually } from '../harness/eventually.ts'
import { describeHttp, request, type HttpOutcome } from '../harness/http-client.ts'
import type { Look } from '../harness/look.ts'
import { recordOf } from '../harness/record.ts'
import { readSlateContract, requireSlate, type SlateRoute } from '../harness/slate.ts'
import { expectFacts } from '../harness/slate-facts.ts'

/*
 * The edges of the Ingress: what begins like a path without being below it, methods that nobody serves, and how the
 * host may be written. That every path leads to its service is in the suite `smoke`, what the
 * annotations do in `slate-ingress`.
 */
const contract = readContract()
const slate = readSlateContract()
const { ingress: stated } = contract
const settle = { timeoutMs: 15_000, intervalMs: 300 }

let cluster: Cluster
beforeAll(async () => {
  cluster = await attach(choiceFromEnvironment(), AbortSignal.timeout(30_000))
  requireSlate(cluster)
})

const ask = (
  path: string,
  signal: AbortSignal,
  { host = slate.host, method = 'GET' } = {},
): Promise<HttpOutcome> => request(`${cluster.ingressUrl}${path}`, { host, method, timeoutMs: 5_000, signal })

/** `agent-router`, or what answered in its place. */
function answeredBy(outcome: HttpOutcome): string {
  if (outcome.kind !== 'answered') return describeHttp(outcome)
  return String(outcome.headers['x-slate-service'] ?? `${String(outcome.status)} from no service`)
}

/** Asks until all the paths are answered by this service. */
async function allAnsweredBy(
  service: string,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<string> {
  return eventually(
    `${paths.join(', ')} answered by ${service}`,
    async (stop): Promise<Look> => {
      const answers = await Promise.all(paths.map((path) => ask(path, stop)))
      const others = paths.flatMap((path, index) => {
        const answer = answers[index]
        const by = answer === undefined ? 'nobody' : answeredBy(answer)
        return by === service ? [] : [`${path}: ${by}`]
      })
      return { ok: others.length === 0, seen: others.join(', ') || `${String(paths.length)} by ${service}` }
    },
    { ...settle, signal },
  )
}

const root = slate.routes.find(({ path }) => path === '/')
const rootIdentity = root?.identity ?? ''
const below = slate.routes.filter(({ path }) => path !== '/')
/** Where it shows who answers: the other paths lead where `/` leads as well. */
const telling = below.filter(({ identity }) => identity !== rootIdentity)
const random = () => randomBytes(3).toString('hex')

describe('routes', () => {
  it('the Ingress has the stated class and host, and the stated paths in order', async ({ signal }) => {
    const facts = ['ingress class and host', 'ingress routes']
    await expectFacts(cluster, `Ingress/${stated.name}`, facts, signal)
  })

  it.each(below)(
    '$path leads to the same service with a slash at its end, a query, and below it',
    async (route) => {
      const { path, identity } = route
      await allAnsweredBy(
        identity,
        [`${path}/`, `${path}?query=${random()}`, `${path}/no-such-${random()}`, `${path}/a/b/${random()}`],
        AbortSignal.timeout(30_000),
      )
    },
  )

  it.each(telling)('$path is no prefix of a name that only begins like it', async (route: SlateRoute) => {
    const { path, identity } = route
    const signal = AbortSignal.timeout(30_000)
    // The control first: the path itself leads to its own service, so that an answer of another one says something.
    await allAnsweredBy(identity, [path], signal)
    await allAnsweredBy(
      rootIdentity,
      [`${path}x`, `${path}-${random()}`, `${path}.json`, `${path}x/status`],
      signal,
    )
  })

  it('the path above the others, and one in capitals, are answered by the service of /', async ({
    signal,
  }) => {
    const first = telling[0]?.path ?? ''
    await allAnsweredBy(rootIdentity, ['/api', '/api/', first.toUpperCase(), `/${random()}${first}`], signal)
  })

  it.each(slate.routes.filter(({ path }) => path !== '/ws'))(
    '$path refuses a method that it does not have',
    async (route) => {
      const signal = AbortSignal.timeout(30_000)
      const { path, identity } = route
      const seen = async (method: string, stop: AbortSignal) => {
        const outcome = await ask(path, stop, { method })
        return outcome.kind === 'answered'
          ? `${String(outcome.status)} by ${answeredBy(outcome)}, allows ${outcome.headers.allow ?? 'no word of it'}`
          : describeHttp(outcome)
      }
      const wanted = /^405 by (\S+), allows GET, HEAD/
      for (const method of ['DELETE', 'PUT']) {
        await eventually(
          `${method} ${path}`,
          async (stop) => {
            const [refused, served] = [await seen(method, stop), await seen('GET', stop)]
            return {
              ok: wanted.exec(refused)?.[1] === identity && served.startsWith(`200 by ${identity}`),
              seen: `${method}: ${refused}; GET: ${served}`,
            }
          },
          { ...settle, signal },
        )
      }
    },
  )

  it('the host may be written in capitals and with a port', async ({ task, signal }) => {
    const { port } = new URL(cluster.ingressUrl)
    const path = telling[0]?.path ?? ''
    for (const host of [slate.host.toUpperCase(), `${slate.host}:${port || '80'}`]) {
      const seen = await eventually(
        host,
        async (stop) => {
          const outcome = await ask(path, stop, { host })
          return { ok: answeredBy(outcome) === telling[0]?.identity, seen: describeHttp(outcome) }
        },
        { ...settle, signal },
      )
      recordOf(task.meta).facts.push({ name: host, value: seen })
    }
  })

  it.for([
    ['below the host', (host: string) => `other.${host}`],
    ['that begins with the host', (host: string) => `${host}.example`],
  ] as const)('a name %s is refused', async ([, make], { task }) => {
    const look =
      (host: string, wanted: 200 | 404) =>
      async (signal: AbortSignal): Promise<Look> => {
        const outcome = await ask(telling[0]?.path ?? '', signal, { host })
        if (outcome.kind !== 'answered') return { ok: false, seen: describeHttp(outcome) }
        const service = outcome.headers['x-slate-service']
        return {
          ok: outcome.status === wanted && (service !== undefined) === (wanted === 200),
          seen: `${String(outcome.status)} from ${String(service ?? 'no service')}`,
        }
      }
    const stranger = make(slate.host)
    await assertNegative(recordOf(task.meta), {
      negative: { title: `${stranger} answers 404`, run: look(stranger, 404) },
      control: { title: `${slate.host} is answered`, run: look(slate.host, 200) },
      settle,
      hold: { timeoutMs: 1_000, intervalMs: 200 },
    })
  })
})
