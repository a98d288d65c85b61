import type { ConnectedKube, ObjectRef } from '../../bootstrap/kube/client.ts'
import { ownProbeNamespaces } from '../../bootstrap/addons/probe-namespace.ts'
import { runLabel } from './run-id.ts'
import { priorityClassOf } from './run-priority.ts'

/** How long one object may take to go, milliseconds. */
const goneMs = 180_000

/**
 * Everything that a run made and that is still there, namespaces first; what lies in one of those is not listed again. Its PriorityClass is
 * not among it: that is for all of the run, and a run sweeps several times.
 */
export async function leftBy(kube: ConnectedKube, runId: string, signal: AbortSignal): Promise<ObjectRef[]> {
  const kinds = await kube.listableKinds(signal)
  const lists = await Promise.all(
    kinds
      // What cannot be deleted is a view, which no test made; its server may be what a test has stopped.
      .filter(({ kind, deletable }) => kind !== 'Event' && deletable)
      .map(async ({ apiVersion, kind }) => {
        const labelled = await kube.list({ apiVersion, kind, labelSelector: `${runLabel}=${runId}` }, signal)
        const found =
          kind === 'PriorityClass'
            ? labelled.filter(({ metadata }) => metadata.name !== priorityClassOf(runId))
            : labelled
        return found.map(({ metadata: { name, namespace } }): ObjectRef => ({
          apiVersion,
          kind,
          name,
          ...(namespace === undefined ? {} : { namespace }),
        }))
      }),
  )
  const all = lists.flat()
  const isNamespace = ({ kind }: ObjectRef): boolean => kind === 'Namespace'
  const namespaces = new Set(all.filter(isNamespace).map(({ name }) => name))
  return [
    ...all.filter(isNamespace),
    ...all.filter(
      (ref) => !isNamespace(ref) && (ref.namespace === undefined || !namespaces.has(ref.namespace)),
    ),
  ]
}

/** Deletes everything that a run made, the probes of this process included, waits until it is gone unless told not to, and returns what there was. */
export async function sweep(
  kube: ConnectedKube,
  runId: string,
  signal: AbortSignal,
  { wait = true }: { wait?: boolean } = {},
): Promise<ObjectRef[]> {
  const probes = (await ownProbeNamespaces(kube, signal)).map((name) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    name,
  }))
  const left = [...(await leftBy(kube, runId, signal)), ...probes]
  const stop = AbortSignal.any([signal, AbortSignal.timeout(goneMs)])
  await Promise.all(left.map((ref) => kube.delete(ref, { signal: stop, wait, gracePeriodSeconds: 0 })))
  return left
}
