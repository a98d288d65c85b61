import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { KubeClient, KubeObject } from '../kube/client.ts'
import { absent } from '../kube/conditions/absent.ts'
import { deploymentAvailable } from '../kube/conditions/deployment-available.ts'
import type { Sabotage } from './sabotage.ts'

const replicasAnnotation = 'local-cloud.io/replicas-before-sabotage'
const effectMs = 60_000
const restoreMs = 120_000

/** Sabotage that takes all pods of a Deployment away; the number it had is kept in an annotation until it is restored. */
export function scaleAway(deployment: { namespace: string; name: string }): Sabotage {
  const ref = { apiVersion: 'apps/v1', kind: 'Deployment', ...deployment }
  return {
    title: `${deployment.name} scaled to 0`,
    expect: 'fail',
    async break(kube, signal) {
      const found = await existing(kube, ref, signal)
      const before = String((found.spec as { replicas?: number }).replicas ?? 1)
      await kube.patch(
        ref,
        { metadata: { annotations: { [replicasAnnotation]: before } }, spec: { replicas: 0 } },
        { signal },
      )
      const labels =
        (found.spec as { selector?: { matchLabels?: Record<string, string> } }).selector?.matchLabels ?? {}
      await podsGone(kube, { ...deployment, labels }, signal)
    },
    async restore(kube, signal) {
      const found = await existing(kube, ref, signal)
      const before = found.metadata.annotations?.[replicasAnnotation]
      if (before !== undefined) {
        const patch = {
          metadata: { annotations: { [replicasAnnotation]: null } },
          spec: { replicas: Math.max(1, Number(before)) },
        }
        await kube.patch(ref, patch, { signal })
      }
      await kube.waitFor(ref, deploymentAvailable, { timeoutMs: restoreMs, signal })
    },
  }
}

async function existing(
  kube: KubeClient,
  ref: { apiVersion: string; kind: string; namespace: string; name: string },
  signal: AbortSignal,
): Promise<KubeObject> {
  const found = await kube.get(ref, signal)
  if (found !== undefined) return found
  throw new LocalCloudError('PROBE_NOT_RUN', {
    message: `There is no Deployment ${ref.namespace}/${ref.name} to break.`,
  })
}

async function podsGone(
  kube: KubeClient,
  deployment: { namespace: string; name: string; labels: Record<string, string> },
  signal: AbortSignal,
): Promise<void> {
  const labelSelector = Object.entries(deployment.labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(',')
  const pods = await kube.list(
    { apiVersion: 'v1', kind: 'Pod', namespace: deployment.namespace, labelSelector },
    signal,
  )
  await Promise.all(
    pods.map(({ metadata }) =>
      kube.waitFor(
        { apiVersion: 'v1', kind: 'Pod', namespace: deployment.namespace, name: metadata.name },
        absent,
        { timeoutMs: effectMs, signal },
      ),
    ),
  )
}
