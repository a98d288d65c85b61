import type { KubeObject } from '../../bootstrap/kube/client.ts'

/**
 * How two renderings of a system differ, a line for every value: `Deployment/ollama in slate: spec.replicas: 1 in kustomize, 2 in the
 * chart`.
 *
 * Three things do not count, because the API server makes nothing of them either: the order of the objects, the order of the keys of a map,
 * and the order of the variables in `env` (whose merge key is the name; a kustomize patch moves what it changes to the front). An `env`
 * in which the order does mean something, because a value refers to another variable as `$(NAME)`, counts as it is. Everything else
 * counts: the order of other lists, and the difference between an absent field and an empty one.
 */
export function disparities(kustomize: readonly KubeObject[], chart: readonly KubeObject[]): string[] {
  const [left, right] = [byName(kustomize, 'kustomize'), byName(chart, 'the chart')]
  return [...new Set([...left.keys(), ...right.keys()])].sort().flatMap((name) => {
    const [ours, theirs] = [left.get(name), right.get(name)]
    if (ours === undefined) return [`${name}: only in the chart`]
    if (theirs === undefined) return [`${name}: only in kustomize`]
    return compare(ours, theirs, []).map((line) => `${name}: ${line}`)
  })
}

/** @throws Error for two objects of one name in one rendering, of which one would go unseen */
function byName(objects: readonly KubeObject[], where: string): Map<string, KubeObject> {
  const names = objects.map(nameOf)
  const twice = names.filter((name, at) => names.indexOf(name) !== at)
  if (twice.length > 0) throw new Error(`twice in ${where}: ${twice.join(', ')}`)
  return new Map(objects.map((object) => [nameOf(object), object]))
}

function nameOf({ apiVersion, kind, metadata }: KubeObject): string {
  const namespace = metadata.namespace === undefined ? '' : ` in ${metadata.namespace}`
  return `${apiVersion} ${kind}/${metadata.name}${namespace}`
}

function compare(ours: unknown, theirs: unknown, path: readonly string[]): string[] {
  if (isMap(ours) && isMap(theirs)) {
    return [...new Set([...Object.keys(ours), ...Object.keys(theirs)])]
      .sort()
      .flatMap((key) => compare(ours[key], theirs[key], [...path, key]))
  }
  if (Array.isArray(ours) && Array.isArray(theirs)) {
    const [left, right] = path.at(-1) === 'env' ? [byVariable(ours), byVariable(theirs)] : [ours, theirs]
    if (isMap(left) && isMap(right)) return compare(left, right, path)
    if (ours.length === theirs.length) {
      return ours.flatMap((item, at) => compare(item, theirs[at], [...path, String(at)]))
    }
  }
  if (JSON.stringify(ours) === JSON.stringify(theirs)) return []
  return [`${path.map(shown).join('.')}: ${told(ours)} in kustomize, ${told(theirs)} in the chart`]
}

/** The variables by name, or the list as it is when its order means something. */
function byVariable(env: readonly unknown[]): unknown {
  const named = env.map((one) => [isMap(one) ? String(one['name']) : '', one] as const)
  const ordered = new Set(named.map(([name]) => name)).size < env.length || JSON.stringify(env).includes('$(')
  return ordered ? env : Object.fromEntries(named)
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const shown = (key: string): string => (key.includes('.') ? `[${key}]` : key)

const told = (value: unknown): string => (value === undefined ? 'nothing' : JSON.stringify(value))
