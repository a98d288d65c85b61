import { createHash } from 'node:crypto'
import type { KubeObject } from '../kube/client.ts'

/** Pod template annotation that changes when a ConfigMap of the same add-on changes. */
export const configDigestAnnotation = 'local-cloud.io/config-digest'

const workloads = new Set(['Deployment', 'DaemonSet', 'StatefulSet'])

interface PodSpec {
  volumes?: { configMap?: { name?: string } }[]
}

/**
 * Copies the objects; a workload that mounts ConfigMaps which are among them gets a digest of their contents as an
 * annotation of its pods, so that a changed configuration replaces the pods and an unchanged one changes nothing.
 */
export function withConfigDigests(objects: readonly KubeObject[]): KubeObject[] {
  const configMaps = new Map(
    objects
      .filter(({ kind }) => kind === 'ConfigMap')
      .map((object) => [key(object.metadata.namespace, object.metadata.name), object]),
  )
  return objects.map((object) => {
    if (!workloads.has(object.kind)) return object
    const copy = structuredClone(object)
    const template = (
      copy.spec as { template?: { metadata?: { annotations?: Record<string, string> }; spec?: PodSpec } }
    ).template
    const mounted = (template?.spec?.volumes ?? [])
      .map(({ configMap }) => configMaps.get(key(object.metadata.namespace, configMap?.name ?? '')))
      .filter((configMap) => configMap !== undefined)
    if (template === undefined || mounted.length === 0) return object
    template.metadata = {
      ...template.metadata,
      annotations: { ...template.metadata?.annotations, [configDigestAnnotation]: digest(mounted) },
    }
    return copy
  })
}

const key = (namespace: string | undefined, name: string): string => `${namespace ?? ''}/${name}`

function digest(configMaps: readonly KubeObject[]): string {
  const contents = configMaps
    .map((object) => [object.metadata.name, sorted(object.data), sorted(object.binaryData)])
    .sort(([left], [right]) => String(left).localeCompare(String(right)))
  return createHash('sha256').update(JSON.stringify(contents)).digest('hex').slice(0, 16)
}

function sorted(data: unknown): [string, unknown][] {
  return Object.entries((data ?? {}) as Record<string, unknown>).sort(([left], [right]) =>
    left < right ? -1 : 1,
  )
}
