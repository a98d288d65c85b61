import { connect } from '../../bootstrap/kube/connect.ts'
import type { Condition } from '../../bootstrap/kube/client.ts'
import { offersOf, offerWords } from '../../bootstrap/gpu/gpu-offer.ts'
import { clusterFiles } from '../../bootstrap/steps/cluster-files.ts'
import { attach } from '../../e2e/harness/cluster.ts'
import { eventually } from '../../e2e/harness/eventually.ts'
import { openGpuGround } from '../../e2e/harness/gpu-ground.ts'
import { gpuPod, runningGpuPod } from '../../e2e/harness/gpu-pod.ts'
import { milestones, readLines } from './milestones.ts'
import { script, upFlags, type OurBench } from './ours.ts'
import { run } from './run.ts'

/** Milliseconds; both on GPUs of the mock. */
export interface GpuTimes {
  /** From the API's first healthy answer to the moment at which the node has all GPUs to give. */
  gpuAllocatable: number
  /** From the end of a pod with a GPU to the moment at which the one that waited for it is Ready. */
  gpuFreed: number
}

const count = 2
/** Milliseconds that any one thing here may take. */
const patience = 300_000

const allOffered: Condition = (node) => {
  const [offer] = node ? offersOf([node]) : []
  return offer && offer.allocatable === count
    ? { met: true, seen: offerWords(offer) }
    : { met: false, seen: offer ? offerWords(offer) : 'no GPUs given yet' }
}

/** Makes a cluster with GPUs of the mock and no system, and measures them; the cluster stays. */
export async function measureGpu(bench: OurBench): Promise<GpuTimes> {
  const allocatableAt = await upWithGpus(bench)
  const cluster = await attach({ name: bench.name, paths: bench.paths, allowForeign: false }, bench.signal)
  try {
    return { gpuAllocatable: allocatableAt, gpuFreed: await freedToRunning(cluster, bench.signal) }
  } finally {
    cluster.kube.close()
  }
}

async function upWithGpus(bench: OurBench): Promise<number> {
  const { paths, name, signal } = bench
  const over = new AbortController()
  const watching = AbortSignal.any([signal, over.signal])
  let offered: Promise<number> | undefined
  const watch = async (): Promise<number> => {
    const kube = await connect({ kubeconfigFile: clusterFiles(paths, name).kubeconfig, signal: watching })
    try {
      const node = { apiVersion: 'v1', kind: 'Node', name: `${name}-control-plane` }
      await kube.waitFor(node, allOffered, { timeoutMs: patience, signal: watching })
      return Date.now()
    } finally {
      kube.close()
    }
  }
  try {
    const flags = ['--json', ...upFlags(bench), '--system', 'none', `--gpu=mock:${String(count)}`]
    const { startedAt, stdout } = await run(process.execPath, [script(paths, 'up'), ...flags], {
      signal,
      onLine(line) {
        if (milestones(readLines(line), 0).apiHealthy !== undefined) offered ??= watch()
      },
    })
    const { apiHealthy } = milestones(readLines(stdout), startedAt)
    if (offered === undefined || apiHealthy === undefined)
      throw new Error('up did not tell when its API answered')
    return (await offered) - startedAt - apiHealthy
  } finally {
    over.abort()
  }
}

async function freedToRunning(
  cluster: Parameters<typeof openGpuGround>[0],
  signal: AbortSignal,
): Promise<number> {
  await using ground = await openGpuGround(cluster, 'bench', signal)
  const [first] = await ground.fill(count, signal)
  if (!first) throw new Error('no pod has a GPU')
  const waits = ground.pod('waits', { gpus: '1' })
  await ground.kube.apply([gpuPod(waits)], { signal, dryRun: 'skip' })
  const pace = { timeoutMs: patience, intervalMs: 100, signal }
  await eventually('the pod waits', ground.unplaced(waits), pace)
  await ground.remove(first)
  const since = performance.now()
  await runningGpuPod(ground.kube, waits, signal)
  return performance.now() - since
}
