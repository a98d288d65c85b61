/** Milliseconds as people read them: `0.4 s`, `12 s`, `2 min 05 s`, `1 h 02 min`. */
export function duration(ms: number): string {
  if (ms < 9_950) return `${(Math.max(0, ms) / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 60) return `${String(seconds)} s`
  const two = (number: number): string => String(number).padStart(2, '0')
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${String(minutes)} min ${two(seconds % 60)} s`
  return `${String(Math.floor(minutes / 60))} h ${two(minutes % 60)} min`
}
