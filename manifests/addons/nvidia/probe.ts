import type { Probe, ProbeContext, ProbeResult } from '../../../bootstrap/addons/addon.ts'
import { eventually, type Look } from '../../../bootstrap/addons/probing/eventually.ts'
import { runInPod } from '../../../bootstrap/addons/probing/run-in-pod.ts'
import { startShellPods, type RunningPod } from '../../../bootstrap/addons/probing/shell-pods.ts'
import { LocalCloudError } from '../../../bootstrap/errors/local-cloud-error.ts'
import { gpuHolders, gpusAskedFor, type GpuHolder } from '../../../bootstrap/gpu/gpu-holders.ts'
import { gpuOffers, type GpuOffer } from '../../../bootstrap/gpu/gpu-offer.ts'
import { gpuLabels, gpuResource } from '../../../bootstrap/plan/gpu-plan.ts'
import type { KubeClient } from '../../../bootstrap/kube/client.ts'

/** The plugin was seen to register after 6 s; the rest is reserve. */
const registerMs = 60_000
/** The kubelet tells what it gave within its status period of 10 s; the rest is reserve. */
const givenMs = 60_000

/** Device nodes of GPUs that a container has: `/dev/nvidia0`, not those of the driver itself. */
const listDevices = 'ls /dev | grep -E "^nvidia[0-9]+$" || true'

/**
 * The node offers as many GPUs as its label says; a pod that asks for one has one device node, one that asks for none has none. Where other
 * pods ask for all of them, what the kubelet gave to those is looked at instead.
 */
export const probe: Probe = async (context) => {
  const { kube, signal } = context
  const looked = await eventually(
    async (): Promise<Look<ProbeResult>> => {
      const offered = fullOffer(await gpuOffers(kube, signal))
      if (!offered.met) return offered
      const { node, tier, advertised } = offered.value
      const offer = `${node} offers ${String(advertised)} GPUs of tier ${tier}`
      const holders = await holdersIn(kube, signal)
      return gpusAskedFor(holders) < advertised
        ? tryOne(context, offer)
        : { met: true, value: await lookAtHolders(context, offer) }
    },
    { timeoutMs: registerMs, signal, intervalMs: 500 },
  )
  return looked.met ? looked.value : { result: 'fail', seen: looked.seen, code: 'GPU_NOT_REGISTERED' }
}

const holdersIn = async (kube: KubeClient, signal: AbortSignal): Promise<GpuHolder[]> =>
  gpuHolders(await kube.list({ apiVersion: 'v1', kind: 'Pod' }, signal))

function fullOffer(offers: readonly GpuOffer[]): Look<GpuOffer> {
  const [offer] = offers
  if (!offer) return { met: false, seen: `no node is labelled ${gpuLabels.present}=true` }
  const { node, advertised, allocatable } = offer
  if (allocatable === advertised) return { met: true, value: offer }
  const seen = `${node} offers ${String(allocatable)} of ${String(advertised)} ${gpuResource}: the device plugin did not register them`
  return { met: false, seen }
}

/**
 * Not met while the kubelet refuses the pod: a node goes on offering what the plugin told before it restarted, and has nothing to give until
 * the plugin is back.
 */
async function tryOne(context: ProbeContext, offer: string): Promise<Look<ProbeResult>> {
  const { kube, namespace, signal } = context
  const pods = [{ name: 'one-gpu', devices: { [gpuResource]: 1 } }, { name: 'no-gpu' }]
  let running: RunningPod[]
  try {
    running = await startShellPods(context, pods)
  } catch (error) {
    const refusal = refusalOf(error)
    if (refusal === undefined) throw error
    const gone = { signal, wait: true, gracePeriodSeconds: 0 }
    await Promise.all(
      pods.map(({ name }) => kube.delete({ apiVersion: 'v1', kind: 'Pod', namespace, name }, gone)),
    )
    return { met: false, seen: `${offer}, and a pod that asks for one is refused: ${refusal}` }
  }
  const [given = '', withheld] = await Promise.all(
    running.map(async (pod) => (await runInPod(kube, pod, listDevices, [], signal)).stdout.trim()),
  )
  const seen = `${offer}; a pod with one has ${given || 'no device'}, a pod without has ${withheld || 'none'}`
  const result = /^nvidia\d+$/.test(given) && withheld === '' ? 'pass' : 'fail'
  return { met: true, value: { result, seen } }
}

/** The kubelet's words where it does not admit a pod (its event UnexpectedAdmissionError). */
const refusalOf = (error: unknown): string | undefined =>
  error instanceof LocalCloudError ? /UnexpectedAdmissionError: (.*)/.exec(error.message)?.[1] : undefined

/** At least one of them has all that it asks for: an autoscaler or a rollout may have others waiting. */
async function lookAtHolders({ kube, signal }: ProbeContext, offer: string): Promise<ProbeResult> {
  const looked = await eventually(
    async (): Promise<Look<string>> => {
      const holders = await holdersIn(kube, signal)
      const words = holders.map(({ name, gpus, given }) =>
        given.length === 0
          ? `${name} waits for ${String(gpus)}`
          : `${name} has ${given.join(' and ')} of ${String(gpus)}`,
      )
      const seen = `${offer}, and all are asked for: ${words.join(', ')}`
      return holders.some(({ gpus, given }) => given.length === gpus)
        ? { met: true, value: seen }
        : { met: false, seen }
    },
    { timeoutMs: givenMs, signal },
  )
  return looked.met ? { result: 'pass', seen: looked.value } : { result: 'fail', seen: looked.seen }
}
