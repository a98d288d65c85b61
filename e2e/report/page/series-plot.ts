import type { SeriesRecord } from '../../harness/record.ts'
import { lineWords, marksOf, number, pointsOf, sharedMarks, spanOf } from '../series-words.ts'
import { markup, type Markup } from './markup.ts'
import { packLanes } from './pack-lanes.ts'
import { valueTicks, timeTicks } from './ticks.ts'
import { clock, elapsed } from './times.ts'

/** What one test measured over time, with where it comes from. */
export interface PlacedSeries {
  series: readonly SeriesRecord[]
  test: { name: string; id: string }
}

/** Sizes in the units of the drawing; the page shows it at least 720 pixels wide and scrolls on smaller screens. */
const width = 1000
const left = 46
const right = 176
const panelHeight = 150
const panelGap = 46
const markHeight = 17
/** Average width of a letter at the size of the labels. */
const letter = 6.4
const plotWidth = width - left - right

/** Every plot: one figure for each test, one panel for each of its series, all panels of a figure over the same time. */
export function overTime(placed: readonly PlacedSeries[]): Markup | undefined {
  if (placed.length === 0) return undefined
  return markup`<section id="series"><h2>Over time</h2>
${placed.map(figure)}</section>`
}

function figure({ series, test }: PlacedSeries): Markup {
  const span = spanOf(series)
  const words = (from: number): Markup =>
    markup`<ul class="words">${series.flatMap(({ lines, marks, limits }) => [
      ...lines.map((line) => markup`<li>${lineWords(line, from)}</li>`),
      ...limits.map(({ name, value }) => markup`<li class="soft">${name}: ${number(value)}</li>`),
      ...marksOf({ marks }).map(
        ({ atMs, text }) => markup`<li class="soft">${elapsed(atMs - from)} ${text}</li>`,
      ),
    ])}</ul>`
  return markup`<figure class="card plot"><figcaption><b>${series.map(({ title }) => title).join(' · ')}</b>
<span class="soft">measured by <a href="#${test.id}">${test.name}</a></span></figcaption>
${span ? drawing(series, span) : markup`<p class="soft">Nothing was seen.</p>`}
<details><summary>the same in words</summary>${words(span?.from ?? 0)}</details></figure>
`
}

function drawing(series: readonly SeriesRecord[], { from, to }: { from: number; to: number }): Markup {
  const length = Math.max(to - from, 1000)
  const x = (at: number): number => left + ((at - from) / length) * plotWidth
  const { labels, height: top } = markLabels(series, x)
  const panels = series.map((one, index) => ({ one, y: top + 26 + index * (panelHeight + panelGap) }))
  const bottom = top + 26 + series.length * (panelHeight + panelGap) - panelGap
  const height = bottom + 44
  const name = series
    .map(({ title, lines }) => `${title}: ${lines.map((line) => lineWords(line, from)).join('; ')}`)
    .join('. ')
  return markup`<div class="scroll" tabindex="0" role="region" aria-label="plot"><svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${name}">
${sharedMarks(series).map(({ atMs }) => markup`<line class="mark" x1="${px(x(atMs))}" x2="${px(x(atMs))}" y1="${top}" y2="${bottom}"/>`)}${labels}
${panels.map(({ one, y }) => panel(one, y, x, from + length))}
${timeTicks(length, 9).map(
  (at) =>
    markup`<line class="tick" x1="${px(x(from + at))}" x2="${px(x(from + at))}" y1="${bottom}" y2="${bottom + 5}"/><text class="axis" text-anchor="middle" x="${px(x(from + at))}" y="${bottom + 18}">${elapsed(at)}</text><text class="axis faint" text-anchor="middle" x="${px(x(from + at))}" y="${bottom + 32}">${clock(from + at)}</text>`,
)}<text class="axis faint" x="${width - right + 34}" y="${bottom + 18}">min:s since the beginning</text><text class="axis faint" x="${width - right + 34}" y="${bottom + 32}">time of day, UTC</text>
</svg></div>`
}

