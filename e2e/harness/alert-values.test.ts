import { beforeEach, expect, it } from 'vitest'
import { parse } from 'yaml'
import { fakeCluster, type FakeCluster } from '../../bootstrap/kube/fake-client.ts'
import { renderedAlerts } from '../../manifests/zones/monitoring-rules/rendered-alerts.ts'
import type { RuleGroup } from '../../manifests/zones/monitoring-rules/rule-groups.ts'
import { withQuickAlerts } from './alert-values.ts'
import { goDurationMs } from './metrics-samples.ts'
import type { LoadedRule } from './prometheus-api.ts'
import { CheckBroke } from './verdict.ts'

const [shipped = ''] = Object.values(renderedAlerts())
const key = 'ConfigMap monitoring/prometheus-alerts'
let cluster: FakeCluster
/** What the fake Prometheus has read; undefined for one that follows the ConfigMap. */
let stuckAt: string | undefined

const text = (): string => (cluster.objects.get(key)?.['data'] as Record<string, string>)['zones.yaml'] ?? ''
const prometheus = {
  rules: (): Promise<LoadedRule[]> => {
    const { groups } = parse(stuckAt ?? text()) as { groups: RuleGroup[] }
    return Promise.resolve(
      groups.flatMap(({ name: group, rules }) =>
        rules.map(({ alert: name, expr: expression, labels, for: duration = '0s' }) => ({
          group,
          file: '',
          name,
          expression,
          forSeconds: goDurationMs(duration) / 1000,
          labels,
          state: 'inactive' as const,
          health: 'ok',
          error: '',
        })),
      ),
    )
  },
}
const options = (timeoutMs = 5_000) => ({
  kube: cluster.client,
  prometheus,
  signal: new AbortController().signal,
  timeoutMs,
  intervalMs: 5,
})
const brainDown = async () => (await prometheus.rules()).find(({ name }) => name === 'BrainDown')?.forSeconds

beforeEach(() => {
  cluster = fakeCluster()
  stuckAt = undefined
  const metadata = { name: 'prometheus-alerts', namespace: 'monitoring' }
  cluster.objects.set(key, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'zones.yaml': shipped } })
  cluster.objects.set('Pod monitoring/prometheus-1', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'prometheus-1',
      namespace: 'monitoring',
      labels: { 'app.kubernetes.io/name': 'prometheus' },
    },
  })
})

it('gives Prometheus the quick values, tells the kubelet, and puts everything back', async () => {
  {
    await using _quick = await withQuickAlerts(options())
    expect(await brainDown()).toBe(20)
    expect(cluster.changes).toEqual([`patch ${key}`, 'patch Pod monitoring/prometheus-1'])
  }
  expect(text()).toBe(shipped)
  expect(await brainDown()).toBe(120)
})

it('waits until Prometheus has read them, and puts them back when it does not', async () => {
  stuckAt = shipped
  await expect(withQuickAlerts(options(50))).rejects.toThrow(/quick values: not within .*BrainDown 120 s/)
  expect(text()).toBe(shipped)
})

it('breaks the check where there are no rules', async () => {
  cluster.objects.delete(key)
  const thrown = await withQuickAlerts(options()).catch((error: unknown) => error)
  expect(thrown).toBeInstanceOf(CheckBroke)
  expect((thrown as Error).message).toBe('There is no zones.yaml in ConfigMap monitoring/prometheus-alerts.')
})
