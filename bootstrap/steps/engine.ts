import type { Plan } from '../plan/plan.ts'
import { requireIngressPorts } from '../host/ingress-ports.ts'
import type { Session } from './session.ts'
import type { Step, StepRun } from './step.ts'

/**
 * Opens the container engine, installing one first where there is none and that is allowed. `before` is called before anything
 * is installed, and may refuse it.
 */
export function engineStep(
  session: Session,
  plan: Pick<Plan, 'listenAddress' | 'httpPort' | 'httpsPort'>,
  before: (run: StepRun) => Promise<unknown>,
): Step {
  const words = async (): Promise<string> => {
    const engine = await session.engine()
    return `${engine.kind} ${engine.version}`
  }
  return {
    id: 'engine',
    title: 'Container engine',
    needs: [],
    timeoutMs: 15 * 60_000,
    async observe() {
      const { engine } = await session.look()
      return engine
        ? { state: 'done', reason: await words() }
        : { state: 'absent', reason: 'no container engine on this machine' }
    },
    async apply(run) {
      // Without an engine no cluster of ours can hold the ports, so they are checked before anything is installed.
      await requireIngressPorts(plan)
      await before(run)
      await session.engine((message) => {
        run.progress(message)
      })
      session.forgetLook()
    },
    verify: words,
  }
}
