import { findPortHolder, requireFreePorts } from '../host/free-ports.ts'
import type { Plan } from '../plan/plan.ts'
import type { Session } from './session.ts'
import type { Step } from './step.ts'

type Ports = Pick<Plan, 'listenAddress' | 'httpPort' | 'httpsPort'>

const portsOf = (plan: Ports): { flag: string; port: number }[] => [
  { flag: 'http-port', port: plan.httpPort },
  { flag: 'https-port', port: plan.httpsPort },
]

/** @throws LocalCloudError PORT_TAKEN for the first ingress port that is bound and not in `except`; BAD_VALUE for an address that is not ours. */
export const requireIngressPorts = (plan: Ports, except: ReadonlySet<number> = new Set()): Promise<void> =>
  requireFreePorts(
    portsOf(plan).filter(({ port }) => !except.has(port)),
    plan.listenAddress,
  )

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
        portsOf(plan).map(({ port }) => findPortHolder(port, plan.listenAddress)),
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
