import type { ExecResult, KubeClient, KubeObject } from '../../bootstrap/kube/client.ts'
import { as, type PodShape } from '../../bootstrap/kube/shapes.ts'
import { isReady } from './is-ready.ts'
import { runLabel } from './run-id.ts'
import { CheckBroke } from './verdict.ts'

/** How long a ready pod of the component may take to be there, milliseconds; another suite may be replacing it. */
const readyTimeoutMs = 90_000

/**
 * Runs a program in a ready pod of a component of SLATE, in its first container. When that pod went away meanwhile, because another suite
 * replaced it, in the one that came after it. Copies that tests made are no pods of SLATE.
 * @throws CheckBroke when it could not run in a pod that stayed; LocalCloudError WAIT_TIMEOUT when there is no ready pod
 */
export async function execInComponent(
  kube: KubeClient,
  { namespace, component }: { namespace: string; component: string },
  argv: readonly string[],
  signal: AbortSignal,
): Promise<ExecResult & { pod: string }> {
  for (;;) {
    const pod = await readyPodOf(kube, { namespace, component }, signal)
    const { name, uid } = pod.metadata
    try {
      return { pod: name, ...(await kube.exec({ namespace, name }, argv, { signal })) }
    } catch (error) {
      signal.throwIfAborted()
      const now = await kube.get({ apiVersion: 'v1', kind: 'Pod', namespace, name }, signal)
      if (now?.metadata.uid === uid && now?.metadata.deletionTimestamp === undefined) {
        const reason = error instanceof Error ? error.message : String(error)
        throw new CheckBroke(`${argv.join(' ')} could not run in ${name}: ${reason}`, { cause: error })
      }
    }
  }
}

/** A pod of the component that is ready and stays. */
export async function readyPodOf(
  kube: KubeClient,
  { namespace, component }: { namespace: string; component: string },
  signal: AbortSignal,
): Promise<KubeObject> {
  const pods = await kube.waitForList(
    {
      apiVersion: 'v1',
      kind: 'Pod',
      namespace,
      labelSelector: `app.kubernetes.io/component=${component},!${runLabel}`,
    },
    (all) => {
      const phases = all
        .map((pod) => `${pod.metadata.name} ${as<PodShape>(pod).status?.phase ?? ''}`)
        .join(', ')
      return all.some(isReady) ? { met: true, seen: phases } : { met: false, seen: phases || 'no pod' }
    },
    { timeoutMs: readyTimeoutMs, signal },
  )
  const pod = pods.find(isReady)
  if (!pod) throw new CheckBroke(`There is no ready pod of ${component}.`)
  return pod
}
