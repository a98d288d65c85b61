import { CoreV1Api } from '@kubernetes/client-node'
import { startEphemeralCluster } from 'local-cloud/ephemeral'
import { expect, it } from 'vitest'
import { makeNamespace, pod } from '../namespaced.ts'

it('a namespace for restricted pods refuses one that is not, on the cluster of the other file', async () => {
  await using cluster = await startEphemeralCluster({ reuse: 'run' })
  const core = cluster.api(CoreV1Api)
  const namespace = 'restricted'
  await using _ = await makeNamespace(core, namespace)
  await core.createNamespacedPod({ namespace, body: pod('before') })
  await core.patchNamespace({
    name: namespace,
    body: [{ op: 'add', path: '/metadata/labels/pod-security.kubernetes.io~1enforce', value: 'restricted' }],
  })
  await expect
    .poll(() => core.createNamespacedPod({ namespace, body: pod('after'), dryRun: 'All' }).catch(String), {
      timeout: 30_000,
    })
    .toContain('violates PodSecurity')
})
