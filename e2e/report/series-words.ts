import type { SeriesRecord } from '../harness/record.ts'
import { elapsed } from './page/times.ts'

type Line = SeriesRecord['lines'][number]

/** Changes that one description names; the rest is counted. */
const namedChanges = 12

/** Points of a line that can be drawn, in the order of time. */
export const pointsOf = ({ points }: Line): [atMs: number, value: number][] =>
  points.filter(([at, value]) => isMoment(at) && Number.isFinite(value)).sort(([a], [b]) => a - b)

/** Marks that have a place on the line of time. */
export const marksOf = ({ marks }: Pick<SeriesRecord, 'marks'>): SeriesRecord['marks'] =>
  marks.filter(({ atMs }) => isMoment(atMs))

/** The marks of several series that share a line of time, each once. */
export const sharedMarks = (series: readonly Pick<SeriesRecord, 'marks'>[]): SeriesRecord['marks'] => [
  ...new Map(series.flatMap(marksOf).map((mark) => [`${String(mark.atMs)} ${mark.text}`, mark])).values(),
]

/** Whether a Date can hold it: a hundred million days around the epoch. */
const isMoment = (atMs: number): boolean => Math.abs(atMs) <= 8.64e15

/** First and last moment of several series, milliseconds since the epoch; undefined when nothing happened in them. */
export function spanOf(series: readonly SeriesRecord[]): { from: number; to: number } | undefined {
  const moments = series.flatMap(({ lines, marks }) => [
    ...lines.flatMap((line) => pointsOf(line).map(([at]) => at)),
    ...marksOf({ marks }).map(({ atMs }) => atMs),
  ])
  const first = moments[0]
  if (first === undefined) return undefined
  return moments.reduce(({ from, to }, at) => ({ from: Math.min(from, at), to: Math.max(to, at) }), {
    from: first,
    to: first,
  })
}

/** A line in words; what holds its value tells its changes, another one its range. Times count from `from`. */
export function lineWords(line: Line, from: number): string {
  const points = pointsOf(line)
  const first = points[0]
  const last = points.at(-1)
  if (first === undefined || last === undefined) return `${line.name}: nothing was seen`
  const values = points.map(([, value]) => value)
  if (line.step !== true) {
    const [low, high] = [Math.min(...values), Math.max(...values)]
    return `${line.name}: ${String(points.length)} values from ${number(low)} to ${number(high)}, at last ${number(last[1])}`
  }
  const changes = points.filter(([, value], index) => index > 0 && value !== points[index - 1]?.[1])
  if (changes.length === 0) return `${line.name}: ${number(first[1])} all the time`
  const more = changes.length - namedChanges
  return `${line.name}: ${number(first[1])}${changes
    .slice(0, namedChanges)
    .map(([at, value]) => ` → ${number(value)} at ${elapsed(at - from)}`)
    .join('')}${more > 0 ? ` and ${String(more)} more, at last ${number(last[1])}` : ''}`
}

/** A number of at most two decimals. */
export const number = (value: number): string => String(Math.round(value * 100) / 100)
