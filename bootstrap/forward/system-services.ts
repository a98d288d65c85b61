import type { KubeClient, KubeObject, ObjectRef } from '../kube/client.ts'

/** The Services among these objects that are in the cluster, the one with the lowest first port first; headless ones included. */
export async function systemServices(
  kube: Pick<KubeClient, 'list'>,
  refs: readonly ObjectRef[],
  signal: AbortSignal,
): Promise<KubeObject[]> {
  const wanted = refs.filter(({ kind }) => kind === 'Service')
  const namespaces = [...new Set(wanted.flatMap(({ namespace }) => namespace ?? []))]
  const lists = await Promise.all(
    namespaces.map((namespace) => kube.list({ apiVersion: 'v1', kind: 'Service', namespace }, signal)),
  )
  const firstPort = (service: KubeObject): number =>
    (service['spec'] as { ports?: { port?: number }[] } | undefined)?.ports?.[0]?.port ?? 0
  return lists
    .flat()
    .filter(({ metadata }) =>
      wanted.some(({ name, namespace }) => name === metadata.name && namespace === metadata.namespace),
    )
    .sort((a, b) => firstPort(a) - firstPort(b))
}
