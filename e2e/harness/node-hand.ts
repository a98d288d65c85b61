import { podReady } from '../../bootstrap/kube/conditions/pod-ready.ts'
import type { KubeClient, KubeObject } from '../../bootstrap/kube/client.ts'
import { probeImage } from './probe-pod.ts'
import { runLabel } from './run-id.ts'
import { CheckBroke } from './verdict.ts'

/** Eyes and hands on a node: a privileged pod that sees its processes, and its files below /host. Leaving its scope deletes it. */
export interface NodeHand extends AsyncDisposable {
  /** Runs a shell script in the pod. @throws CheckBroke when it does not end with 0 */
  sh(script: string, signal: AbortSignal): Promise<string>
  /** Runs a program in the node's own namespaces. @throws CheckBroke when it does not end with 0 */
  inNode(command: string, signal: AbortSignal): Promise<string>
}

/** Starts it in a namespace where privileged pods are allowed. */
export async function startNodeHand(
  kube: KubeClient,
  { namespace, runId, node }: { namespace: string; runId: string; node: string },
  signal: AbortSignal,
): Promise<NodeHand> {
  const pod: KubeObject = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'node-hand', namespace, labels: { [runLabel]: runId } },
    spec: {
      nodeName: node,
      hostPID: true,
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      tolerations: [{ operator: 'Exists' }],
      containers: [
        {
          name: 'hand',
          image: probeImage,
          imagePullPolicy: 'IfNotPresent',
          command: ['sleep', '3600'],
          securityContext: { privileged: true },
          resources: { requests: { cpu: '5m', memory: '8Mi' }, limits: { cpu: '500m', memory: '64Mi' } },
          volumeMounts: [{ name: 'host', mountPath: '/host' }],
        },
      ],
      volumes: [{ name: 'host', hostPath: { path: '/' } }],
    },
  }
  const ref = { apiVersion: 'v1', kind: 'Pod', namespace, name: 'node-hand' }
  await kube.apply([pod], { signal, dryRun: 'skip' })
  await kube.waitFor(ref, podReady, { timeoutMs: 60_000, signal })
  const sh = async (script: string, stop: AbortSignal): Promise<string> => {
    const argv = ['sh', '-c', script]
    const { exitCode, stdout, stderr } = await kube.exec({ namespace, name: 'node-hand' }, argv, {
      signal: stop,
    })
    if (exitCode !== 0)
      throw new CheckBroke(`${script} on node ${node}: exit code ${String(exitCode)}, ${stderr.trim()}`)
    return stdout
  }
  return {
    sh,
    inNode: (command, stop) => sh(`nsenter -t 1 -m -p -- ${command}`, stop),
    async [Symbol.asyncDispose]() {
      await kube.delete(ref, { signal: AbortSignal.timeout(30_000), wait: true, gracePeriodSeconds: 0 })
    },
  }
}
