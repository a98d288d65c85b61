import { LocalCloudError } from '../../errors/local-cloud-error.ts'
import type { ExecResult, KubeClient } from '../../kube/client.ts'
import type { RunningPod } from './shell-pods.ts'

/** Exit codes of a program that was stopped because its time was up: by SIGTERM, by SIGKILL, or as GNU timeout has it. */
const outOfTime = new Set([143, 137, 124])

/**
 * Runs a shell script in a pod; `$1`, `$2`… are the arguments. What the script itself reports comes back.
 * @throws LocalCloudError PROBE_NOT_RUN when the script could not be carried out (a program is missing or crashed): such an
 * outcome says nothing about the add-on; and what KubeClient.exec throws
 */
export async function runInPod(
  kube: KubeClient,
  pod: Pick<RunningPod, 'namespace' | 'name'>,
  script: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<ExecResult & { timedOut: boolean }> {
  const result = await kube.exec(
    { namespace: pod.namespace, name: pod.name, container: 'shell' },
    ['sh', '-c', script, 'sh', ...args],
    {
      signal,
    },
  )
  const timedOut = outOfTime.has(result.exitCode)
  const broken =
    result.exitCode === 126 || result.exitCode === 127 || result.exitCode < 0 || result.exitCode > 128
  if (broken && !timedOut) {
    throw new LocalCloudError('PROBE_NOT_RUN', {
      message: `In pod ${pod.namespace}/${pod.name} the probe's script ended with exit code ${String(result.exitCode)}.`,
      evidence: [`sh -c ${JSON.stringify(script)} ${args.join(' ')}`, result.stderr.trim()].filter(
        (line) => line !== '',
      ),
    })
  }
  return { ...result, timedOut }
}
