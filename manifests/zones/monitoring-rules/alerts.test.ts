import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { readAlertSource, type AlertSource, type Metric } from './alert-source.ts'
import { groupingLabelsOf, selectorsOf } from './promql-words.ts'
import { renderedAlerts } from './rendered-alerts.ts'
import { ruleGroups } from './rule-groups.ts'

const repo = join(import.meta.dirname, '..', '..', '..')
const source = readAlertSource()
const { normal, quick } = source.values

/** What every series has of its target (base/monitoring/config/prometheus.yml). */
const targetLabels = ['job', 'instance', 'namespace', 'pod', 'node']

/** The declared metric behind a series of Prometheus; `up` is its own and says of which pods it is to be. */
function declared(series: string): Metric | undefined {
  if (series === 'up') return { from: 'inference', type: 'gauge', labels: {} }
  const own = source.metrics[series]
  if (own && own.type !== 'histogram') return own
  const histogram = source.metrics[series.replace(/_(bucket|sum|count)$/, '')]
  if (histogram?.type !== 'histogram') return undefined
  return series.endsWith('_bucket') ? { ...histogram, labels: { ...histogram.labels, le: 'any' } } : histogram
}

describe('selectorsOf', () => {
  it('finds metrics and their matchers, and neither functions, keywords nor labels', () => {
    const text = `histogram_quantile(0.9, sum by (a, le) (rate(b_bucket{c="d", e=~"f.+"}[5m]))) > 1e3
      and on (g) absent(h == 1) or i offset 10m unless j`
    expect(selectorsOf(text)).toEqual([
      { metric: 'b_bucket', matchers: { c: 'd', e: 'f.+' } },
      { metric: 'h', matchers: {} },
      { metric: 'i', matchers: {} },
      { metric: 'j', matchers: {} },
    ])
    expect(groupingLabelsOf(text)).toEqual(['a', 'le', 'g'])
  })
})

describe.each(['normal', 'quick'] as const)('the alerts with their %s values', (values) => {
  const rules = ruleGroups(source, values).flatMap((group) => group.rules)

  it('have names of their own and durations that Prometheus reads', () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length)
    for (const rule of rules) if (rule.for !== undefined) expect(rule.for).toMatch(/^\d+(s|m|h)$/)
    expect(JSON.stringify(rules)).not.toContain('${')
  })

  it.each(rules.map((rule) => [rule.alert, rule] as const))(
    '%s names what the pods of one zone serve',
    (_, rule) => {
      const selectors = selectorsOf(rule.expr)
      expect(selectors.length).toBeGreaterThan(0)
      for (const { metric, matchers } of selectors) {
        const known = declared(metric)
        expect(known, metric).toBeDefined()
        // What one zone serves is not believed of the other: the agents are not trusted.
        expect(matchers['namespace'], metric).toBe(known?.from)
        for (const [label, value] of Object.entries(matchers).filter(
          ([name]) => !targetLabels.includes(name),
        )) {
          const possible = known?.labels[label]
          expect(possible, `${metric}{${label}}`).toBeDefined()
          if (possible !== 'any') expect(possible).toContain(value)
        }
      }
      const labels = selectors.flatMap(({ metric }) => Object.keys(declared(metric)?.labels ?? {}))
      for (const label of [...groupingLabelsOf(rule.expr), ...labelsIn(rule.annotations)])
        expect([...targetLabels, ...labels], label).toContain(label)
    },
  )
})

describe('the values', () => {
  it('are the same names, and the budget of a load is the probe’s (L192)', () => {
    expect(Object.keys(quick)).toEqual(Object.keys(normal))
    expect(normal['loadBudget']).toBe('25m')
  })

  it('limit what is slow at a bucket, where a quantile is exact', () => {
    const { buckets } = source.metrics['omni_request_duration_seconds']!
    for (const { slowSeconds } of [normal, quick]) expect(buckets).toContain(Number(slowSeconds))
  })

  const changed = (change: (copy: AlertSource) => void): AlertSource => {
    const copy = structuredClone(source)
    change(copy)
    return copy
  }
  it('are refused when one is missing or idle', () => {
    expect(() => ruleGroups(changed((copy) => delete copy.values.normal['downFor']))).toThrow(
      'The alerts name a value downFor that normal does not have.',
    )
    expect(() =>
      ruleGroups(
        changed((copy) => (copy.values.quick['spare'] = '1m')),
        'quick',
      ),
    ).toThrow('No alert names spare.')
  })
})

describe('both forms', () => {
  it.each(Object.entries(renderedAlerts()))('%s is what the source says', (file, text) => {
    expect(readFileSync(join(repo, file), 'utf8'), 'run: node scripts/run.mjs scripts/zones-alerts.ts').toBe(
      text,
    )
  })

  it('hold the same groups', () => {
    const [file, object] = Object.values(renderedAlerts()).map(
      (text) => parse(text) as Record<string, unknown>,
    )
    expect(object).toMatchObject({
      apiVersion: 'monitoring.coreos.com/v1',
      kind: 'PrometheusRule',
      metadata: { namespace: 'monitoring' },
      spec: { groups: file?.['groups'] },
    })
    expect((file?.['groups'] as { rules: unknown[] }[])[0]?.rules).toHaveLength(source.alerts.length)
  })
})

interface Case {
  alert_rule_test: { alertname: string; exp_alerts?: unknown[] }[]
}

describe('the cases for promtool', () => {
  const { tests } = parse(readFileSync(join(import.meta.dirname, 'cases.yaml'), 'utf8')) as { tests: Case[] }
  const looks = tests.flatMap((one) => one.alert_rule_test)

  it.each(source.alerts.map(({ alert }) => alert))(
    '%s fires in one and is silent in a healthy one',
    (alert) => {
      const own = looks.filter(({ alertname }) => alertname === alert)
      expect(own.some(({ exp_alerts }) => exp_alerts !== undefined)).toBe(true)
      const healthy = tests.filter(({ alert_rule_test: of }) =>
        of.every(({ alertname, exp_alerts }) => alertname === alert && exp_alerts === undefined),
      )
      expect(healthy.length).toBeGreaterThan(0)
    },
  )

  it('are about alerts that exist', () => {
    expect([...new Set(looks.map(({ alertname }) => alertname))].sort()).toEqual(
      source.alerts.map(({ alert }) => alert).sort(),
    )
  })
})

/** Labels that the texts of an alert name. */
function labelsIn(annotations: Record<string, string>): string[] {
  return Object.values(annotations).flatMap((text) =>
    [...text.matchAll(/\$labels\.(\w+)/g)].map(([, label = '']) => label),
  )
}
