import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { toLocalCloudError } from '../errors/to-local-cloud-error.ts'
import { gpuNodeFiles } from '../gpu/node-files.ts'
import type { GpuPlan } from '../plan/gpu-plan.ts'
import { writeLayer } from '../images/oci/layer.ts'
import type { ClusterProvider } from '../providers/provider.ts'
import type { StepRun } from './step.ts'

/** Makes devices and the CDI specification from the files; a node runs it by itself whenever it starts. */
const makeReady = '/usr/local/libexec/local-cloud/gpu'
/** What the node image brings for GPUs; kind's own has none of it. */
const programs = ['/usr/bin/nvidia-ctk', '/usr/bin/nvidia-container-runtime', makeReady]

/**
 * Puts GPUs into a node: its files, then the devices and the CDI specification that are made from them.
 * @throws LocalCloudError GPU_NODE_RUNTIME when the node's image has nothing for GPUs, or when they cannot be made ready, with the last lines
 */
export async function furnishGpus(
  provider: ClusterProvider,
  node: string,
  gpu: GpuPlan,
  run: StepRun,
): Promise<void> {
  const { signal } = run
  await requirePrograms(provider, node, signal)
  const files = Object.entries(gpuNodeFiles(gpu, node))
  const gone = files.filter(([, text]) => text === null).map(([path]) => path)
  if (gone.length > 0) await provider.runInNode(node, ['rm', '-f', ...gone], { signal })
  const folder = await mkdtemp(join(tmpdir(), 'local-cloud-gpu-'))
  try {
    const archive = join(folder, 'files.tar')
    await writeLayer(
      files.flatMap(([path, text]) => (text === null ? [] : [{ kind: 'text' as const, path, text }])),
      archive,
    )
    await provider.runInNode(node, ['tar', '-xf', '-', '-C', '/', '--no-overwrite-dir'], {
      signal,
      stdinFile: archive,
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  await provider.runInNode(node, [makeReady], { signal }).catch((error: unknown) => {
    signal.throwIfAborted()
    const { evidence } = toLocalCloudError(error)
    throw new LocalCloudError('GPU_NODE_RUNTIME', {
      message: `The GPUs of node ${node} could not be made ready.`,
      evidence: [...evidence],
      cause: error,
    })
  })
}

async function requirePrograms(provider: ClusterProvider, node: string, signal: AbortSignal): Promise<void> {
  const script = 'for program; do test -x "$program" || echo "$program"; done'
  const missing = await provider.runInNode(node, ['sh', '-c', script, 'sh', ...programs], { signal })
  if (missing.trim() === '') return
  throw new LocalCloudError('GPU_NODE_RUNTIME', {
    message: `Node ${node} has no ${missing.trim().split('\n').join(', ')}: its image was not made for GPUs.`,
    hint: 'Use --images packages, whose node image has NVIDIA’s container toolkit, with --recreate.',
  })
}

/** Takes them out again; containers that have one keep it until they end. */
export async function clearGpus(provider: ClusterProvider, node: string, { signal }: StepRun): Promise<void> {
  const files = ['/etc/local-cloud/gpu', '/etc/local-cloud/gpu-devices', '/var/run/cdi/nvidia.yaml']
  await provider.runInNode(node, ['rm', '-rf', ...files], { signal })
}
