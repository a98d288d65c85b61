import { lastRuns } from '../health/job-health.ts'
import type { SystemHealth } from '../steps/system-health.ts'
import { textTable } from './text-table.ts'

type Rows = string[][]

/** The health of the systems as tables, one a kind; kinds of which there is nothing are left out. */
export async function healthTables(health: SystemHealth): Promise<string[]> {
  const at = ({ namespace, name }: { namespace: string; name: string }): string => `${namespace}/${name}`
  const services: Rows = health.services.map((service) => [
    at(service),
    service.ports.join(', '),
    `${String(service.ready)} of ${String(service.total)}`,
    service.pods
      .map(({ name, ready, restarts, words }) => {
        const restarted = restarts === 0 ? '' : `, ${String(restarts)} restarts`
        return `${name} ${ready ? 'ready' : words}${restarted}`
      })
      .join('; '),
  ])
  const autoscalers: Rows = health.autoscalers.map((one) => [
    at(one),
    one.target,
    `${String(one.current)}${one.desired === one.current ? '' : ` → ${String(one.desired)}`}`,
    `${String(one.min)} to ${String(one.max)}`,
    [
      ...one.metrics.map(({ name, current, target }) => `${name} ${current} of ${target}`),
      ...(one.trouble === undefined ? [] : [one.trouble]),
    ].join('; '),
  ])
  const cronJobs: Rows = health.cronJobs.map((one) => [
    at(one),
    `${one.schedule}${one.timeZone === undefined ? '' : ` ${one.timeZone}`}`,
    one.suspended ? 'suspended' : one.active > 0 ? `${String(one.active)} running` : 'waiting',
    one.lastScheduled ?? 'never',
    one.lastSucceeded ?? 'never',
  ])
  const jobs: Rows = lastRuns(health.jobs).map((one) => [
    at(one),
    one.by ?? '',
    one.state,
    one.ended ?? one.started ?? '',
    one.words,
  ])
  const claims: Rows = health.claims.map((one) => [
    at(one),
    one.phase,
    one.size,
    one.storageClass === '' ? 'none' : one.storageClass,
    one.volume ?? '',
  ])
  const tables: [string[], Rows][] = [
    [['service', 'ports', 'endpoints ready', 'pods'], services],
    [['autoscaler', 'scales', 'replicas', 'range', 'metrics'], autoscalers],
    [['schedule', 'when', 'state', 'last scheduled', 'last success'], cronJobs],
    [['job', 'of', 'state', 'at', 'how'], jobs],
    [['claim', 'phase', 'size', 'class', 'volume'], claims],
  ]
  return Promise.all(
    tables.filter(([, rows]) => rows.length > 0).map(([head, rows]) => textTable(head, rows)),
  )
}
