import { LocalCloudError } from '../errors/local-cloud-error.ts'
import { comparePlans, type Change } from '../plan/changes.ts'
import type { Plan } from '../plan/plan.ts'
import type { FoundCluster } from '../providers/provider.ts'
import type { Session } from './session.ts'
import type { Step } from './step.ts'

/** Whether this cluster was begun and never finished; there is nothing in it to keep. */
export const isHalfMade = (session: Session, cluster: FoundCluster): boolean =>
  !(cluster.complete ?? !session.files.halfMade())

/**
 * How the cluster that is there differs from the plan; empty when there is none or only a half-made one, or when nobody
 * knows what it was made to be.
 */
export async function changesOf(session: Session, plan: Plan): Promise<Change[]> {
  const { cluster, record } = await session.look()
  if (!cluster || isHalfMade(session, cluster)) return []
  const made = record?.plan ?? (await session.files.plan())
  return made ? comparePlans(made, plan) : []
}

/** @throws LocalCloudError FOREIGN_CLUSTER */
export function refuseForeign(name: string): never {
  throw new LocalCloudError('FOREIGN_CLUSTER', {
    message: `A cluster named ${name} exists and was not made by local-cloud; it was not touched.`,
  })
}

/**
 * Compares what is there with what is asked for, before images are made and anything is changed.
 * @throws LocalCloudError FOREIGN_CLUSTER; CHANGE_NEEDS_RECREATE with every such change, unless `recreate`.
 */
export function existingStep(
  session: Session,
  plan: Plan,
  recreate: boolean,
  needs: readonly string[],
): Step {
  return {
    id: 'existing',
    title: 'Compare with what is there',
    needs,
    timeoutMs: 60_000,
    async observe() {
      const { cluster, record } = await session.look()
      if (!cluster) return { state: 'done', reason: `no cluster ${session.name} yet` }
      if (cluster.owner === 'foreign') refuseForeign(session.name)
      const changes = await changesOf(session, plan)
      const hard = changes.filter((change) => change.kind === 'needs-recreate').map((change) => change.words)
      if (hard.length > 0 && !recreate) {
        throw new LocalCloudError('CHANGE_NEEDS_RECREATE', {
          message: `Cluster ${session.name} was made with other options, and these cannot be changed in place: ${hard.join('; ')}.`,
          hint: `Repeat the command with --recreate (the cluster and its data are deleted first), choose another --name, or leave the options as they were.`,
        })
      }
      if (hard.length > 0) return { state: 'done', reason: `a new cluster is needed: ${hard.join('; ')}` }
      if (changes.length > 0) {
        return {
          state: 'done',
          reason: `to be changed in place: ${changes.map((change) => change.words).join('; ')}`,
        }
      }
      if (isHalfMade(session, cluster)) return { state: 'done', reason: 'half made, to be made again' }
      return {
        state: 'done',
        reason: record?.complete === true ? 'made to the same plan' : 'begun to the same plan, not finished',
      }
    },
    apply: () => Promise.resolve(),
    verify: () => Promise.resolve('compared'),
  }
}
