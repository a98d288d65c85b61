import type { KubeClient } from '../../kube/client.ts'
import { runInPod } from './run-in-pod.ts'
import type { RunningPod } from './shell-pods.ts'

export type LookUp =
  | { kind: 'addresses'; addresses: string[] }
  | { kind: 'nxdomain' }
  | { kind: 'timed-out' }
  | { kind: 'other'; seen: string }

/**
 * Asks the pod's own resolver for the IPv4 addresses of a full name (with its last dot). "There is no such name" and "nobody
 * answered" are told apart.
 * @throws LocalCloudError PROBE_NOT_RUN or that of KubeClient.exec when the question could not be asked
 */
export async function lookUp(
  kube: KubeClient,
  from: Pick<RunningPod, 'namespace' | 'name'>,
  name: string,
  signal: AbortSignal,
): Promise<LookUp> {
  const { timedOut, stdout, stderr, exitCode } = await runInPod(
    kube,
    from,
    'timeout 8 nslookup -type=a "$1"',
    [name],
    signal,
  )
  const said = `${stdout}\n${stderr}`
  if (/NXDOMAIN/.test(said)) return { kind: 'nxdomain' }
  if (timedOut || /timed out|no servers could be reached/i.test(said)) return { kind: 'timed-out' }
  // What stands above the first "Name:" is the resolver's own address.
  const answer = stdout.slice(Math.max(0, stdout.search(/^Name:/m)))
  const addresses = [...answer.matchAll(/^Address(?: \d+)?:\s*(\d+\.\d+\.\d+\.\d+)\s*$/gm)].map(
    ([, address = '']) => address,
  )
  if (exitCode === 0 && addresses.length > 0) return { kind: 'addresses', addresses }
  return { kind: 'other', seen: said.trim().split('\n').at(-1) ?? '' }
}

/** The outcome in words. */
export function describeLookUp(outcome: LookUp): string {
  if (outcome.kind === 'addresses') return `resolved to ${outcome.addresses.join(', ')}`
  if (outcome.kind === 'nxdomain') return 'does not exist (NXDOMAIN)'
  return outcome.kind === 'timed-out' ? 'timed out' : `was answered with: ${outcome.seen}`
}
