import type { Probe } from '../../../bootstrap/addons/addon.ts'
import { eventually } from '../../../bootstrap/addons/probing/eventually.ts'
import { describeLookUp, lookUp, type LookUp } from '../../../bootstrap/addons/probing/look-up.ts'
import { serviceFor } from '../../../bootstrap/addons/probing/service.ts'
import { startShellPods } from '../../../bootstrap/addons/probing/shell-pods.ts'

const settleMs = 45_000

/** A Service resolves to its ClusterIP, a headless one to its pod, and what does not exist is said not to exist. */
export const probe: Probe = async (context) => {
  const { kube, namespace, signal } = context
  const services = [
    serviceFor('server', { name: 'plain', namespace }),
    serviceFor('server', { name: 'headless', namespace, headless: true }),
  ]
  const [[server, client]] = await Promise.all([
    startShellPods(context, [{ name: 'server', serves: 'local-cloud dns probe' }, { name: 'client' }]),
    kube.apply(services, { signal, dryRun: 'skip' }),
  ])
  const plain = await kube.get({ apiVersion: 'v1', kind: 'Service', name: 'plain', namespace }, signal)
  const clusterIp = (plain?.spec as { clusterIP?: string } | undefined)?.clusterIP
  if (clusterIp === undefined) return { result: 'not-proven', reason: 'the Service got no ClusterIP' }

  const zone = `${namespace}.svc.cluster.local.`
  const questions: { name: string; wanted: LookUp }[] = [
    { name: `plain.${zone}`, wanted: { kind: 'addresses', addresses: [clusterIp] } },
    { name: `headless.${zone}`, wanted: { kind: 'addresses', addresses: [server.ip] } },
    { name: `absent.${zone}`, wanted: { kind: 'nxdomain' } },
    // What a resolver of others says of names outside depends on where it forwards them to.
    ...(context.theirs === true ? [] : [{ name: 'absent.invalid.', wanted: { kind: 'nxdomain' } as const }]),
  ]
  const answers = await Promise.all(
    questions.map(async ({ name, wanted }) => {
      const outcome = await eventually(
        async () => {
          const got = await lookUp(kube, client, name, signal)
          const said = describeLookUp(got)
          return said === describeLookUp(wanted) ? { met: true, value: said } : { met: false, seen: said }
        },
        { timeoutMs: settleMs, signal },
      )
      return {
        ok: outcome.met,
        said: `${name} ${outcome.met ? outcome.value : `${outcome.seen}, not: ${describeLookUp(wanted)}`}`,
      }
    }),
  )
  const wrong = answers.filter(({ ok }) => !ok)
  if (wrong.length > 0) return { result: 'fail', seen: wrong.map(({ said }) => said).join('; ') }
  return { result: 'pass', seen: answers.map(({ said }) => said).join('; ') }
}
