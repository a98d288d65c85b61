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

/** The pod template of a workload: a CronJob's is that of its jobs. Undefined for kinds that make no pods. */
export function podTemplateOf(manifest: KubeObject): unknown {
  return manifest.kind === 'CronJob'
    ? at(manifest, 'spec', 'jobTemplate', 'spec', 'template')
    : at(manifest, 'spec', 'template')
}

/** The pod specification of a workload. */
export function podSpecOf(manifest: KubeObject): unknown {
  return at(podTemplateOf(manifest), 'spec')
}

/** All containers of a workload, init containers first. */
export function containersOf(manifest: KubeObject): unknown[] {
  const pod = podSpecOf(manifest)
  return [...listAt(pod, 'initContainers'), ...listAt(pod, 'containers')]
}

/** The container that does the workload's work; every pod of SLATE has one. */
export function mainContainerOf(manifest: KubeObject): unknown {
  return at(podSpecOf(manifest), 'containers', 0)
}

/** Of an object's fields those that are named and there. */
export function pick(value: unknown, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    keys.flatMap((key) => {
      const seen = at(value, key)
      return seen === undefined ? [] : [[key, seen]]
    }),
  )
}
