import type { KubeObject } from '../../kube/client.ts'
import { servedPort } from './shell-pods.ts'

/** A Service in front of one serving shell pod, on port 80; headless when asked for. */
export function serviceFor(
  pod: string,
  options: { name: string; namespace: string; headless?: boolean },
): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: options.name,
      namespace: options.namespace,
      labels: { 'app.kubernetes.io/managed-by': 'local-cloud' },
    },
    spec: {
      ...(options.headless === true ? { clusterIP: 'None' } : {}),
      selector: { 'probe-pod': pod },
      ports: [{ name: 'http', port: 80, targetPort: servedPort, protocol: 'TCP' }],
    },
  }
}
