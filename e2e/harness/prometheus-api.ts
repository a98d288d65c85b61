import { z } from 'zod'
import type { KubeClient } from '../../bootstrap/kube/client.ts'
import { CheckBroke } from './verdict.ts'

/** A pod or address that Prometheus scrapes. */
export interface ScrapeTarget {
  job: string
  labels: Record<string, string>
  url: string
  health: 'up' | 'down' | 'unknown'
  /** Why the last scrape failed; empty otherwise. */
  error: string
}

/** One series for which the expression of an alert holds. */
export interface ActiveAlert {
  name: string
  state: 'pending' | 'firing'
  labels: Record<string, string>
  annotations: Record<string, string>
  /** Since when it holds, milliseconds since the Unix epoch. */
  sinceMs: number
}

/** An alerting rule that is loaded. */
export interface LoadedRule {
  group: string
  /** File that it was read from, in Prometheus' own file system. */
  file: string
  name: string
  expression: string
  /** How long the expression has to hold, seconds. */
  forSeconds: number
  labels: Record<string, string>
  state: 'inactive' | 'pending' | 'firing' | 'unknown'
  /** `ok` once it was evaluated without an error, `unknown` before. */
  health: string
  /** Of the last evaluation; empty without one. */
  error: string
}

/** One series of an answer; `NaN` and infinities are numbers here. */
export interface QuerySample {
  labels: Record<string, string>
  value: number
}

/** Prometheus' own view of what it scrapes and judges (https://prometheus.io/docs/prometheus/latest/querying/api/). Nothing is asked twice. */
export interface PrometheusApi {
  /** Every active target. @throws CheckBroke when Prometheus does not answer, refuses, or answers something else; so do all others */
  targets(signal: AbortSignal): Promise<ScrapeTarget[]>
  /** Every alert that is pending or firing. */
  alerts(signal: AbortSignal): Promise<ActiveAlert[]>
  /** Every alerting rule, in the order of its file. */
  rules(signal: AbortSignal): Promise<LoadedRule[]>
  /** The value of a PromQL expression now; a scalar is one sample without labels. */
  query(expression: string, signal: AbortSignal): Promise<QuerySample[]>
}

/** GET on a path of Prometheus; HTTP errors are answers. */
export type PrometheusGet = (path: string, signal: AbortSignal) => Promise<{ status: number; body: string }>

/** Through the API server's proxy for Services, which needs no open port and no pod. */
export const throughService =
  (
    kube: Pick<KubeClient, 'raw'>,
    { namespace, name, port }: { namespace: string; name: string; port: number | string },
  ): PrometheusGet =>
  (path, signal) =>
    kube.raw(`/api/v1/namespaces/${namespace}/services/${name}:${String(port)}/proxy${path}`, signal)

/** From this machine: a port-forward, or a Prometheus that runs here. */
export const fromHere =
  (url: string): PrometheusGet =>
  async (path, signal) => {
    const response = await fetch(new URL(path, url), { signal })
    return { status: response.status, body: await response.text() }
  }

const labels = z.record(z.string(), z.string())
const epoch = z.string().transform((text) => Date.parse(text))
const numeric = z.string().transform(sampleValue)
const sample = z.tuple([z.number(), numeric])

const targetsShape = z.object({
  activeTargets: z.array(
    z.object({
      labels,
      scrapeUrl: z.string(),
      health: z.enum(['up', 'down', 'unknown']),
      lastError: z.string(),
    }),
  ),
})
const alertsShape = z.object({
  alerts: z.array(
    z.object({ state: z.enum(['pending', 'firing']), labels, annotations: labels, activeAt: epoch }),
  ),
})
const ruleShape = z.object({
  type: z.literal('alerting'),
  name: z.string(),
  query: z.string(),
  duration: z.number(),
  labels,
  state: z.enum(['inactive', 'pending', 'firing', 'unknown']),
  health: z.string(),
  lastError: z.string().default(''),
})
const rulesShape = z.object({
  groups: z.array(z.object({ name: z.string(), file: z.string(), rules: z.array(ruleShape) })),
})
const queryShape = z.discriminatedUnion('resultType', [
  z.object({ resultType: z.literal('vector'), result: z.array(z.object({ metric: labels, value: sample })) }),
  z.object({ resultType: z.literal('scalar'), result: sample }),
])
const answerShape = z.discriminatedUnion('status', [
  z.object({ status: z.literal('success'), data: z.unknown() }),
  z.object({ status: z.literal('error'), errorType: z.string(), error: z.string() }),
])

/** A client that asks through `get`. */
export function prometheusApi(get: PrometheusGet): PrometheusApi {
  const ask = async <Shape extends z.ZodType>(
    path: string,
    shape: Shape,
    signal: AbortSignal,
  ): Promise<z.output<Shape>> => {
    const { status, body } = await get(path, signal).catch((error: unknown) => {
      signal.throwIfAborted()
      const reason = error instanceof Error ? error.message : String(error)
      throw new CheckBroke(`Prometheus does not answer ${path}: ${reason}`, { cause: error })
    })
    const answer = answerShape.safeParse(jsonOf(body))
    if (!answer.success) {
      throw new CheckBroke(
        `Prometheus answered ${String(status)} to ${path}, not in the form of its API: ${body.trim().slice(0, 200)}`,
      )
    }
    if (answer.data.status === 'error') {
      const { errorType, error } = answer.data
      throw new CheckBroke(`Prometheus refused ${path} (${String(status)} ${errorType}): ${error}`)
    }
    const data = shape.safeParse(answer.data.data)
    if (data.success) return data.data
    const wrong = data.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
    throw new CheckBroke(`Prometheus answered ${path} with other fields: ${wrong.join('; ')}`)
  }
  return {
    async targets(signal) {
      const { activeTargets } = await ask('/api/v1/targets?state=active', targetsShape, signal)
      return activeTargets.map(({ labels: of, scrapeUrl, health, lastError }) => ({
        job: of['job'] ?? '',
        labels: of,
        url: scrapeUrl,
        health,
        error: lastError,
      }))
    },
    async alerts(signal) {
      const { alerts } = await ask('/api/v1/alerts', alertsShape, signal)
      return alerts.map(({ state, labels: of, annotations, activeAt }) => ({
        name: of['alertname'] ?? '',
        state,
        labels: of,
        annotations,
        sinceMs: activeAt,
      }))
    },
    async rules(signal) {
      const { groups } = await ask('/api/v1/rules?type=alert', rulesShape, signal)
      return groups.flatMap(({ name: group, file, rules }) =>
        rules.map(({ name, query, duration, labels: of, state, health, lastError }) => ({
          group,
          file,
          name,
          expression: query,
          forSeconds: duration,
          labels: of,
          state,
          health,
          error: lastError,
        })),
      )
    },
    async query(expression, signal) {
      const path = `/api/v1/query?query=${encodeURIComponent(expression)}`
      const answer = await ask(path, queryShape, signal)
      return answer.resultType === 'scalar'
        ? [{ labels: {}, value: answer.result[1] }]
        : answer.result.map(({ metric, value }) => ({ labels: metric, value: value[1] }))
    },
  }
}

/** A number as Prometheus writes it. */
function sampleValue(text: string): number {
  const special: Record<string, number> = { '+Inf': Infinity, '-Inf': -Infinity }
  return special[text] ?? Number(text)
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
