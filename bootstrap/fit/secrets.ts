import type { KubeObject } from '../kube/client.ts'
import { containersOf, listOf, podTemplateOf, type Reference } from '../manifests/pod-template.ts'

/** A Secret that pods cannot start without and that the objects do not bring. */
export interface NeededSecret {
  namespace: string
  name: string
  /** Keys that pods read one by one. */
  keys: string[]
  /** Who names it: `Deployment slate/slate-dashboard`. */
  by: string[]
}

/** Secrets that pods of these objects name, but for optional ones and those that are among the objects. Pure. */
export function neededSecrets(objects: readonly KubeObject[]): NeededSecret[] {
  const rendered = new Set(
    objects
      .filter(({ kind }) => kind === 'Secret')
      .map(({ metadata }) => `${metadata.namespace ?? ''}/${metadata.name}`),
  )
  const needed = new Map<string, NeededSecret>()
  for (const object of objects) {
    const { namespace = '' } = object.metadata
    for (const { name, key } of references(object)) {
      const path = `${namespace}/${name}`
      if (rendered.has(path)) continue
      const entry = needed.get(path) ?? { namespace, name, keys: [], by: [] }
      needed.set(path, entry)
      const by = `${object.kind} ${namespace === '' ? '' : `${namespace}/`}${object.metadata.name}`
      if (!entry.by.includes(by)) entry.by.push(by)
      if (key !== undefined && !entry.keys.includes(key)) entry.keys.push(key)
    }
  }
  return [...needed.values()]
}

function references(object: KubeObject): { name: string; key?: string }[] {
  const template = podTemplateOf(object)
  if (!template) return []
  const named = (reference: Reference | undefined, keys: (string | undefined)[] = []) => {
    const { name, optional } = reference ?? {}
    if (name === undefined || optional === true) return []
    const given = keys.filter((key) => key !== undefined)
    return given.length === 0 ? [{ name }] : given.map((key) => ({ name, key }))
  }
  const volumes = listOf(template.spec.volumes).flatMap(({ secret, projected }) => [
    ...named(
      secret?.secretName === undefined
        ? undefined
        : { name: secret.secretName, optional: secret.optional === true },
      listOf(secret?.items).map(({ key }) => key),
    ),
    ...listOf(projected?.sources).flatMap((source) =>
      named(
        source.secret,
        listOf(source.secret?.items).map(({ key }) => key),
      ),
    ),
  ])
  const containers = containersOf(template).flatMap(({ container }) => [
    ...listOf(container.env).flatMap(({ valueFrom }) =>
      named(valueFrom?.secretKeyRef, [valueFrom?.secretKeyRef?.key]),
    ),
    ...listOf(container.envFrom).flatMap(({ secretRef }) => named(secretRef)),
  ])
  return [...volumes, ...containers]
}
