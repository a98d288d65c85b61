import { expect } from 'vitest'
import { eventually } from '../../bootstrap/addons/probing/eventually.ts'
import { gpuHolders, gpusAskedFor } from '../../bootstrap/gpu/gpu-holders.ts'
import type { GpuOffer } from '../../bootstrap/gpu/gpu-offer.ts'
import type { KubeClient, KubeObject } from '../../bootstrap/kube/client.ts'
import { conditionOf } from '../../bootstrap/kube/shapes.ts'
import { gpuResource } from '../../bootstrap/plan/gpu-plan.ts'
import type { Cluster } from './cluster.ts'
import { gpuOffer, startGpuHand, type GpuHand } from './gpu-node.ts'
import { startGpuPod, type GpuPodOptions, type RunningGpuPod } from './gpu-pod.ts'
import type { Look, Looker } from './look.ts'
import { createNamespace } from './namespace.ts'
import { NotProven } from './verdict.ts'

/** Where a suite tries GPUs: a namespace of its own, and a hand on the node that has them. Leaving its scope removes both. */
export interface GpuGround extends AsyncDisposable {
  kube: KubeClient
  runId: string
  namespace: string
  hand: GpuHand
  /** What the node was to offer when the ground was opened. */
  node: GpuOffer
  /** Options of a pod with a name of its own. */
  pod(purpose: string, more?: Partial<GpuPodOptions>): GpuPodOptions
  /** How many GPUs no pod of the cluster asks for; pods that are being deleted are waited for. @throws NotProven when there are fewer than wanted */
  requireFree(wanted: number, signal: AbortSignal): Promise<number>
  /** Starts so many pods with a GPU each. */
  fill(gpus: number, signal: AbortSignal, more?: Partial<GpuPodOptions>): Promise<RunningGpuPod[]>
  /** Ok when the node offers so many. */
  offers(wanted: number): Looker
  /** Ok while the scheduler finds no GPU for the pod. */
  unplaced(pod: Pick<GpuPodOptions, 'namespace' | 'name'>): Looker
  /** Which GPU a pod has. Fails unless the kubelet gave it one, and that one is all that its /dev has. */
  givenTo(pod: RunningGpuPod, signal: AbortSignal): Promise<GivenGpu>
  /** Deletes pods, whether they run or not, and waits until they are gone. */
  remove(...pods: readonly Pick<GpuPodOptions, 'name'>[]): Promise<void>
}

/** The GPU of a pod. */
export interface GivenGpu {
  /** By which the kubelet knows it: the UUID, and a number of its own for each of those who share it. */
  id: string
  uuid: string
  /** Its device node. */
  device: string
}

/** Milliseconds within which a pod of ours, which ends at once, is gone. */
const removalMs = 30_000

const refTo = ({ namespace, name }: Pick<GpuPodOptions, 'namespace' | 'name'>) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  namespace,
  name,
})

const isLeaving = ({ metadata }: KubeObject): boolean => metadata.deletionTimestamp !== undefined

/** Opens it. @throws NotProven where no node was given GPUs */
export async function openGpuGround(
  { kube, runId }: Pick<Cluster, 'kube' | 'runId'>,
  purpose: string,
  signal: AbortSignal,
): Promise<GpuGround> {
  const node = await gpuOffer(kube, signal)
  const space = await createNamespace({ kube, runId, purpose, podSecurity: 'privileged', signal })
  const namespace = space.name
  const hand = await startGpuHand(kube, { namespace, runId, node: node.node }, signal)
  let count = 0
  const pod: GpuGround['pod'] = (called, more = {}) => ({
    namespace,
    runId,
    name: `${called}-${String((count += 1))}`,
    ...more,
  })
  return {
    kube,
    runId,
    namespace,
    hand,
    node,
    pod,
    async requireFree(wanted, stop) {
      const looked = await eventually(
        async () => {
          const [{ advertised }, pods, namespaces] = await Promise.all([
            gpuOffer(kube, stop),
            kube.list({ apiVersion: 'v1', kind: 'Pod' }, stop),
            kube.list({ apiVersion: 'v1', kind: 'Namespace' }, stop),
          ])
          const holders = gpuHolders(pods)
          const free = advertised - gpusAskedFor(holders)
          if (free >= wanted) return { met: true, value: free }
          // What an add-on was proven with goes with its namespace, which takes its pods one after the other.
          const ended = new Set(namespaces.filter(isLeaving).map(({ metadata }) => metadata.name))
          const leaving = gpuHolders(
            pods.filter((one) => isLeaving(one) || ended.has(one.metadata.namespace ?? '')),
          )
          const seen = `This takes ${String(wanted)} free GPUs, and ${String(free)} of ${String(advertised)} are free (${holders.map(({ name }) => name).join(', ')} have the others). Run up with --gpu=mock:4, or with --system none.`
          if (free + gpusAskedFor(leaving) < wanted) throw new NotProven(seen)
          return { met: false, seen }
        },
        { timeoutMs: removalMs, signal: stop, intervalMs: 250 },
      )
      if (!looked.met) throw new NotProven(looked.seen)
      return looked.value
    },
    fill: (gpus, stop, more = {}) =>
      Promise.all(
        Array.from({ length: gpus }, () => startGpuPod(kube, pod('holder', { gpus: '1', ...more }), stop)),
      ),
    offers: (wanted) => async (stop) => {
      const { capacity, allocatable } = await gpuOffer(kube, stop)
      return {
        ok: allocatable === wanted,
        seen: `capacity ${String(capacity)}, allocatable ${String(allocatable)}`,
      }
    },
    unplaced:
      (waiting) =>
      async (stop): Promise<Look> => {
        const found = await kube.get(refTo(waiting), stop)
        const { message = '' } = (found && conditionOf(found, 'PodScheduled')) ?? {}
        return {
          ok: message.includes(`Insufficient ${gpuResource}`),
          seen: message === '' ? 'placed or not judged' : message,
        }
      },
    async givenTo(running, stop) {
      const [ids, devices, nodes] = await Promise.all([
        hand.allocated(running.uid, gpuResource, stop),
        running.devices(stop),
        hand.deviceNodes(stop),
      ])
      const [id = ''] = ids
      expect(ids, `the kubelet gave ${running.name}`).toHaveLength(1)
      // NVIDIA's plugin calls a shared GPU UUID::NUMBER.
      const [uuid = ''] = id.split('::')
      const device = nodes.get(uuid) ?? ''
      expect(devices, `/dev of ${running.name} beside what the kubelet gave it`).toEqual([device])
      return { id, uuid, device }
    },
    async remove(...pods) {
      const how = { signal: AbortSignal.timeout(removalMs), wait: true, gracePeriodSeconds: 0 }
      await Promise.all(pods.map(({ name }) => kube.delete(refTo({ namespace, name }), how)))
    },
    [Symbol.asyncDispose]: () => space[Symbol.asyncDispose](),
  }
}
