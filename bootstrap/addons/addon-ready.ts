import type { Condition, KubeClient } from '../kube/client.ts'
import { apiServiceAvailable } from '../kube/conditions/api-service-available.ts'
import { daemonSetReady } from '../kube/conditions/daemon-set-ready.ts'
import { deploymentAvailable } from '../kube/conditions/deployment-available.ts'
import type { Addon } from './addon.ts'

const conditions: Record<string, Condition> = {
  Deployment: deploymentAvailable,
  DaemonSet: daemonSetReady,
  APIService: apiServiceAvailable,
}

/**
 * Returns when all Deployments and DaemonSets of an add-on have the pods they ask for, available, and its APIServices are
 * reached; says which.
 * @throws LocalCloudError WAIT_TIMEOUT naming the object and what it lacks, after the add-on's own time-out
 */
export async function addonReady(
  addon: Addon,
  kube: KubeClient,
  options: { signal: AbortSignal; onSeen?: (seen: string) => void },
): Promise<string> {
  const waits = addon.objects.flatMap((object) => {
    const condition = conditions[object.kind]
    return condition === undefined ? [] : [{ object, condition }]
  })
  await Promise.all(
    waits.map(({ object: { apiVersion, kind, metadata }, condition }) =>
      kube.waitFor(
        {
          apiVersion,
          kind,
          name: metadata.name,
          ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
        },
        condition,
        { timeoutMs: addon.timeoutMs, ...options },
      ),
    ),
  )
  return waits.map(({ object: { kind, metadata } }) => `${kind} ${metadata.name}`).join(', ')
}
