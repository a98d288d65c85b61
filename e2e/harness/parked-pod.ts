import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { probeImage } from './probe-pod.ts'
import { runLabel } from './run-id.ts'

/** No scheduler goes by this name, so that nobody places the pod or makes room for it. */
const noScheduler = 'io.local-cloud.e2e-none'

export interface Resources {
  requests?: Record<string, string>
  limits?: Record<string, string>
}

/**
 * A pod that is admitted, counted by quotas, and never runs: for questions to admission, of which none needs a node. Fits the Pod Security level
 * `restricted`. One container for each of the resources; `{}` asks for nothing.
 */
export function parkedPod(options: {
  namespace: string
  runId: string
  name: string
  containers: readonly Resources[]
}): KubeObject {
  const { namespace, runId, name, containers } = options
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { [runLabel]: runId } },
    spec: {
      schedulerName: noScheduler,
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
      containers: containers.map((resources, index) => ({
        name: `parked-${String(index)}`,
        image: probeImage,
        imagePullPolicy: 'IfNotPresent',
        resources,
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
      })),
    },
  }
}
