import type { KubeClient } from '../../bootstrap/kube/client.ts'

/** Something that a node has for a while. Leaving the scope takes it away again. */
export interface ExtendedResource extends AsyncDisposable {
  name: string
}

/**
 * Makes a node offer pieces of a resource that nobody else asks for, as
 * https://kubernetes.io/docs/tasks/administer-cluster/extended-resource-node/ does: pods can then compete for room on a node without
 * taking anything from anybody.
 */
export async function offerResource(
  kube: KubeClient,
  { node, name, pieces }: { node: string; name: string; pieces: number },
  signal: AbortSignal,
): Promise<ExtendedResource> {
  const ref = { apiVersion: 'v1', kind: 'Node', name: node }
  const key = name.replaceAll('~', '~0').replaceAll('/', '~1')
  const paths = ['capacity', 'allocatable'].map((field) => `/status/${field}/${key}`)
  await kube.patch(
    ref,
    paths.map((path) => ({ op: 'add', path, value: String(pieces) })),
    { signal, subresource: 'status' },
  )
  return {
    name,
    async [Symbol.asyncDispose]() {
      // The kubelet follows with what is allocatable when the capacity is gone, and may have done so first.
      await kube.patch(
        ref,
        { status: { capacity: { [name]: null }, allocatable: { [name]: null } } },
        { signal: AbortSignal.timeout(15_000), subresource: 'status' },
      )
    },
  }
}
