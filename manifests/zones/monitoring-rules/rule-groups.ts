import type { AlertSource, ValuesName } from './alert-source.ts'

/** An alerting rule as Prometheus reads it (https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/). */
export interface AlertingRule {
  alert: string
  expr: string
  /** Left out where it would be 0. */
  for?: string
  labels: { severity: string }
  annotations: { summary: string; description: string; runbook: string }
}

export interface RuleGroup {
  name: string
  rules: AlertingRule[]
}

/**
 * The alerts with their values filled in, as the groups that both forms have in common.
 * @throws Error for a value that is named and not there, or there and not named
 */
export function ruleGroups(source: AlertSource, valuesName: ValuesName = 'normal'): RuleGroup[] {
  const values = source.values[valuesName]
  const named = new Set<string>()
  const filled = (text: string): string =>
    text.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => {
      const value = values[name]
      if (value === undefined)
        throw new Error(`The alerts name a value ${name} that ${valuesName} does not have.`)
      named.add(name)
      return value
    })
  const rules = source.alerts.map((one): AlertingRule => {
    const duration = filled(one.for)
    return {
      alert: one.alert,
      expr: filled(one.expr),
      ...(duration === '0s' ? {} : { for: duration }),
      labels: { severity: one.severity },
      annotations: {
        summary: filled(one.summary),
        description: filled(one.description),
        runbook: filled(one.runbook),
      },
    }
  })
  const idle = Object.keys(values).filter((name) => !named.has(name))
  if (idle.length > 0) throw new Error(`No alert names ${idle.join(', ')}.`)
  return [{ name: 'zones', rules }]
}
