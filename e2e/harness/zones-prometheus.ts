import type { Cluster } from './cluster.ts'
import { describeHttp } from './http-client.ts'
import { prometheusApi, type PrometheusApi } from './prometheus-api.ts'
import { requestPod } from './slate-pods.ts'
import { readyPodOfWorkload } from './zones.ts'

const namespace = 'monitoring'
const port = 9090

/**
 * The Prometheus of the zones, asked over a forwarded port of its pod: no policy is on the way, and it does not matter on which node the API
 * server is, whose proxy Cilium refuses from another one.
 */
export const zonesPrometheus = (cluster: Pick<Cluster, 'kube'>): PrometheusApi =>
  prometheusApi(async (path, signal) => {
    const { name } = await readyPodOfWorkload(cluster, { namespace, name: 'prometheus' }, signal)
    const outcome = await requestPod(cluster, { namespace, name }, port, path, signal)
    if (outcome.kind !== 'answered') throw new Error(describeHttp(outcome))
    return { status: outcome.status, body: outcome.body }
  })
