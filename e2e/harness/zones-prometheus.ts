import type { Cluster } from './cluster.ts'
import { eventually } from './eventually.ts'
import { describeHttp } from './http-client.ts'
import type { Look, Looker } from './look.ts'
import { prometheusApi, type PrometheusApi } from './prometheus-api.ts'
import { requestPod } from './slate-pods.ts'
import { CheckBroke, isVerdictError } from './verdict.ts'
import { podsOfWorkload } from './zones.ts'

const namespace = 'monitoring'
const port = 9090

/**
 * The Prometheus of the zones, asked over a forwarded port of its pod: no policy is on the way, and it does not matter on which node the API
 * server is, whose proxy Cilium refuses from another one. A request that does not come through says nothing about what Prometheus sees, and
 * is made again for a while.
 */
export const zonesPrometheus = (cluster: Pick<Cluster, 'kube'>): PrometheusApi =>
  prometheusApi(async (path, signal) => {
    let answer = { status: 0, body: '' }
    await eventually(
      'an answer',
      async (stop): Promise<Look> => {
        const pods = await podsOfWorkload(cluster, { namespace, name: 'prometheus' }, stop)
        const pod = pods.find(({ ready }) => ready)
        if (!pod) return { ok: false, seen: `no pod of ${namespace}/prometheus is ready` }
        const outcome = await requestPod(cluster, { namespace, name: pod.name }, port, path, stop)
        const seen = describeHttp(outcome)
        if (outcome.kind !== 'answered') return { ok: false, seen }
        answer = { status: outcome.status, body: outcome.body }
        return { ok: true, seen }
      },
      { timeoutMs: 20_000, intervalMs: 500, signal },
    )
    return answer
  })

/**
 * A look at this Prometheus for a wait: it is not ok when a request does not come through. Not for a period, of which that would say that
 * something did not hold.
 */
export const whenAnswered =
  (looker: Looker): Looker =>
  async (signal) => {
    try {
      return await looker(signal)
    } catch (error) {
      // The verdict of the wait for an answer; what else breaks a look at Prometheus has no verdict as its cause.
      if (error instanceof CheckBroke && isVerdictError(error.cause))
        return { ok: false, seen: error.message }
      throw error
    }
  }
