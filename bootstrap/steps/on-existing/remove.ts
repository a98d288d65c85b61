import { leftOfOurs, removeOurs, type Removal } from '../../existing/remove-ours.ts'
import { clusterFiles } from '../cluster-files.ts'
import type { Paths } from '../../plan/options.ts'
import type { Step, StepRun } from '../step.ts'
import type { Tools } from '../tools.ts'
import { LocalCloudError } from '../../errors/local-cloud-error.ts'
import { toLocalCloudError } from '../../errors/to-local-cloud-error.ts'
import type { FoundAccess } from './access.ts'

/** What became of what was put on an existing cluster. */
export interface Removed extends Removal {
  context: string
  /** What still carries our labels afterwards. */
  left: string[]
}

export interface RemoveOptions {
  paths: Paths
  name: string
  access: FoundAccess
  tools: Pick<Tools, 'existing'>
  timeoutMs: number
  /** Called when all is done, before the state directory forgets the cluster. */
  done: (removed: Removed) => void
}

/** How long the API may take to answer at all, milliseconds. */
const answerMs = 15_000

/**
 * Takes from an existing cluster everything of ours, and then forgets it. While the cluster does not answer it is not forgotten, for then
 * nobody knows what is left on it.
 */
export function removeFromExistingStep(options: RemoveOptions): Step {
  const { paths, name, access, tools, timeoutMs } = options
  const remove = async (run: StepRun): Promise<void> => {
    const kube = await tools.existing(access.kubeconfig)
    await requireAnswer(options, (signal) => kube.raw('/readyz', signal), run)
    const removal = await removeOurs(kube, name, run)
    const left = await leftOfOurs(kube, name, removal.kept, run.signal)
    options.done({ ...removal, left, context: access.context })
    if (left.length === 0) await clusterFiles(paths, name).remove()
  }
  return {
    id: `existing:${name}`,
    title: `${name} on the cluster of context ${access.context}`,
    needs: ['state'],
    timeoutMs,
    observe: () => Promise.resolve({ state: 'done', reason: '' }),
    apply: () => Promise.resolve(),
    verify: () => Promise.resolve(''),
    undo: remove,
  }
}

async function requireAnswer(
  { paths, name, access }: RemoveOptions,
  ask: (signal: AbortSignal) => Promise<{ status: number }>,
  { signal }: StepRun,
): Promise<void> {
  let why: string
  try {
    const { status } = await ask(AbortSignal.any([signal, AbortSignal.timeout(answerMs)]))
    if (status === 200) return
    why = `/readyz answers ${String(status)}`
  } catch (error) {
    if (signal.aborted) throw error
    why = toLocalCloudError(error).message
  }
  throw new LocalCloudError('API_UNREACHABLE', {
    message: `The cluster of context ${access.context} does not answer (${why}); what is on it as ${name} stays.`,
    hint: `Run down again when it answers. If the cluster is gone for good, forget it: rm -r ${clusterFiles(paths, name).folder}`,
  })
}
