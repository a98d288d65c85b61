import type { Session } from './session.ts'
import type { Step } from './step.ts'

/** Building kind from its module on a busy machine; half a minute is usual. */
const timeoutMs = 20 * 60_000

/** Has the programs that make clusters, beside the images, so that the cluster need not wait for them. */
export function providerToolsStep(session: Session, provider: string, needs: readonly string[]): Step {
  return {
    id: 'provider-tools',
    title: `Program ${provider}`,
    needs,
    timeoutMs,
    async observe() {
      const { kube } = await session.look()
      return kube
        ? { state: 'done', reason: 'not needed for a cluster that runs' }
        : { state: 'absent', reason: 'needed to make or repair the cluster' }
    },
    apply: (run) => session.tools.prepareProvider(run.signal),
    verify: () => Promise.resolve('there'),
  }
}
