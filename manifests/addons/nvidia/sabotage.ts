import { eventually } from '../../../bootstrap/addons/probing/eventually.ts'
import type { Sabotage } from '../../../bootstrap/addons/sabotage.ts'
import { LocalCloudError } from '../../../bootstrap/errors/local-cloud-error.ts'
import { gpuOffers } from '../../../bootstrap/gpu/gpu-offer.ts'
import type { KubeClient } from '../../../bootstrap/kube/client.ts'

const plugin = {
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  namespace: 'kube-system',
  name: 'nvidia-device-plugin-daemonset',
}
const nowhere = 'io.local-cloud.nowhere'
const effectMs = 60_000

async function sendPlugin(kube: KubeClient, place: 'nowhere' | 'home', signal: AbortSignal): Promise<void> {
  const nodeSelector = { [nowhere]: place === 'nowhere' ? 'true' : null }
  await kube.patch(plugin, { spec: { template: { spec: { nodeSelector } } } }, { signal })
  const looked = await eventually(
    async () => {
      const offers = await gpuOffers(kube, signal)
      const seen = offers.map(({ allocatable, advertised }) => ({
        offered: allocatable,
        wanted: place === 'nowhere' ? 0 : advertised,
      }))
      return seen.length > 0 && seen.every(({ offered, wanted }) => offered === wanted)
        ? { met: true, value: undefined }
        : { met: false, seen: JSON.stringify(seen) }
    },
    { timeoutMs: effectMs, signal, intervalMs: 500 },
  )
  if (looked.met) return
  throw new LocalCloudError('PROBE_NOT_RUN', {
    message: `The device plugin could not be sent ${place}: ${looked.seen}`,
  })
}

export const sabotage: Sabotage = {
  title: 'the device plugin sent to a node that is not there',
  expect: 'fail',
  break: (kube, signal) => sendPlugin(kube, 'nowhere', signal),
  restore: (kube, signal) => sendPlugin(kube, 'home', signal),
}
