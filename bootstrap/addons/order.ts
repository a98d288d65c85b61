import type { Addon } from './addon.ts'
import { badAddon } from './addon-file.ts'

/**
 * Orders add-ons so that each comes after those it needs; otherwise by name.
 * @throws LocalCloudError BAD_ADDON when one needs an add-on that does not exist, or several need each other in a circle
 */
export function orderAddons<T extends Pick<Addon, 'name' | 'needs'>>(addons: readonly T[]): T[] {
  const waiting = new Map(
    addons.toSorted((left, right) => (left.name < right.name ? -1 : 1)).map((addon) => [addon.name, addon]),
  )
  const known = new Set(waiting.keys())
  const ordered: T[] = []
  const done = new Set<string>()
  for (const addon of waiting.values()) {
    const unknown = addon.needs.find((need) => !known.has(need))
    if (unknown !== undefined)
      throw badAddon(`${addon.name}/addon.yaml`, 'needs', `there is no add-on ${unknown}`)
  }
  while (waiting.size > 0) {
    const next = [...waiting.values()].find(({ needs }) => needs.every((need) => done.has(need)))
    if (next === undefined) {
      const [first = ''] = waiting.keys()
      throw badAddon(
        `${first}/addon.yaml`,
        'needs',
        `goes round in a circle: ${[...waiting.keys()].join(', ')}`,
      )
    }
    waiting.delete(next.name)
    done.add(next.name)
    ordered.push(next)
  }
  return ordered
}
