import type { Probe, ProbeResult } from '../../../bootstrap/addons/addon.ts'
import { askHttp, describeAnswer, type HttpAnswer } from '../../../bootstrap/addons/probing/ask-http.ts'
import { eventually } from '../../../bootstrap/addons/probing/eventually.ts'
import { makePeerNamespace } from '../../../bootstrap/addons/probing/peer-namespace.ts'
import { serviceFor } from '../../../bootstrap/addons/probing/service.ts'
import { type RunningPod, servedPort, startShellPods } from '../../../bootstrap/addons/probing/shell-pods.ts'
import type { KubeObject } from '../../../bootstrap/kube/client.ts'

const serverText = 'local-cloud canary server'
const controlText = 'local-cloud canary control'
const settleMs = 60_000
/** One silent attempt may be a lost packet; enforcement is silence that lasts. */
const silentRounds = 2

/**
 * Enforcement canary: a client reaches a server and a control server. Under policies that deny everything to the server and let
 * client and control meet by their labels alone it loses only the server, and gets it back when the policies are gone: traffic is
 * blocked, and pods are known by their labels in both directions. Then a pod in another namespace reaches the server's ClusterIP.
 */
export const probe: Probe = async (context) => {
  const { kube, namespace, signal } = context
  const peer = await makePeerNamespace(context, 'cilium')
  const service = serviceFor('server', { name: 'server', namespace })
  const [[server, control, client, visitor]] = await Promise.all([
    startShellPods(context, [
      { name: 'server', serves: serverText },
      { name: 'control', serves: controlText },
      { name: 'client', awayFrom: 'server' },
      { name: 'visitor', namespace: peer, awayFrom: 'server' },
    ]),
    kube.apply([service], { signal, dryRun: 'skip' }),
  ])

  const ask = (to: RunningPod, expected: string): Promise<HttpAnswer> =>
    askHttp(kube, client, { ip: to.ip, port: servedPort, expected }, signal)
  const askBoth = (): Promise<[HttpAnswer, HttpAnswer]> =>
    Promise.all([ask(server, serverText), ask(control, controlText)])
  const talking = (): Promise<string | undefined> => holds(askBoth, ['answered', 'answered'], signal)

  const before = await talking()
  if (before !== undefined) return fail(`before any policy ${before}`)

  const policies = [denyAll(namespace), mayReach(namespace), mayBeReached(namespace)]
  await kube.apply(policies, { signal, dryRun: 'skip' })
  const silenced = await holds(askBoth, ['timed-out', 'answered'], signal, silentRounds)
  if (silenced !== undefined) {
    return fail(`under a deny-all policy for the server, and the control allowed by its labels, ${silenced}`)
  }

  await Promise.all(
    policies.map(({ apiVersion, kind, metadata: { name } }) =>
      kube.delete({ apiVersion, kind, name, namespace }, { signal, wait: true }),
    ),
  )
  const after = await talking()
  if (after !== undefined) return fail(`after the policies were deleted ${after}`)

  const made = await kube.get({ apiVersion: 'v1', kind: 'Service', name: 'server', namespace }, signal)
  const clusterIp = (made?.spec as { clusterIP?: string } | undefined)?.clusterIP ?? ''
  const reached = await eventually(
    async () => {
      const answer = await askHttp(kube, visitor, { ip: clusterIp, port: 80, expected: serverText }, signal)
      return answer.kind === 'answered'
        ? { met: true, value: clusterIp }
        : { met: false, seen: describeAnswer(answer) }
    },
    { timeoutMs: settleMs, signal },
  )
  if (!reached.met) return fail(`from another namespace the ClusterIP ${clusterIp} ${reached.seen}`)

  return {
    result: 'pass',
    seen: `pods talked, were silenced by deny-all while the control, allowed by its labels, answered, talked again; ${clusterIp} answered another namespace`,
  }
}

/** Undefined when server and control answered as wanted `rounds` times in a row; else what the last round saw. */
async function holds(
  askBoth: () => Promise<[HttpAnswer, HttpAnswer]>,
  wanted: [HttpAnswer['kind'], HttpAnswer['kind']],
  signal: AbortSignal,
  rounds = 1,
): Promise<string | undefined> {
  let inARow = 0
  const outcome = await eventually(
    async () => {
      const [server, control] = await askBoth()
      inARow = server.kind === wanted[0] && control.kind === wanted[1] ? inARow + 1 : 0
      if (inARow >= rounds) return { met: true, value: true }
      return {
        met: false,
        seen: `the server ${describeAnswer(server)} and the control ${describeAnswer(control)}`,
      }
    },
    { timeoutMs: settleMs, signal },
  )
  return outcome.met ? undefined : outcome.seen
}

const fail = (seen: string): ProbeResult => ({ result: 'fail', seen })

const policy = (namespace: string, name: string, spec: Record<string, unknown>): KubeObject => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name, namespace, labels: { 'app.kubernetes.io/managed-by': 'local-cloud' } },
  spec,
})

const pods = (...names: string[]): Record<string, unknown> => ({
  matchExpressions: [{ key: 'probe-pod', operator: 'In', values: names }],
})

const denyAll = (namespace: string): KubeObject =>
  policy(namespace, 'deny-all', { podSelector: pods('server'), policyTypes: ['Ingress'] })

/** The client's way out leads to both servers, so that it is the other policy that silences one of them. */
const mayReach = (namespace: string): KubeObject =>
  policy(namespace, 'may-reach', {
    podSelector: pods('client'),
    policyTypes: ['Egress'],
    egress: [{ to: [{ podSelector: pods('server', 'control') }] }],
  })

const mayBeReached = (namespace: string): KubeObject =>
  policy(namespace, 'may-be-reached', {
    podSelector: pods('control'),
    policyTypes: ['Ingress'],
    ingress: [{ from: [{ podSelector: pods('client') }] }],
  })
