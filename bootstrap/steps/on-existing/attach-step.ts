import type { Plan } from '../../plan/plan.ts'
import type { Session } from '../session.ts'
import type { Step } from '../step.ts'
import { isRemembered, rememberAccess, type FoundAccess } from './access.ts'
import type { FoundCapabilities } from './capabilities.ts'
import { ownNamespaceObject } from './ownership.ts'

export interface AttachOptions {
  plan: Plan
  toolVersion: string
  access: FoundAccess
  capabilities: Pick<FoundCapabilities, 'toRecord'>
  needs: readonly string[]
}

/**
 * Has our own namespace on an existing cluster with the record in it, and the way to the cluster in the state directory. The first step
 * that changes anything.
 */
export function attachStep(session: Session, options: AttachOptions): Step {
  const { plan, access, toolVersion } = options
  const { context } = access
  return {
    id: 'cluster',
    title: `Cluster of context ${context}`,
    needs: options.needs,
    timeoutMs: 60_000,
    async observe({ signal }) {
      const { record } = await session.look()
      if (!record) return { state: 'absent', reason: `nothing of ${session.name} is on it` }
      if (!(await isRemembered(session.paths, session.name, access)))
        return { state: 'partial', reason: 'the state directory does not know it, or another way to it' }
      if ((await options.capabilities.toRecord(signal)) !== undefined)
        return { state: 'partial', reason: 'it has other capabilities than recorded' }
      return { state: 'done', reason: 'its API answers, and it has our record' }
    },
    async apply(run) {
      const kube = await session.kube()
      await rememberAccess(session.paths, session.name, access)
      await session.files.writePlan(plan)
      await kube.apply([ownNamespaceObject(session.name)], { signal: run.signal })
      const { record } = await session.look()
      const capabilities = await options.capabilities.toRecord(run.signal)
      await session.record({
        ...(record ? {} : { plan, complete: false, toolVersion }),
        ...(capabilities ? { capabilities } : {}),
      })
      session.forgetLook()
    },
    async verify(run) {
      const kube = await session.kube()
      const { body } = await kube.raw('/version', run.signal)
      const version = (JSON.parse(body) as { gitVersion?: string }).gitVersion ?? 'of unknown version'
      return `Kubernetes ${version}, context ${context}`
    },
  }
}
