import type { KubeObject } from '../kube/client.ts'

/** What only the server writes, and what differs between two looks at the same object. */
const serverFields = [
  'managedFields',
  'resourceVersion',
  'uid',
  'generation',
  'creationTimestamp',
  'deletionGracePeriodSeconds',
  'selfLink',
]
/** Bookkeeping of kubectl and of controllers. */
const noise = ['kubectl.kubernetes.io/last-applied-configuration', 'deployment.kubernetes.io/revision']
/** Labels by which the Job controller finds its pods; they hold the Job's uid. */
const jobLabels = [
  'controller-uid',
  'batch.kubernetes.io/controller-uid',
  'job-name',
  'batch.kubernetes.io/job-name',
]

type Fields = Record<string, unknown>

const without = (fields: Fields | undefined, names: readonly string[]): Fields | undefined => {
  const kept = Object.entries(fields ?? {}).filter(([name]) => !names.includes(name))
  return kept.length === 0 ? undefined : Object.fromEntries(kept)
}

const withoutEmpty = (fields: Fields): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))

/** An object as a person wrote it: without status and without what the server and its controllers add. `annotations` go as well. Pure. */
export function comparable(object: KubeObject, annotations: readonly string[]): Fields {
  const { metadata, status: _status, ...rest } = object as KubeObject & { status?: unknown }
  const clean = withoutEmpty({
    ...rest,
    metadata: withoutEmpty({
      ...without(metadata, serverFields),
      annotations: without(metadata.annotations, [...noise, ...annotations]),
      labels: without(metadata.labels, []),
    }),
  })
  return object.kind === 'Job' ? withoutJobController(clean) : clean
}

function withoutJobController(job: Fields): Fields {
  const { selector: _selector, template, ...spec } = (job['spec'] ?? {}) as Fields & { template?: Fields }
  const metadata = (template?.['metadata'] ?? {}) as Fields & { labels?: Fields }
  const labels = without(metadata.labels, jobLabels)
  const { labels: _labels, creationTimestamp: _created, ...more } = metadata
  return {
    ...job,
    spec: { ...spec, template: { ...template, metadata: withoutEmpty({ ...more, labels }) } },
  }
}

/**
 * The same two objects with the values of a Secret replaced by words that tell only whether they differ, as kubectl diff does.
 * Other kinds stay as they are. Pure.
 */
export function masked(
  before: Fields | undefined,
  after: Fields | undefined,
): [Fields | undefined, Fields | undefined] {
  if ((before ?? after)?.['kind'] !== 'Secret') return [before, after]
  const [one, other] = [{ ...before }, { ...after }]
  for (const part of ['data', 'stringData']) {
    const [old, now] = [one[part] as Fields | undefined, other[part] as Fields | undefined]
    const mask = (own: Fields | undefined, theirs: Fields | undefined, word: string): Fields | undefined =>
      own &&
      Object.fromEntries(
        Object.entries(own).map(([key, value]) => {
          const differs = theirs !== undefined && Object.hasOwn(theirs, key) && theirs[key] !== value
          return [key, differs ? `*** (${word})` : '***']
        }),
      )
    if (old) one[part] = mask(old, now, 'before')
    if (now) other[part] = mask(now, old, 'after')
  }
  return [before && one, after && other]
}
