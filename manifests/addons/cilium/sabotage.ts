import type { Sabotage } from '../../../bootstrap/addons/sabotage.ts'
import { LocalCloudError } from '../../../bootstrap/errors/local-cloud-error.ts'
import type { KubeClient } from '../../../bootstrap/kube/client.ts'

/** Tells every agent at run time whether policies are enforced; an agent that restarts enforces them again. */
async function setEnforcement(
  kube: KubeClient,
  mode: 'never' | 'default',
  signal: AbortSignal,
): Promise<void> {
  const agents = await kube.list(
    { apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system', labelSelector: 'k8s-app=cilium' },
    signal,
  )
  if (agents.length === 0)
    throw new LocalCloudError('PROBE_NOT_RUN', { message: 'There is no Cilium agent to change.' })
  for (const { metadata } of agents) {
    const pod = { namespace: 'kube-system', name: metadata.name, container: 'cilium-agent' }
    const { exitCode, stderr } = await kube.exec(pod, ['cilium-dbg', 'config', `PolicyEnforcement=${mode}`], {
      signal,
    })
    if (exitCode === 0) continue
    throw new LocalCloudError('PROBE_NOT_RUN', {
      message: `${metadata.name} did not take PolicyEnforcement=${mode}.`,
      evidence: [stderr.trim()],
    })
  }
}

export const sabotage: Sabotage = {
  title: 'policy enforcement switched off in every agent',
  expect: 'fail',
  break: (kube, signal) => setEnforcement(kube, 'never', signal),
  restore: (kube, signal) => setEnforcement(kube, 'default', signal),
}
