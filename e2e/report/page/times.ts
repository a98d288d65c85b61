/** A moment as the page shows it: `2026-11-21 19:05:38 UTC`; text that is no moment stays as it is. */
export const moment = (iso: string): string =>
  Number.isNaN(Date.parse(iso)) ? iso : `${new Date(iso).toISOString().slice(0, 19).replace('T', ' ')} UTC`

/** Time of day, UTC, to the second: `19:05:38`. */
export const clock = (atMs: number): string => new Date(atMs).toISOString().slice(11, 19)

/** Time since the beginning as a watch shows it: `0:07`, `12:30`, `1:02:03`. */
export function elapsed(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60]
  const two = (value: number) => String(value).padStart(2, '0')
  return `${hours > 0 ? `${String(hours)}:${two(minutes)}` : String(minutes)}:${two(seconds % 60)}`
}
