import { CoreV1Api } from '@kubernetes/client-node'
import { startEphemeralCluster } from 'local-cloud/ephemeral'
import { expect, it } from 'vitest'
import { makeNamespace, pod } from '../namespaced.ts'

it('a limit range refuses what is too big, and nothing else', async () => {
  await using cluster = await startEphemeralCluster({ reuse: 'run' })
  const core = cluster.api(CoreV1Api)
  const namespace = 'limited'
  await using _ = await makeNamespace(core, namespace)
  await core.createNamespacedLimitRange({
    namespace,
    body: {
      metadata: { name: 'small' },
      spec: { limits: [{ type: 'Container', max: { cpu: '50m' } }] },
    },
  })
  const tooBig = () =>
    core.createNamespacedPod({ namespace, body: pod('big', '60m'), dryRun: 'All' }).catch(String)
  await expect.poll(tooBig, { timeout: 30_000 }).toContain('maximum cpu usage per Container is 50m')
  await core.createNamespacedPod({ namespace, body: pod('small', '50m') })
})
