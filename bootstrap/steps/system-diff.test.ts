import { describe, expect, it } from 'vitest'
import type { ConnectedKube, KubeObject, ObjectRef, Rehearsal } from '../kube/client.ts'
import { canonicalHash } from '../plan/plan.ts'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { refKey, refOf, stamp } from './objects.ts'
import { systemDiff, type SystemDiff } from './system-diff.ts'

const object = (kind: string, name: string, fields: object = {}, apiVersion = 'v1'): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name, ...(kind === 'Namespace' ? {} : { namespace: 'slate' }) },
  ...fields,
})
const namespace = object('Namespace', 'slate')
const settings = object('ConfigMap', 'settings', { data: { a: '1' } })
const job = object(
  'Job',
  'preload',
  { spec: { ttlSecondsAfterFinished: 60, template: { spec: {} } } },
  'batch/v1',
)

interface World {
  /** What is in the cluster. */
  live: KubeObject[]
  wanted: KubeObject[]
  recorded?: string[]
  finished?: Record<string, { hash: string; ground: string }>
  rehearse?: (object: KubeObject, as: { namespace?: string; name?: string } | undefined) => Partial<Rehearsal>
}
const rehearsed: string[] = []
const diff = ({
  live,
  wanted,
  recorded = [],
  finished,
  rehearse = (one) => ({ result: one }),
}: World): Promise<SystemDiff> => {
  rehearsed.length = 0
  const find = (ref: ObjectRef): KubeObject | undefined =>
    live.find((one) => refKey(refOf(one)) === refKey(ref))
  const kube: Pick<ConnectedKube, 'get' | 'rehearse'> = {
    get: (ref) => Promise.resolve(find(ref)),
    async rehearse(one, { as }) {
      const ref = refOf(one)
      rehearsed.push(`${refKey(ref)}${as ? ` as ${JSON.stringify(as)}` : ''}`)
      const there = as ? undefined : find(ref)
      return Promise.resolve({ ref, warnings: [], ...(there ? { live: there } : {}), ...rehearse(one, as) })
    },
  }
  const objects = Object.fromEntries(recorded.map((key) => [key, 'sha256:x']))
  return systemDiff({
    kube,
    record: { parts: { 'system.slate': { title: 'SLATE', objects, ...(finished ? { finished } : {}) } } },
    system: 'slate',
    objects: wanted,
    signal: new AbortController().signal,
  })
}
const changes = ({ objects }: SystemDiff): string[] =>
  objects.map(({ object: { name }, change }) => `${name} ${change}`)
/** As the server would have it after up. */
const applied = (one: KubeObject): KubeObject => stamp([one], {})[0]!.object

describe('systemDiff', () => {
  it('finds nothing right after up, and not in what only the bookkeeping says', async () => {
    const live = [namespace, settings].map((one) => ({ ...applied(one), status: { phase: 'Active' } }))
    expect(changes(await diff({ live, wanted: [namespace, settings] }))).toEqual([
      'slate unchanged',
      'settings unchanged',
    ])
    const other = structuredClone(live)
    other[1]!.metadata.annotations = { 'local-cloud.io/applied': 'sha256:other' }
    expect(changes(await diff({ live: other, wanted: [namespace, settings] }))[1]).toBe('settings unchanged')
  })

  it('tells what is new, what changes and what goes, with warnings', async () => {
    const old = { ...applied(settings), data: { a: '0' } }
    const stale = object('ConfigMap', 'stale', { data: {} })
    const added = object('Secret', 'added', { data: { token: 'c2VjcmV0' } })
    const seen = await diff({
      live: [applied(namespace), old, stale],
      wanted: [namespace, settings, added],
      recorded: [
        'v1 ConfigMap slate/stale',
        'v1 ConfigMap slate/gone-already',
        'v1 ConfigMap slate/settings',
      ],
      rehearse: (one) => ({ result: one, warnings: one.kind === 'Secret' ? ['look out'] : [] }),
    })
    expect(changes(seen)).toEqual(['slate unchanged', 'settings changed', 'added created', 'stale removed'])
    expect(seen.objects[1]?.patch).toContain('-  a: "0"\n+  a: "1"')
    expect(seen.objects[2]).toMatchObject({ warnings: ['look out'] })
    expect(seen.objects[2]?.patch).toContain('+  token: "***"')
    expect(seen.objects[2]?.patch).not.toContain('c2VjcmV0')
    expect(seen.notes).toEqual([])
  })

  it('rehearses in the namespace default what has no namespace yet, and notes it', async () => {
    const seen = await diff({ live: [], wanted: [namespace, settings] })
    expect(changes(seen)).toEqual(['slate created', 'settings created'])
    expect(rehearsed).toEqual([
      'v1 Namespace /slate',
      'v1 ConfigMap slate/settings as {"namespace":"default"}',
    ])
    expect(seen.notes[0]).toContain('The namespace slate does not exist')
  })

  it('judges a Job that cannot be changed under another name, for up makes it again', async () => {
    const live = { ...applied(job), spec: { template: { spec: { containers: [] } } } }
    const seen = await diff({
      live: [applied(namespace), live],
      wanted: [job],
      rehearse: (one, as) =>
        as?.name === undefined
          ? { refusal: { status: 422, message: 'field is immutable' } }
          : { result: one },
    })
    expect(changes(seen)).toEqual(['preload replaced'])
    expect(rehearsed.at(-1)).toBe('batch/v1 Job slate/preload as {"name":"preload-diff"}')
    expect(seen.objects[0]?.patch).toContain('ttlSecondsAfterFinished')
  })

  it('knows a Job that has done its work and is gone, unless its namespace is another one', async () => {
    const uid = 'u1'
    const space = { ...applied(namespace), metadata: { ...applied(namespace).metadata, uid } }
    const [stamped] = stamp([job], {})
    const ground = canonicalHash({ 'v1 Namespace /slate': uid })
    const finished = { 'batch/v1 Job slate/preload': { hash: stamped!.hash, ground } }
    expect(changes(await diff({ live: [space], wanted: [namespace, job], finished }))).toEqual([
      'slate unchanged',
      'preload finished',
    ])
    space.metadata.uid = 'u2'
    expect(changes(await diff({ live: [space], wanted: [namespace, job], finished }))[1]).toBe(
      'preload created',
    )
  })

  it('keeps the words of a refusal and goes on with the others', async () => {
    const seen = await diff({
      live: [applied(namespace), applied(settings)],
      wanted: [namespace, settings, object('Widget', 'odd')],
      rehearse(one) {
        if (one.kind === 'Widget') throw new LocalCloudError('API_REFUSED', { message: 'kind not served' })
        return one.kind === 'ConfigMap'
          ? { refusal: { status: 422, message: 'data: Forbidden: field is immutable' } }
          : { result: one }
      },
    })
    expect(changes(seen)).toEqual(['slate unchanged', 'settings refused', 'odd refused'])
    expect(seen.objects.map(({ refusal }) => refusal)).toEqual([
      undefined,
      'data: Forbidden: field is immutable (HTTP 422)',
      'kind not served',
    ])
  })
})
