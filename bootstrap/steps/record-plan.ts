import { canonicalJson, type Plan } from '../plan/plan.ts'
import { ownRecordRef } from '../existing/ours.ts'
import type { ObjectRef } from '../kube/client.ts'
import { recordRef } from './record.ts'
import type { Session } from './session.ts'
import type { Step } from './step.ts'

const refPath = ({ namespace, name }: ObjectRef): string => `${namespace ?? ''}/${name}`

/** Writes into the cluster what it now is, so that the next `up` knows what changed. The last step. */
export function recordPlanStep(
  session: Session,
  plan: Plan,
  toolVersion: string,
  needs: readonly string[],
): Step {
  return {
    id: 'record-plan',
    title: 'Record of the plan',
    needs,
    timeoutMs: 60_000,
    async observe() {
      const { cluster, record } = await session.look()
      if (!cluster) return { state: 'absent', reason: `no cluster ${session.name}` }
      if (!record) return { state: 'absent', reason: 'the cluster has no record of its plan' }
      if (!record.complete) return { state: 'partial', reason: 'an earlier run was not finished' }
      if (canonicalJson(record.plan) !== canonicalJson(plan))
        return { state: 'partial', reason: 'the plan changed' }
      if (record.toolVersion !== toolVersion)
        return { state: 'partial', reason: 'recorded by another version' }
      return { state: 'done', reason: 'the recorded plan is this one' }
    },
    async apply() {
      await session.record({ plan, complete: true, toolVersion })
      // For those who ask what is there without asking the cluster.
      await session.files.writePlan(plan)
    },
    verify: () =>
      Promise.resolve(
        `recorded in ConfigMap ${refPath(session.existing ? ownRecordRef(session.name) : recordRef)}`,
      ),
  }
}
