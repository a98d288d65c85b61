import type { Look, Looker } from './look.ts'
import type { ActiveAlert, PrometheusApi } from './prometheus-api.ts'
import { CheckBroke } from './verdict.ts'

/** An alert by its name, and by those of its labels that matter. */
export interface WantedAlert {
  name: string
  labels?: Readonly<Record<string, string>>
}

const isMeant =
  ({ name, labels = {} }: WantedAlert) =>
  (alert: ActiveAlert): boolean =>
    alert.name === name && Object.entries(labels).every(([label, value]) => alert.labels[label] === value)

/** Whether an alert fires now. A name that no loaded rule has breaks the check, for it would never fire. */
export const fires = (prometheus: PrometheusApi, wanted: WantedAlert): Looker =>
  looker(prometheus, wanted, (found) => found.some(({ state }) => state === 'firing'))

/** Whether an alert is neither firing nor about to. A name that no loaded rule has breaks the check, for it would never be otherwise. */
export const isSilent = (prometheus: PrometheusApi, wanted: WantedAlert): Looker =>
  looker(prometheus, wanted, (found) => found.length === 0)

const looker =
  (
    prometheus: PrometheusApi,
    wanted: WantedAlert,
    judge: (found: readonly ActiveAlert[]) => boolean,
  ): Looker =>
  async (signal): Promise<Look> => {
    const [rules, alerts] = await Promise.all([prometheus.rules(signal), prometheus.alerts(signal)])
    const rule = rules.find(({ name }) => name === wanted.name)
    if (!rule) throw new CheckBroke(`Prometheus has no rule ${wanted.name}; it has ${names(rules)}.`)
    if (rule.error !== '') throw new CheckBroke(`The rule ${wanted.name} cannot be evaluated: ${rule.error}`)
    // A rule that was not evaluated yet is no silent one.
    if (rule.health !== 'ok') return { ok: false, seen: `${wanted.name} was not evaluated yet` }
    const found = alerts.filter(isMeant(wanted))
    return {
      ok: judge(found),
      seen:
        found.length === 0
          ? `${wanted.name} is silent; active: ${names(alerts)}`
          : found
              .map(({ name, state, annotations }) => `${name} ${state}: ${annotations['summary'] ?? ''}`)
              .join(', '),
    }
  }

const names = (all: readonly { name: string }[]): string =>
  [...new Set(all.map(({ name }) => name))].sort().join(', ') || 'none'
