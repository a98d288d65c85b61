import type { KubeClient, KubeObject } from '../../bootstrap/kube/client.ts'
import { at, pick, podSpecOf, podTemplateOf } from '../../manifests/checks/manifest.ts'
import { probePodManifest } from './probe-pod.ts'

/** Condition of a pod that a test sets, so that the test decides when a pod becomes ready. */
export const gate = 'local-cloud.io/e2e-open'

/**
 * A Deployment as the other objects of its namespace see it: name, labels, selector, replicas, rollout and where its pods may go are the
 * original's; what runs in the pods is a small web server. With `gated` its pods are ready only when `openGate` has been called for them.
 */
export function reducedCopy(
  deployment: KubeObject,
  { namespace, runId, gated }: { namespace: string; runId: string; gated: boolean },
): KubeObject {
  const { name, labels } = deployment.metadata
  const probe = probePodManifest({ namespace, runId, name })['spec'] as {
    containers: [{ resources: unknown }]
  }
  probe.containers[0].resources = {
    requests: { cpu: '1m', memory: '16Mi' },
    limits: { cpu: '100m', memory: '32Mi' },
  }
  return {
    apiVersion: deployment.apiVersion,
    kind: deployment.kind,
    metadata: { name, namespace, ...(labels === undefined ? {} : { labels }) },
    spec: {
      ...pick(deployment['spec'], ['replicas', 'selector', 'strategy']),
      template: {
        metadata: { labels: at(podTemplateOf(deployment), 'metadata', 'labels') },
        spec: {
          ...probe,
          ...pick(podSpecOf(deployment), [
            'topologySpreadConstraints',
            'nodeSelector',
            'affinity',
            'tolerations',
          ]),
          ...(gated ? { readinessGates: [{ conditionType: gate }] } : {}),
        },
      },
    },
  }
}

/** The object in another namespace, as it would be applied. */
export const movedTo = (namespace: string, object: KubeObject): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, namespace },
})

/** Lets a gated pod become ready. */
export async function openGate(
  kube: Pick<KubeClient, 'patch'>,
  { namespace, name }: { namespace: string; name: string },
  signal: AbortSignal,
): Promise<void> {
  const ref = { apiVersion: 'v1', kind: 'Pod', namespace, name }
  const condition = { type: gate, status: 'True', reason: 'Opened', message: 'by a test' }
  await kube.patch(ref, { status: { conditions: [condition] } }, { signal, subresource: 'status' })
}
