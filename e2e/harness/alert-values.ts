import type { KubeClient } from '../../bootstrap/kube/client.ts'
import { readAlertSource, type ValuesName } from '../../manifests/zones/monitoring-rules/alert-source.ts'
import { ruleFile } from '../../manifests/zones/monitoring-rules/rendered-alerts.ts'
import { ruleGroups } from '../../manifests/zones/monitoring-rules/rule-groups.ts'
import { eventually } from './eventually.ts'
import { goDurationMs } from './metrics-samples.ts'
import type { PrometheusApi } from './prometheus-api.ts'
import { CheckBroke } from './verdict.ts'

const namespace = 'monitoring'
const alerts = { apiVersion: 'v1', kind: 'ConfigMap', namespace, name: 'prometheus-alerts' }
const file = 'zones.yaml'
/** Changed to have the kubelet look at the pod at once; by itself it looks for changed ConfigMaps every minute or so. */
const nudge = 'local-cloud.io/alerts-changed'

export interface AlertValuesOptions {
  kube: Pick<KubeClient, 'get' | 'list' | 'patch'>
  prometheus: Pick<PrometheusApi, 'rules'>
  signal: AbortSignal
  /** How long until Prometheus has read the file, milliseconds. */
  timeoutMs: number
  intervalMs?: number
}

/**
 * Has the running Prometheus of the zones judge with the `quick` values, the expressions as they are. Leaving the scope puts the file back as it was
 * found, and waits until that is read, so that what fires afterwards does so by the normal rules.
 * @throws CheckBroke when there is no ConfigMap with the rules; ExpectationFailed when they are not read in time
 */
export async function withQuickAlerts(options: AlertValuesOptions): Promise<AsyncDisposable> {
  const { kube, signal } = options
  const found = await kube.get(alerts, signal)
  const before = (found?.['data'] as Record<string, string> | undefined)?.[file]
  if (before === undefined)
    throw new CheckBroke(`There is no ${file} in ConfigMap ${namespace}/${alerts.name}.`)
  const restore = (): Promise<void> =>
    put(before, 'normal', { ...options, signal: new AbortController().signal })
  try {
    await put(ruleFile(ruleGroups(readAlertSource(), 'quick')), 'quick', options)
  } catch (error) {
    await restore().catch(() => undefined)
    throw error
  }
  return { [Symbol.asyncDispose]: restore }
}

async function put(text: string, values: ValuesName, options: AlertValuesOptions): Promise<void> {
  const { kube, prometheus, signal, timeoutMs, intervalMs = 1_000 } = options
  await kube.patch(alerts, { data: { [file]: text } }, { signal })
  const selector = { labelSelector: 'app.kubernetes.io/name=prometheus', namespace }
  for (const { metadata } of await kube.list({ apiVersion: 'v1', kind: 'Pod', ...selector }, signal)) {
    const pod = { apiVersion: 'v1', kind: 'Pod', namespace, name: metadata.name }
    const annotations = { [nudge]: new Date().toISOString() }
    await kube.patch(pod, { metadata: { annotations } }, { signal })
  }
  const wanted = ruleGroups(readAlertSource(), values)
    .flatMap(({ rules }) => rules)
    .map((rule) => `${rule.alert} ${String(goDurationMs(rule.for ?? '0s') / 1000)} s`)
    .join(', ')
  await eventually(
    `Prometheus judges with the ${values} values`,
    async (stop) => {
      const rules = await prometheus.rules(stop)
      const seen = rules.map(({ name, forSeconds }) => `${name} ${String(forSeconds)} s`).join(', ')
      return { ok: seen === wanted, seen }
    },
    { timeoutMs, intervalMs, signal },
  )
}
