const second = 1000
const minute = 60 * second
/** Distances that people count in; longer ones are whole hours. */
const timeSteps = [1, 2, 5, 10, 15, 30].flatMap((n) => [n * second, n * minute]).sort((a, b) => a - b)

/** Moments at which to mark a time axis of this length, milliseconds from its beginning, at most `most` of them. */
export function timeTicks(lengthMs: number, most: number): number[] {
  const hour = 60 * minute
  const step =
    timeSteps.find((candidate) => lengthMs / candidate < most) ??
    Math.max(1, Math.ceil(lengthMs / (most * hour))) * hour
  return multiples(step, lengthMs)
}

/** Round values from 0 to at least `max`, about `most` of them; `whole` for what comes in pieces. */
export function valueTicks(max: number, most: number, whole: boolean): number[] {
  if (!(max > 0)) return [0, 1]
  const rough = max / most
  const power = 10 ** Math.floor(Math.log10(rough))
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power >= rough * (1 - 1e-9)) ?? 10
  const step = whole ? Math.max(1, Math.round(factor * power)) : factor * power
  return multiples(step, Math.ceil(max / step - 1e-9) * step)
}

const multiples = (step: number, end: number): number[] =>
  Array.from({ length: Math.floor(end / step + 1e-9) + 1 }, (_, index) => index * step)
