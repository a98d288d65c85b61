import type { KubeClient } from '../../bootstrap/kube/client.ts'
import { runLabel } from './run-id.ts'

/** Environment variable with the PriorityClass that the pods of this run have; absent where the run made none, as on a cluster of others. */
export const priorityVariable = 'LOCAL_CLOUD_E2E_PRIORITY_CLASS'

/** The name of a run's PriorityClass. */
export const priorityClassOf = (runId: string): string => `local-cloud-e2e-${runId}`

/** Above every class of a system that is tried, far below those of the cluster itself (user classes end at 1 000 000 000). */
const value = 1_000_000

/**
 * Makes the PriorityClass of a run, which stays until `takePriority`, and names it to the workers. Pods of this class displace nobody and are
 * displaced by nobody: on a full node they wait, while without it a scheduled job of the system could take a prober's place.
 */
export async function givePriority(
  kube: Pick<KubeClient, 'apply'>,
  runId: string,
  signal: AbortSignal,
): Promise<void> {
  const name = priorityClassOf(runId)
  await kube.apply(
    [
      {
        apiVersion: 'scheduling.k8s.io/v1',
        kind: 'PriorityClass',
        metadata: { name, labels: { [runLabel]: runId } },
        value,
        preemptionPolicy: 'Never',
        description: 'Pods of a run of the proof: they displace nobody, and are not displaced.',
      },
    ],
    { signal, dryRun: 'skip' },
  )
  process.env[priorityVariable] = name
}

/** Deletes the PriorityClass of a run, where there is one; pods that are still there keep their priority. */
export const takePriority = (
  kube: Pick<KubeClient, 'delete'>,
  runId: string,
  signal: AbortSignal,
): Promise<void> =>
  kube.delete(
    { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', name: priorityClassOf(runId) },
    { signal, wait: false },
  )

/** The part of a pod's spec that puts it into the class of the run; empty where there is none. */
export function runPriority(): { priorityClassName?: string } {
  const name = process.env[priorityVariable]
  return name === undefined ? {} : { priorityClassName: name }
}
