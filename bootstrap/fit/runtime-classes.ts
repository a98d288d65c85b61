import type { KubeObject } from '../kube/client.ts'
import { podTemplateOf } from '../manifests/pod-template.ts'

/** A RuntimeClass that pods name and that the objects do not bring: the API server refuses those pods. */
export interface NeededRuntimeClass {
  name: string
  /** Who names it: `Deployment agents/orchestrator`. */
  by: string[]
}

/** Names of the RuntimeClasses among these objects. Pure. */
export const runtimeClassesAmong = (objects: readonly KubeObject[]): string[] =>
  objects.flatMap(({ kind, metadata }) => (kind === 'RuntimeClass' ? [metadata.name] : []))

/** RuntimeClasses that pods of these objects name, but for those that are among the objects. Pure. */
export function neededRuntimeClasses(objects: readonly KubeObject[]): NeededRuntimeClass[] {
  const brought = new Set(runtimeClassesAmong(objects))
  const needed = new Map<string, NeededRuntimeClass>()
  for (const object of objects) {
    const name = podTemplateOf(object)?.spec.runtimeClassName
    if (name === undefined || brought.has(name)) continue
    const entry = needed.get(name) ?? { name, by: [] }
    needed.set(name, entry)
    const { namespace } = object.metadata
    entry.by.push(`${object.kind} ${namespace === undefined ? '' : `${namespace}/`}${object.metadata.name}`)
  }
  return [...needed.values()]
}
