import { parse } from 'yaml'
import { z } from 'zod'
import { gpuOffers, type GpuOffer } from '../../bootstrap/gpu/gpu-offer.ts'
import { podReady } from '../../bootstrap/kube/conditions/pod-ready.ts'
import type { KubeClient, KubeObject } from '../../bootstrap/kube/client.ts'
import { probeImage } from './probe-pod.ts'
import { runLabel } from './run-id.ts'
import { CheckBroke, NotProven } from './verdict.ts'

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

/** Eyes and hands on the node with the GPUs: a privileged pod. Leaving its scope deletes it. */
export interface NodeHand extends AsyncDisposable {
  /** What the kubelet gave to a pod: the plugin's device ids, from its checkpoint (k8s.io/kubernetes/pkg/kubelet/cm/devicemanager). */
  allocated(podUid: string, resource: string, signal: AbortSignal): Promise<string[]>
  /** UUID of a GPU → its device node, from the CDI specification of the node. */
  deviceNodes(signal: AbortSignal): Promise<ReadonlyMap<string, string>>
  /** Writes files of the mock driver's state; `null` removes one. */
  changeMock(files: Readonly<Record<string, string | null>>, signal: AbortSignal): Promise<void>
  /** Runs a program in the node's own namespaces. @throws CheckBroke when it does not end with 0 */
  inNode(command: string, signal: AbortSignal): Promise<string>
}

const state = '/host/var/lib/local-cloud/mock-gpu'

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
    const { exitCode, stdout, stderr } = await kube.exec(
      { namespace, name: 'node-hand' },
      ['sh', '-c', script],
      {
        signal: stop,
      },
    )
    if (exitCode !== 0)
      throw new CheckBroke(`${script} on node ${node}: exit code ${String(exitCode)}, ${stderr.trim()}`)
    return stdout
  }
  return {
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
    inNode: (command, stop) => sh(`nsenter -t 1 -m -p -- ${command}`, stop),
    async [Symbol.asyncDispose]() {
      await kube.delete(ref, { signal: AbortSignal.timeout(30_000), wait: true, gracePeriodSeconds: 0 })
    },
  }
}
