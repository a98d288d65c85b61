import { findPortHolder } from '../host/free-ports.ts'
import { ingressPortsOf, requireIngressPorts } from '../host/ingress-ports.ts'
import type { Plan } from '../plan/plan.ts'
import type { Session } from './session.ts'
import type { Step } from './step.ts'

/**
 * Finds out before anything is made whether the ingress ports can be had. Ports that our own running cluster of that
 * name has are fine.
 * @throws LocalCloudError PORT_TAKEN with the holder's name, from `observe`.
 */
export function portsStep(session: Session, plan: Plan, needs: readonly string[]): Step {
  const words = `${String(plan.httpPort)} and ${String(plan.httpsPort)} on ${plan.listenAddress}`
  return {
    id: 'ports',
    title: 'Host ports',
    needs,
    timeoutMs: 30_000,
    async observe() {
      const holders = await Promise.all(
        ingressPortsOf(plan).map(({ port }) => findPortHolder(port, plan.listenAddress)),
      )
      if (holders.every((holder) => holder === undefined))
        return { state: 'done', reason: `${words} are free` }
      const { cluster, record } = await session.look()
      const running = cluster?.owner === 'ours' && cluster.nodes.some((node) => node.running)
      const made = running ? (record?.plan ?? (await session.files.plan())) : undefined
      const own = made?.listenAddress === plan.listenAddress ? [made.httpPort, made.httpsPort] : []
      await requireIngressPorts(plan, new Set(own))
      return { state: 'done', reason: `${words} lead to cluster ${session.name}` }
    },
    apply: () => requireIngressPorts(plan),
    verify: () => Promise.resolve(`${words} are free`),
  }
}
