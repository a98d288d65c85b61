/** Milliseconds of one thing, measured `n` times. */
export interface Spread {
  median: number
  min: number
  max: number
  n: number
}

/** Median (the mean of the middle two for an even number), least and most. @throws RangeError for no values */
export function spread(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError('a spread of no values')
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  const upper = sorted[Math.floor(middle)] ?? 0
  const lower = sorted[Math.ceil(middle) - 1] ?? 0
  return {
    median: Math.round((upper + lower) / 2),
    min: Math.round(sorted[0] ?? 0),
    max: Math.round(sorted.at(-1) ?? 0),
    n: sorted.length,
  }
}
