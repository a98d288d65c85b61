import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { gpuLabels, type GpuPlan } from '../plan/gpu-plan.ts'
import { gpuNodeFiles, mockProduct } from '../gpu/node-files.ts'
import type { Condition } from '../kube/client.ts'
import { canonicalHash, type Plan } from '../plan/plan.ts'
import { furnishGpus } from './gpu-node.ts'
import type { Session } from './session.ts'
import type { Step } from './step.ts'

/** Label with a digest of the node's files, by which a changed wish is seen. */
const stateLabel = 'io.local-cloud.gpu-state'

/** Every label that a node with GPUs has, as a patch that takes them away. */
export const noGpuLabels: Record<string, null> = Object.fromEntries(
  [...Object.values(gpuLabels), stateLabel].map((label) => [label, null]),
)

const there: Condition = (node) =>
  node ? { met: true, seen: 'there' } : { met: false, seen: 'not registered' }

/**
 * Has the plan's GPUs on the last node: driver, device nodes and CDI specification in place, and the labels by which pods and the device
 * plugin find them.
 */
export function gpuStep(
  session: Session,
  options: { plan: Plan; gpu: GpuPlan; needs: readonly string[]; timeoutMs: number },
): Step {
  const { plan, gpu, needs, timeoutMs } = options
  const home = plan.nodes.at(-1)?.name ?? ''
  const labels = labelsFor(gpu, home)
  const words = `${String(gpu.count)} of tier ${gpu.tier} in ${home}`
  const ref = { apiVersion: 'v1', kind: 'Node', name: home }

  const asWanted = async (signal: AbortSignal): Promise<boolean> => {
    const { kube } = await session.look()
    const node = await kube?.get(ref, signal)
    return Object.entries(labels).every(([label, value]) => node?.metadata.labels?.[label] === value)
  }

  return {
    id: 'gpu',
    title: `GPUs of tier ${gpu.tier}`,
    needs,
    timeoutMs,
    async observe({ signal }) {
      return (await asWanted(signal))
        ? { state: 'done', reason: words }
        : { state: 'absent', reason: `${home} has not the ${String(gpu.count)} of tier ${gpu.tier}` }
    },
    async apply(run) {
      const [kube, provider] = await Promise.all([session.kube(), session.provider()])
      run.progress(`putting ${words}`)
      await furnishGpus(provider, home, gpu, run)
      await kube.waitFor(ref, there, { timeoutMs, signal: run.signal })
      await kube.patch(ref, { metadata: { labels } }, { signal: run.signal })
    },
    async verify({ signal }) {
      if (await asWanted(signal)) return words
      throw new LocalCloudError('GPU_NODE_RUNTIME', {
        message: `${home} does not have the labels of its GPUs.`,
      })
    },
  }
}

const labelsFor = (gpu: GpuPlan, node: string): Record<string, string> => ({
  [gpuLabels.present]: 'true',
  [gpuLabels.product]: gpu.tier === 'mock' ? `${mockProduct.replaceAll(' ', '-')}-mock` : 'NVIDIA',
  [gpuLabels.tier]: gpu.tier,
  [gpuLabels.advertised]: String(gpu.count * gpu.replicas),
  [stateLabel]: canonicalHash(gpuNodeFiles(gpu, node)).slice('sha256:'.length, 'sha256:'.length + 16),
})
