import type { KubeObject } from '../kube/client.ts'
import type { AddonVariables } from './addon-variables.ts'

const reference = /\$(\$?)\(([A-Z][A-Z0-9_]*)\)/g
const wholeReference = /^\$\(([A-Z][A-Z0-9_]*)\)$/

/** Where a variable that nobody defines is used. */
export interface UnknownVariable {
  variable: string
  /** `ConfigMap cilium-config: data.cgroup-root` */
  place: string
}

/**
 * Copies the objects with every `$(NAME)` in their string values replaced. `$$(NAME)` becomes `$(NAME)`, which Kubernetes
 * itself expands in a container's command and environment. Unknown names are left in place and listed.
 */
export function substituteVariables(
  objects: readonly KubeObject[],
  variables: AddonVariables,
): { objects: KubeObject[]; unknown: UnknownVariable[] } {
  const values = new Map<string, string | number>(Object.entries(variables))
  const unknown: UnknownVariable[] = []

  const text = (value: string, place: string): string | number => {
    const whole = wholeReference.exec(value)?.[1]
    const wholeValue = whole === undefined ? undefined : values.get(whole)
    if (typeof wholeValue === 'number') return wholeValue
    return value.replace(reference, (match, escape: string, name: string) => {
      if (escape !== '') return `$(${name})`
      const known = values.get(name)
      if (known === undefined) unknown.push({ variable: name, place })
      return known === undefined ? match : String(known)
    })
  }

  const copy = (value: unknown, owner: string, path: string): unknown => {
    if (typeof value === 'string') return text(value, `${owner}: ${path}`)
    if (Array.isArray(value))
      return value.map((item, index) => copy(item, owner, `${path}[${String(index)}]`))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [
        key,
        copy(item, owner, path === '' ? key : `${path}.${key}`),
      ]),
    )
  }

  return {
    objects: objects.map(
      (object) => copy(object, `${object.kind} ${object.metadata.name}`, '') as KubeObject,
    ),
    unknown,
  }
}