/** Texts of the marks, in rows above the panels so that none covers another; those near the right end stand before their line. */
function markLabels(
  series: readonly SeriesRecord[],
  x: (at: number) => number,
): { labels: Markup[]; height: number } {
  const spans = sharedMarks(series).map(({ atMs, text }) => {
    const at = x(atMs)
    const long = Math.min(text.length, 60) * letter + 12
    const before = at + long > width && at - long > 0
    return { at, text, before, from: before ? at - long : at, to: before ? at : at + long }
  })
  const rows = packLanes(spans, 4)
  return {
    height: rows.length * markHeight,
    labels: rows.flatMap((row, index) =>
      row.map(({ at, text, before }) => {
        const y = index * markHeight
        return markup`<line class="mark" x1="${px(at)}" x2="${px(at)}" y1="${y + 3}" y2="${rows.length * markHeight}"/><text class="label" text-anchor="${before ? 'end' : 'start'}" x="${px(at + (before ? -5 : 5))}" y="${y + 13}">${cut(text, 60)}<title>${text}</title></text>`
      }),
    ),
  }
}

function panel(series: SeriesRecord, top: number, x: (at: number) => number, end: number): Markup {
  const values = [
    ...series.lines.flatMap((line) => pointsOf(line).map(([, value]) => value)),
    ...series.limits.map(({ value }) => value).filter(Number.isFinite),
  ]
  const whole = values.every((value) => Number.isInteger(value))
  const ticks = valueTicks(
    values.reduce((a, b) => Math.max(a, b), 0),
    5,
    whole,
  )
  const max = ticks.at(-1) ?? 1
  const low = values.reduce((a, b) => Math.min(a, b), 0)
  const y = (value: number): number => top + panelHeight - ((value - low) / (max - low)) * panelHeight
  return markup`<text class="heading" x="0" y="${top - 9}">${series.title} <tspan class="faint">(${series.unit})</tspan></text>
${ticks.map((value) => markup`<line class="grid" x1="${left}" x2="${width - right}" y1="${px(y(value))}" y2="${px(y(value))}"/><text class="axis" text-anchor="end" x="${left - 7}" y="${px(y(value) + 4)}">${number(value)}</text>`)}
${series.limits.filter(({ value }) => Number.isFinite(value)).map(({ value }) => markup`<line class="limit" x1="${left}" x2="${width - right}" y1="${px(y(value))}" y2="${px(y(value))}"/>`)}
${series.lines.map((line, index) => markup`<path class="line l${index % 6}" d="${path(line, x, y, end)}"><title>${line.name}</title></path>`)}
${endLabels(series, y, top)}`
}

/** Names of lines and limits beside the panel, at the height of where they end, pushed apart where they would cover each other. */
function endLabels(series: SeriesRecord, y: (value: number) => number, top: number): Markup[] {
  const wanted = [
    ...series.lines.flatMap((line, index) => {
      const last = pointsOf(line).at(-1)
      return last ? [{ text: line.name, className: `l${String(index % 6)}`, at: y(last[1]) }] : []
    }),
    ...series.limits.flatMap(({ name, value }) =>
      Number.isFinite(value) ? [{ text: `${name} ${number(value)}`, className: 'limit', at: y(value) }] : [],
    ),
  ].sort((a, b) => a.at - b.at)
  let free = top - 10
  const placed = wanted.map((label) => {
    const place = Math.max(label.at, free)
    free = place + 15
    return { ...label, place }
  })
  let lowest = top + panelHeight + 20
  for (const label of placed.reverse()) {
    label.place = Math.min(label.place, lowest)
    lowest = label.place - 15
  }
  const edge = width - right
  return placed.map(
    ({ text, className, at, place }) =>
      markup`<path class="leader ${className}" d="M${px(edge + 2)} ${px(at)}L${px(edge + 12)} ${px(place)}H${px(edge + 30)}"/><text class="label" x="${edge + 34}" y="${px(place + 4)}">${cut(text, 21)}<title>${text}</title></text>`,
  )
}

/** What holds its value goes on to the end; a lone sample is a dot. */
function path(
  line: SeriesRecord['lines'][number],
  x: (at: number) => number,
  y: (value: number) => number,
  end: number,
): string {
  const points = pointsOf(line)
  const [first, ...rest] = points
  if (first === undefined) return ''
  const step = line.step === true
  const moves = rest.map(([at, value]) =>
    step ? `H${px(x(at))}V${px(y(value))}` : `L${px(x(at))} ${px(y(value))}`,
  )
  return `M${px(x(first[0]))} ${px(y(first[1]))}${rest.length === 0 && !step ? 'h.01' : moves.join('')}${step ? `H${px(x(end))}` : ''}`
}

const px = (value: number): string => String(Math.round(value * 10) / 10)

const cut = (text: string, most: number): string =>
  text.length > most ? `${text.slice(0, most - 1)}…` : text
