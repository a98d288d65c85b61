import { makeProbeNamespace } from '../probe-namespace.ts'
import type { ProbeContext } from '../addon.ts'

/** Name of the second namespace that a probe may make; it is deleted together with the first. */
export const peerNamespaceOf = (namespace: string): string => `${namespace}-peer`

/** Makes the probe's second namespace, for what must work between namespaces, and returns its name. */
export async function makePeerNamespace(context: ProbeContext, addon: string): Promise<string> {
  const name = peerNamespaceOf(context.namespace)
  await makeProbeNamespace(context.kube, name, addon, context.signal, context.labels)
  return name
}
