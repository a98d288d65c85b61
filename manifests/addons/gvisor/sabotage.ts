import type { Sabotage } from '../../../bootstrap/addons/sabotage.ts'
import { LocalCloudError } from '../../../bootstrap/errors/local-cloud-error.ts'
import type { KubeClient } from '../../../bootstrap/kube/client.ts'

const runtimeClass = { apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', name: 'gvisor' }

/** A handler cannot be changed: the class is made anew, with the labels and annotations by which it is known as ours. */
async function leadTo(kube: KubeClient, handler: 'runc' | 'runsc', signal: AbortSignal): Promise<void> {
  const found = await kube.get(runtimeClass, signal)
  if (!found)
    throw new LocalCloudError('PROBE_NOT_RUN', { message: 'There is no RuntimeClass gvisor to change.' })
  if (found['handler'] === handler) return
  const { apiVersion, kind, name } = runtimeClass
  const { labels = {}, annotations = {} } = found.metadata
  await kube.delete(runtimeClass, { signal, wait: true })
  await kube.apply([{ apiVersion, kind, metadata: { name, labels, annotations }, handler }], {
    signal,
    dryRun: 'skip',
  })
}

export const sabotage: Sabotage = {
  title: 'the RuntimeClass leads to runc',
  expect: 'fail',
  break: (kube, signal) => leadTo(kube, 'runc', signal),
  restore: (kube, signal) => leadTo(kube, 'runsc', signal),
}
