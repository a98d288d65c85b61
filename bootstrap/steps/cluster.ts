import { readFile } from 'node:fs/promises'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { toLocalCloudError } from '../errors/to-local-cloud-error.ts'
import type { Plan } from '../plan/plan.ts'
import { throwIfAborted } from '../process/run-command.ts'
import { changesOf, isHalfMade, refuseForeign } from './existing.ts'
import type { Session } from './session.ts'
import type { Observation, Step, StepRun } from './step.ts'

/** What must happen to the cluster, and why. */
interface Finding {
  todo: 'nothing' | 'create' | 'start' | 'recreate' | 'record'
  reason: string
}

export interface ClusterStepOptions {
  plan: Plan
  toolVersion: string
  needs: readonly string[]
  timeoutMs: number
}

/**
 * Has a cluster of ours that answers: makes it when it is absent, starts it when it is stopped, and deletes it and makes
 * it again, saying so, when it is half made, cannot be repaired, or must be new for the plan. Writes its kubeconfig into the
 * state directory, readable for its owner only. Never touches a cluster that is not ours (FOREIGN_CLUSTER).
 */
export function clusterStep(session: Session, options: ClusterStepOptions): Step {
  const { plan } = options
  const { name, files } = session

  const find = async (): Promise<Finding> => {
    const { cluster, kube, record, trouble } = await session.look()
    if (!cluster) return { todo: 'create', reason: `no cluster ${name}` }
    if (cluster.owner === 'foreign') refuseForeign(name)
    const hard = (await changesOf(session, plan)).filter((change) => change.kind === 'needs-recreate')
    if (hard.length > 0) {
      return {
        todo: 'recreate',
        reason: `made to another plan (${hard.map((change) => change.words).join('; ')})`,
      }
    }
    if (isHalfMade(session, cluster)) {
      return { todo: 'recreate', reason: 'its creation was interrupted' }
    }
    const wanted = plan.nodes.length
    if (cluster.nodes.length !== wanted) {
      return { todo: 'recreate', reason: `it has ${String(cluster.nodes.length)} of ${String(wanted)} nodes` }
    }
    const stopped = cluster.nodes.filter((node) => !node.running)
    if (stopped.length > 0) {
      return { todo: 'start', reason: `stopped: ${stopped.map((node) => node.name).join(', ')}` }
    }
    if (!kube) return { todo: 'start', reason: `its API does not answer: ${trouble ?? 'no reason known'}` }
    if (!record) return { todo: 'record', reason: 'it has no record of its plan' }
    return { todo: 'nothing', reason: `${nodeWords(wanted)} running, the API answers` }
  }

  const create = async (run: StepRun): Promise<void> => {
    const provider = await session.provider()
    const images = await session.prepareImages(run)
    run.progress(`creating ${nodeWords(plan.nodes.length)} from ${images.nodeImage}`)
    await files.beginCreation(plan)
    await provider.create(
      {
        name,
        nodes: plan.nodes.length,
        ...(plan.cni === undefined ? {} : { network: plan.cni }),
        nodeImage: images.nodeImage,
        httpPort: plan.httpPort,
        httpsPort: plan.httpsPort,
        listenAddress: plan.listenAddress,
        kubeadmPatches: plan.kubeadmPatches,
        extraMounts: plan.extraMounts,
      },
      run,
    )
    await files.writeKubeconfig(await provider.kubeconfig(name, run.signal))
    session.clusterChanged()
    await session.kube()
    await remember()
  }

  const remember = async (): Promise<void> => {
    await session.record({ plan, complete: false, toolVersion: options.toolVersion })
    await files.endCreation()
  }

  const recreate = async (run: StepRun, why: string): Promise<void> => {
    session.emit({
      type: 'notice',
      level: 'warning',
      message: `Cluster ${name} is deleted and made again: ${why}.`,
    })
    await (await session.provider()).delete(name, run)
    session.clusterChanged()
    await create(run)
  }

  return {
    id: 'cluster',
    title: `Cluster ${name}`,
    needs: options.needs,
    timeoutMs: options.timeoutMs,
    async observe(): Promise<Observation> {
      const { todo, reason } = await find()
      if (todo === 'nothing') return { state: 'done', reason }
      return { state: todo === 'create' ? 'absent' : 'partial', reason }
    },
    async apply(run) {
      const { todo, reason } = await find()
      if (todo === 'create') await create(run)
      if (todo === 'recreate') await recreate(run, reason)
      if (todo === 'record') await remember()
      if (todo !== 'start') return
      const provider = await session.provider()
      try {
        run.progress(`starting again: ${reason}`)
        await provider.start(name, run)
        await files.writeKubeconfig(await provider.kubeconfig(name, run.signal))
        session.clusterChanged()
        await session.kube()
      } catch (error) {
        throwIfAborted(run.signal)
        await recreate(
          run,
          `it could not be repaired (${toLocalCloudError(error).message.replace(/\.$/, '')})`,
        )
      }
    },
    async verify(run) {
      const kube = await session.kube()
      const { body, status } = await kube.raw('/version', run.signal)
      if (status !== 200) {
        throw new LocalCloudError('API_UNREACHABLE', {
          message: `The API of cluster ${name} answered ${String(status)} when asked for its version.`,
        })
      }
      const version = (JSON.parse(body) as { gitVersion?: string }).gitVersion ?? 'of unknown version'
      return `Kubernetes ${version}, ${nodeWords(plan.nodes.length)}`
    },
    async undo(run) {
      await (await session.provider()).delete(name, run)
      await files.remove()
      session.clusterChanged()
    },
  }
}

const nodeWords = (count: number): string => `${String(count)} ${count === 1 ? 'node' : 'nodes'}`

/** The patch files' contents, for the plan. NO_PERMISSION when one cannot be read. */
export async function readPatches(paths: readonly string[]): Promise<string[]> {
  return Promise.all(
    paths.map(async (path) => {
      try {
        return await readFile(path, 'utf8')
      } catch (error) {
        throw new LocalCloudError('NO_PERMISSION', { message: `${path} could not be read.`, cause: error })
      }
    }),
  )
}
