import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { idOf, podSpecOf } from './manifest.ts'

/** A value that two renderings do not have in common. */
export interface Difference {
  /** `Kind/name`. */
  object: string
  /**
   * The way to the value, keys joined by spaces. `pod` stands for the pod specification of a workload, whatever its kind; an item of a
   * list goes by its name, or by its position where it has none. `object` where one side lacks the whole object.
   */
  field: string
  base: string | undefined
  other: string | undefined
}

/** All values in which the objects differ, in order; a missing one is undefined. */
export function differences(base: readonly KubeObject[], other: readonly KubeObject[]): Difference[] {
  const [left, right] = [base, other].map((manifests) => new Map(manifests.map((one) => [idOf(one), one])))
  const ids = [...new Set([...(left?.keys() ?? []), ...(right?.keys() ?? [])])].sort()
  return ids.flatMap((object) => {
    const [mine, theirs] = [left?.get(object), right?.get(object)]
    if (mine === undefined || theirs === undefined) {
      const there = (manifest: KubeObject | undefined) => (manifest === undefined ? undefined : 'there')
      return [{ object, field: 'object', base: there(mine), other: there(theirs) }]
    }
    const [before, after] = [valuesOf(mine), valuesOf(theirs)]
    return [...new Set([...before.keys(), ...after.keys()])]
      .filter((field) => before.get(field) !== after.get(field))
      .map((field) => ({ object, field, base: before.get(field), other: after.get(field) }))
  })
}

/** Every single value of an object by its way, see `Difference.field`. */
export function valuesOf(manifest: KubeObject): Map<string, string> {
  const pod = podSpecOf(manifest)
  const values = new Map<string, string>()
  const walk = (value: unknown, path: readonly string[]): void => {
    if (typeof value !== 'object' || value === null) {
      values.set(path.join(' '), String(value))
      return
    }
    if (value === pod && path.join() !== 'pod') {
      walk(value, ['pod'])
      return
    }
    const entries = Array.isArray(value)
      ? value.map((item: unknown, index): [string, unknown] => [nameOf(item) ?? String(index), item])
      : Object.entries(value)
    for (const [key, item] of entries) walk(item, [...path, key])
  }
  walk(manifest, [])
  return values
}

function nameOf(item: unknown): string | undefined {
  const name = (item as { name?: unknown } | null | undefined)?.name
  return typeof name === 'string' ? name : undefined
}
