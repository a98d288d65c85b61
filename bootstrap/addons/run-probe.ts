import { randomBytes } from 'node:crypto'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { KubeClient } from '../kube/client.ts'
import type { Addon, ProbeResult } from './addon.ts'
import { dropProbeNamespaces, dropStaleProbeNamespaces, makeProbeNamespace } from './probe-namespace.ts'
import { peerNamespaceOf } from './probing/peer-namespace.ts'

/** How long the deletion of a probe's namespaces may take to be accepted, also when the probe itself was interrupted. */
const cleanUpMs = 10_000

/**
 * Runs an add-on's probe in a namespace of its own, which is deleted whatever happens; the deletion is not waited for.
 * Namespaces of earlier probes whose process died are deleted as well. A probe that could not be carried out is
 * `not-proven`, never `fail` or `pass`.
 * @throws LocalCloudError what the signal aborted with, or INTERRUPTED; INTERNAL for a defect in the probe itself
 */
export async function runProbe(
  addon: Pick<Addon, 'name' | 'probe'>,
  kube: KubeClient,
  options: {
    shellImage: string
    ingressUrl: string
    labels?: Readonly<Record<string, string>>
    theirs?: boolean
    signal: AbortSignal
  },
): Promise<ProbeResult> {
  const namespace = `local-cloud-probe-${addon.name}-${randomBytes(3).toString('hex')}`
  try {
    await dropStaleProbeNamespaces(kube, addon.name, options.signal, options.labels)
    await makeProbeNamespace(kube, namespace, addon.name, options.signal, options.labels)
    return await addon.probe({ kube, namespace, ...options })
  } catch (error) {
    if (!(error instanceof LocalCloudError)) {
      throw new LocalCloudError('INTERNAL', {
        message: `The probe of ${addon.name} has a defect: ${String(error)}`,
        cause: error,
      })
    }
    if (options.signal.aborted || error.family === 'interrupted' || error.family === 'internal') throw error
    return { result: 'not-proven', reason: [error.message, ...error.evidence].join('\n') }
  } finally {
    await cleanUp(kube, namespace)
  }
}

async function cleanUp(kube: KubeClient, namespace: string): Promise<void> {
  try {
    await dropProbeNamespaces(kube, [namespace, peerNamespaceOf(namespace)], AbortSignal.timeout(cleanUpMs))
  } catch (error) {
    // The outcome of the probe counts; the next run finds what is left by its label.
    if (!(error instanceof LocalCloudError)) throw error
  }
}
