import type { KubeClient } from '../../kube/client.ts'
import { runInPod } from './run-in-pod.ts'
import type { RunningPod } from './shell-pods.ts'

/** How a new connection went: only silence is `timed-out`; a refusal or another text is `other`. */
export type HttpAnswer = { kind: 'answered' } | { kind: 'timed-out' } | { kind: 'other'; seen: string }

/**
 * Opens a new connection from a pod, sends GET / and compares the answer with `expected`. Gives up after two seconds
 * without connection, four in all.
 * @throws LocalCloudError PROBE_NOT_RUN or that of KubeClient.exec when the attempt could not be made
 */
export async function askHttp(
  kube: KubeClient,
  from: Pick<RunningPod, 'namespace' | 'name'>,
  to: { ip: string; port: number; expected: string },
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const script = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | timeout 4 nc -w 2 "$1" "$2"`
  const { timedOut, stdout, stderr, exitCode } = await runInPod(
    kube,
    from,
    script,
    [to.ip, String(to.port)],
    signal,
  )
  if (stdout.includes(to.expected)) return { kind: 'answered' }
  if (timedOut || /timed? ?out/i.test(stderr)) return { kind: 'timed-out' }
  const said = stderr.trim() || stdout.trim().split('\n')[0] || `exit code ${String(exitCode)}`
  return { kind: 'other', seen: said }
}

/** The answer in words: `answered`, `timed out`, or what else came. */
export const describeAnswer = (answer: HttpAnswer): string =>
  answer.kind === 'other'
    ? `did not answer (${answer.seen})`
    : answer.kind === 'answered'
      ? 'answered'
      : 'timed out'
