import type { KubeObject } from '../../bootstrap/kube/client.ts'

/** `Kind/name`: how facts and violations name an object. */
export function idOf(manifest: KubeObject): string {
  return `${manifest.kind}/${manifest.metadata.name}`
}

/** What stands under the keys, or undefined where one is missing. */
export function at(value: unknown, ...keys: (string | number)[]): unknown {
  return keys.reduce<unknown>(
    (seen, key) =>
      typeof seen === 'object' && seen !== null ? (seen as Record<string | number, unknown>)[key] : undefined,
    value,
  )
}

/** The list under the keys; empty where there is none. */
export function listAt(value: unknown, ...keys: (string | number)[]): unknown[] {
  const seen = at(value, ...keys)
  return Array.isArray(seen) ? seen : []
}

/** The text under the keys; empty where there is none. */
export function textAt(value: unknown, ...keys: (string | number)[]): string {
  const seen = at(value, ...keys)
  return typeof seen === 'string' || typeof seen === 'number' ? String(seen) : ''
}

/** The pod specification of a workload. */
export function podSpecOf(manifest: KubeObject): unknown {
  return at(manifest, 'spec', 'template', 'spec')
}
