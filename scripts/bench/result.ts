import type { Spread } from './statistics.ts'

/**
 * Everything that is measured, in the order of the table: milliseconds, or bytes where the row says so. `target` from the design or the issue that asks for it;
 * absent where there is none.
 */
export const measures = {
  help: { title: '`up --help`', target: 200 },
  apiHealthy: { title: '`up`, images present: API healthy', target: 10_000 },
  nodeReady: { title: '`up`, images present: node Ready', target: 22_000 },
  addonsProven: { title: '`up`, images present: every add-on proven', target: 60_000 },
  systemReady: { title: '`up`, images present: SLATE ready', target: 120_000 },
  up: { title: '`up`, images present: the whole command' },
  noop: { title: '`up` again, nothing to do', target: 3_000 },
  down: { title: '`down`, checked that nothing is left', target: 10_000 },
  gpuAllocatable: { title: '`up --gpu=mock`: API healthy to GPUs allocatable', target: 10_000 },
  gpuFreed: { title: 'GPU freed to the next pod running (mock)', target: 2_000 },
  k3sNodeReady: { title: '`up --provider k3s`: node Ready' },
  k3sSystemReady: { title: '`up --provider k3s`: SLATE ready' },
  k3sDown: { title: '`down` of it' },
  ephemeralReady: { title: '`startEphemeralCluster()`: node Ready, no policies', target: 5_000 },
  ephemeralPod: { title: 'its first pod running' },
  ephemeralStop: { title: 'its `stop()`', target: 1_000 },
  ephemeralCiliumReady: { title: '`startEphemeralCluster()` with Cilium: node Ready', target: 15_000 },
  ephemeralCilium: { title: 'the same, Cilium proven' },
  ephemeralFour: { title: 'four of them at once, bare' },
  ephemeralSlate: { title: '`startEphemeralCluster()` with SLATE, proven' },
  ephemeralMemoryBytes: { title: 'memory of a bare one', unit: 'bytes' },
  nodeImageBytes: { title: 'node image of both providers', unit: 'bytes' },
  plainApiHealthy: { title: 'plain kind, same image: API healthy' },
  plainNodeReady: { title: 'plain kind: node Ready' },
  plainAddonsAvailable: { title: 'plain kind: add-ons available (not proven)' },
  plainSystemReady: { title: 'plain kind: SLATE ready' },
  plainDown: { title: '`kind delete cluster`' },
} as const satisfies Record<string, Row>

interface Row {
  title: string
  target?: number
  unit?: 'bytes'
}

export type Measure = keyof typeof measures

/** What docs/bench.json holds; durations in milliseconds, sizes in bytes. */
export interface BenchResult {
  format: 'local-cloud-bench/1'
  measuredAt: string
  runs: number
  machine: { cores: number; memoryGiB: number; kernel: string; node: string; cpu: string }
  engine: string
  kubernetes: string
  images: { source: string; why: string }
  measures: Partial<Record<Measure, Spread>>
}

/** The result as the README shows it. */
export function table(result: BenchResult): string {
  const { machine } = result
  const rows = (Object.keys(measures) as Measure[]).flatMap((key) => {
    const seen = result.measures[key]
    if (!seen) return []
    const row: Row = measures[key]
    const words = row.unit === 'bytes' ? mebibytes : seconds
    const target = row.target === undefined ? '' : words(row.target)
    return [
      [row.title, words(seen.median), `${words(seen.min)} – ${words(seen.max)}`, String(seen.n), target],
    ]
  })
  return [
    ...markdownTable(['what', 'median', 'least – most', 'n', 'target'], rows),
    '',
    `Measured on ${result.measuredAt.slice(0, 10)}: ${String(machine.cores)} cores (${machine.cpu}), ${machine.memoryGiB.toFixed(0)} GiB, Linux ${machine.kernel}, ${result.engine}, Kubernetes ${result.kubernetes}, images from ${result.images.source}. The raw figures: [docs/bench.json](docs/bench.json).`,
  ].join('\n')
}

/** One measured value with its title, for people who wait. */
export const rowWords = (key: Measure, value: number): string => {
  const row: Row = measures[key]
  return `${row.title}: ${row.unit === 'bytes' ? mebibytes(value) : `${(value / 1000).toFixed(2)} s`}`
}

const seconds = (ms: number): string =>
  ms < 1_000 ? `${(ms / 1_000).toFixed(2)} s` : `${(ms / 1_000).toFixed(1)} s`

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`

/** A Markdown table with padded columns, as Prettier leaves it. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((title, column) =>
    Math.max(3, title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)]
}

/**
 * Replaces what stands between `<!-- NAME:start -->` and `<!-- NAME:end -->`.
 * @throws Error when the text has no such place
 */
export function replaceBetween(text: string, name: string, content: string): string {
  const start = `<!-- ${name}:start -->`
  const end = `<!-- ${name}:end -->`
  const from = text.indexOf(start)
  const to = text.indexOf(end)
  if (from === -1 || to < from) throw new Error(`there is no place between ${start} and ${end}`)
  return `${text.slice(0, from + start.length)}\n\n${content}\n\n${text.slice(to)}`
}
