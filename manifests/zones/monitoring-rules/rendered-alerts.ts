import { stringify } from 'yaml'
import { readAlertSource, type ValuesName } from './alert-source.ts'
import { ruleGroups, type RuleGroup } from './rule-groups.ts'

const heading =
  '# Written by scripts/zones-alerts.ts from manifests/zones/monitoring-rules/rules.yaml; do not edit.\n'

const written = (value: unknown): string =>
  heading + stringify(value, { lineWidth: 0, singleQuote: true, aliasDuplicateObjects: false })

/** The rule file of a plain Prometheus. */
export const ruleFile = (groups: readonly RuleGroup[]): string => written({ groups })

/** The same rules as an object of the Prometheus Operator, for clusters that have its CRD (Z13). */
export const prometheusRule = (groups: readonly RuleGroup[]): string =>
  written({
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: {
      name: 'prometheus-alerts',
      namespace: 'monitoring',
      labels: { 'app.kubernetes.io/name': 'prometheus', 'app.kubernetes.io/part-of': 'omni' },
    },
    spec: { groups },
  })

/** Both forms by the files that hold them, relative to the repository. */
export function renderedAlerts(values: ValuesName = 'normal'): Record<string, string> {
  const groups = ruleGroups(readAlertSource(), values)
  return {
    'manifests/zones/base/monitoring/alerts/zones.yaml': ruleFile(groups),
    'manifests/zones/components/prometheus-operator/prometheus-rule.yaml': prometheusRule(groups),
  }
}
