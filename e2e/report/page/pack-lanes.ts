/** Something with a beginning and an end on one axis. */
export interface Span {
  from: number
  to: number
}

/** Puts each span into the first lane that is free at its beginning, in the order of beginnings: no two in a lane overlap. */
export function packLanes<Item extends Span>(spans: readonly Item[], gap = 0): Item[][] {
  const lanes: { items: Item[]; end: number }[] = []
  for (const span of [...spans].sort((a, b) => a.from - b.from)) {
    let lane = lanes.find(({ end }) => end <= span.from)
    if (!lane) lanes.push((lane = { items: [], end: 0 }))
    lane.items.push(span)
    lane.end = span.to + gap
  }
  return lanes.map(({ items }) => items)
}
