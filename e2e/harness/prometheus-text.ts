/** One line of a metric: `name{labels} value`. */
export interface MetricSample {
  name: string
  labels: Record<string, string>
  value: number
}

export interface MetricFamily {
  name: string
  type: 'counter' | 'gauge' | 'histogram' | 'summary' | 'untyped'
  help: string
  samples: MetricSample[]
}

const types = new Set(['counter', 'gauge', 'histogram', 'summary', 'untyped'])
const metricName = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const sampleLine = new RegExp(`^(${metricName})(?:\\{(.*)\\})? (\\S+)(?: -?\\d+)?$`)
const suffixes: Record<string, readonly string[]> = {
  histogram: ['_bucket', '_sum', '_count'],
  summary: ['', '_sum', '_count'],
}

/**
 * Reads the text format of Prometheus, version 0.0.4, strictly: every sample stands below the TYPE of its family, no family and no series
 * comes twice, counters are not negative, the buckets of a histogram do not shrink and end with +Inf equal to the count, and the text ends
 * with a line feed. Families by name.
 * @throws Error with the number of the line for anything else
 */
export function parsePrometheusText(text: string): Map<string, MetricFamily> {
  const families = new Map<string, MetricFamily>()
  const helps = new Map<string, string>()
  const series = new Set<string>()
  let family: MetricFamily | undefined
  if (!text.endsWith('\n')) throw new Error('the last line does not end with a line feed')
  for (const [index, line] of text.slice(0, -1).split('\n').entries()) {
    const bad = (why: string): Error => new Error(`line ${String(index + 1)}: ${why}: ${line.slice(0, 120)}`)
    if (line === '') continue
    if (line.startsWith('#')) {
      const [, kind, name = '', rest = ''] =
        new RegExp(`^# (HELP|TYPE) (${metricName}) ?(.*)$`).exec(line) ?? []
      if (kind === undefined) {
        if (/^# ?(HELP|TYPE)\b/.test(line)) throw bad('no metric name')
        continue
      }
      if (kind === 'HELP') {
        if (helps.has(name)) throw bad('a second HELP')
        helps.set(name, rest)
        continue
      }
      if (!types.has(rest)) throw bad('an unknown type')
      if (families.has(name)) throw bad('a second TYPE')
      family = { name, type: rest as MetricFamily['type'], help: helps.get(name) ?? '', samples: [] }
      families.set(name, family)
      continue
    }
    const [, name, labelText = '', valueText = ''] = sampleLine.exec(line) ?? []
    if (name === undefined) throw bad('neither a comment nor a sample')
    const owner = family
    if (
      owner === undefined ||
      !(suffixes[owner.type] ?? ['']).some((suffix) => name === `${owner.name}${suffix}`)
    )
      throw bad('a sample outside of its family')
    const labels = readLabels(labelText)
    if (labels === undefined) throw bad('labels that cannot be read')
    const value = readValue(valueText)
    if (value === undefined) throw bad('no number')
    if (owner.type === 'counter' && !(value >= 0)) throw bad('a negative counter')
    const key = `${name} ${JSON.stringify(Object.entries(labels).sort(([a], [b]) => a.localeCompare(b)))}`
    if (series.has(key)) throw bad('the same series again')
    series.add(key)
    owner.samples.push({ name, labels, value })
  }
  for (const one of families.values()) if (one.type === 'histogram') checkHistogram(one)
  return families
}

/** Sum of the samples of a metric whose labels include the given ones; 0 when there is none. */
export function sumOf(
  families: ReadonlyMap<string, MetricFamily>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  return (families.get(name)?.samples ?? [])
    .filter((sample) => Object.entries(labels).every(([key, value]) => sample.labels[key] === value))
    .reduce((sum, { value }) => sum + value, 0)
}

function readValue(text: string): number | undefined {
  const special: Record<string, number> = { NaN: Number.NaN, '+Inf': Infinity, '-Inf': -Infinity }
  if (text in special) return special[text]
  return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) ? Number(text) : undefined
}

function readLabels(text: string): Record<string, string> | undefined {
  const labels: Record<string, string> = {}
  const label = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\[\\"n])*)"(,|$)/y
  while (label.lastIndex < text.length) {
    const [, name = '', value = ''] = label.exec(text) ?? []
    if (name === '' || name in labels) return undefined
    labels[name] = value.replaceAll(/\\([\\"n])/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped))
  }
  return labels
}

function checkHistogram({ name, samples }: MetricFamily): void {
  const groups = new Map<string, MetricSample[]>()
  const keyOf = ({ labels: { le: _, ...rest } }: MetricSample): string => JSON.stringify(rest)
  for (const sample of samples) groups.set(keyOf(sample), [...(groups.get(keyOf(sample)) ?? []), sample])
  for (const [labels, group] of groups) {
    const buckets = group.filter((sample) => sample.name === `${name}_bucket`)
    const count = group.find((sample) => sample.name === `${name}_count`)?.value
    const shrinks = buckets.some(({ value }, index) => index > 0 && value < (buckets[index - 1]?.value ?? 0))
    const last = buckets.at(-1)
    if (shrinks || last?.labels['le'] !== '+Inf' || last.value !== count)
      throw new Error(`the histogram ${name}${labels} is not whole`)
  }
}
