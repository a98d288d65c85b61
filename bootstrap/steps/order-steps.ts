import { LocalCloudError } from '../errors/local-cloud-error.ts'

interface Node {
  id: string
  needs: readonly string[]
}

/**
 * The steps in an order in which each comes after all that it needs; otherwise the given order is kept.
 * @throws LocalCloudError INTERNAL for a repeated id, a need that is no step, and a circle (named in the message).
 */
export function orderSteps<S extends Node>(steps: readonly S[]): S[] {
  const byId = new Map<string, S>()
  for (const step of steps) {
    if (byId.has(step.id)) throw internal(`Two steps have the id ${step.id}.`)
    byId.set(step.id, step)
  }
  const ordered = new Set<S>()
  const visit = (step: S, path: readonly string[]): void => {
    if (ordered.has(step)) return
    if (path.includes(step.id)) {
      throw internal(
        `Steps need each other in a circle: ${[...path.slice(path.indexOf(step.id)), step.id].join(' → ')}.`,
      )
    }
    for (const need of step.needs) {
      const needed = byId.get(need)
      if (!needed) throw internal(`The step ${step.id} needs ${need}, which is no step.`)
      visit(needed, [...path, step.id])
    }
    ordered.add(step)
  }
  for (const step of steps) visit(step, [])
  return [...ordered]
}

const internal = (message: string): LocalCloudError => new LocalCloudError('INTERNAL', { message })
