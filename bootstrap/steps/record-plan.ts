import { canonicalJson, type Plan } from '../plan/plan.ts'
import { ownRecordRef } from '../existing/ours.ts'
import type { ObjectRef } from '../kube/client.ts'
import { recordRef, type RecordedCapabilities } from './record.ts'
import type { Session } from './session.ts'
import type { Step } from './step.ts'

const refPath = ({ namespace, name }: ObjectRef): string => `${namespace ?? ''}/${name}`

/**
 * Writes into the cluster what it now is, so that the next `up` knows what changed. The last step. `capabilitiesNow` tells those that are to be
 * recorded with it, where they changed on the way.
 */
export function recordPlanStep(
  session: Session,
  plan: Plan,
  toolVersion: string,
  needs: readonly string[],
  capabilitiesNow: (signal: AbortSignal) => Promise<RecordedCapabilities | undefined> = () =>
    Promise.resolve(undefined),
): Step {
  return {
    id: 'record-plan',
    title: 'Record of the plan',
    needs,
    timeoutMs: 60_000,
    async observe({ signal }) {
      const { cluster, record } = await session.look()
      if (!cluster) return { state: 'absent', reason: `no cluster ${session.name}` }
      if (!record) return { state: 'absent', reason: 'the cluster has no record of its plan' }
      if (!record.complete) return { state: 'partial', reason: 'an earlier run was not finished' }
      if (canonicalJson(record.plan) !== canonicalJson(plan))
        return { state: 'partial', reason: 'the plan changed' }
      if (record.toolVersion !== toolVersion)
        return { state: 'partial', reason: 'recorded by another version' }
      if ((await capabilitiesNow(signal)) !== undefined)
        return { state: 'partial', reason: 'it has other capabilities than recorded' }
      return { state: 'done', reason: 'the recorded plan is this one' }
    },
    async apply({ signal }) {
      const capabilities = await capabilitiesNow(signal)
      await session.record({ plan, complete: true, toolVersion, ...(capabilities ? { capabilities } : {}) })
      // For those who ask what is there without asking the cluster.
      await session.files.writePlan(plan)
    },
    verify: () =>
      Promise.resolve(
        `recorded in ConfigMap ${refPath(session.existing ? ownRecordRef(session.name) : recordRef)}`,
      ),
  }
}
