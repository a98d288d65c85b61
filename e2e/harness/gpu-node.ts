import { parse } from 'yaml'
import { z } from 'zod'
import { gpuOffers, type GpuOffer } from '../../bootstrap/gpu/gpu-offer.ts'
import type { KubeClient } from '../../bootstrap/kube/client.ts'
import { startNodeHand, type NodeHand } from './node-hand.ts'
import { NotProven } from './verdict.ts'

/** What the node with the cluster's GPUs offers now. @throws NotProven when no node has any */
export async function gpuOffer(kube: Pick<KubeClient, 'list'>, signal: AbortSignal): Promise<GpuOffer> {
  const [offer] = await gpuOffers(kube, signal)
  if (offer) return offer
  throw new NotProven(
    'No node of this cluster was given GPUs (up --gpu), so nothing about them can be proven.',
  )
}

const checkpointShape = z.object({
  Data: z.object({
    PodDeviceEntries: z
      .array(
        z.object({
          PodUID: z.string(),
          ResourceName: z.string(),
          DeviceIDs: z.record(z.string(), z.array(z.string())),
        }),
      )
      .nullable(),
  }),
})

const cdiShape = z.object({
  devices: z.array(
    z.object({
      name: z.string(),
      containerEdits: z.object({ deviceNodes: z.array(z.object({ path: z.string() })).optional() }),
    }),
  ),
})

/** A hand on the node with the GPUs. */
export interface GpuHand extends NodeHand {
  /** What the kubelet gave to a pod: the plugin's device ids, from its checkpoint (k8s.io/kubernetes/pkg/kubelet/cm/devicemanager). */
  allocated(podUid: string, resource: string, signal: AbortSignal): Promise<string[]>
  /** UUID of a GPU → its device node, from the CDI specification of the node. */
  deviceNodes(signal: AbortSignal): Promise<ReadonlyMap<string, string>>
  /** Writes files of the mock driver's state; `null` removes one. */
  changeMock(files: Readonly<Record<string, string | null>>, signal: AbortSignal): Promise<void>
}

const state = '/host/var/lib/local-cloud/mock-gpu'

/** Starts it in a namespace where privileged pods are allowed. */
export async function startGpuHand(
  kube: KubeClient,
  place: { namespace: string; runId: string; node: string },
  signal: AbortSignal,
): Promise<GpuHand> {
  const hand = await startNodeHand(kube, place, signal)
  const sh = (script: string, stop: AbortSignal): Promise<string> => hand.sh(script, stop)
  return {
    ...hand,
    async allocated(podUid, resource, stop) {
      const text = await sh('cat /host/var/lib/kubelet/device-plugins/kubelet_internal_checkpoint', stop)
      const { PodDeviceEntries } = checkpointShape.parse(JSON.parse(text)).Data
      return (PodDeviceEntries ?? [])
        .filter((entry) => entry.PodUID === podUid && entry.ResourceName === resource)
        .flatMap(({ DeviceIDs }) => Object.values(DeviceIDs).flat())
        .sort()
    },
    async deviceNodes(stop) {
      const { devices } = cdiShape.parse(parse(await sh('cat /host/run/cdi/nvidia.yaml', stop)))
      return new Map(
        devices.flatMap(({ name, containerEdits }) => {
          const own = containerEdits.deviceNodes?.find(({ path }) => /^\/dev\/nvidia\d+$/.test(path))
          return name.startsWith('GPU-') && own ? [[name, own.path] as const] : []
        }),
      )
    },
    async changeMock(files, stop) {
      for (const [file, text] of Object.entries(files)) {
        const place = `${state}/${file}`
        await sh(
          text === null
            ? `rm -f ${place}`
            : `mkdir -p "$(dirname ${place})" && printf %s '${text}' > ${place}.new && mv ${place}.new ${place}`,
          stop,
        )
      }
    },
  }
}
