import type { KubeObject } from '../kube/client.ts'
import { gpuResource } from '../plan/gpu-plan.ts'

/** A pod that has GPUs or waits for some: what is left for another pod is what these do not ask for. */
export interface GpuHolder {
  name: string
  /** How many it asks for. */
  gpus: number
  /** The healthy ones that the kubelet gave it, by the device plugin's identities; empty while it waits. */
  given: string[]
}

interface PodSpec {
  containers: { resources?: { limits?: Record<string, string> } }[]
}

/** Status of a pod's devices (Kubernetes, feature gate ResourceHealthStatus). */
interface PodStatus {
  phase?: string
  containerStatuses?: {
    allocatedResourcesStatus?: { name: string; resources?: { resourceID: string; health?: string }[] }[]
  }[]
}

/** How many GPUs all of them ask for. */
export const gpusAskedFor = (holders: readonly GpuHolder[]): number =>
  holders.reduce((sum, { gpus }) => sum + gpus, 0)

/** Pods that have GPUs or wait for some; those that ended have none. Pure. */
export function gpuHolders(pods: readonly KubeObject[]): GpuHolder[] {
  return pods.flatMap((pod) => {
    const { containers } = pod['spec'] as unknown as PodSpec
    const { phase, containerStatuses = [] } = (pod['status'] ?? {}) as PodStatus
    const gpus = containers.reduce(
      (sum, { resources }) => sum + Number(resources?.limits?.[gpuResource] ?? 0),
      0,
    )
    if (gpus === 0 || phase === 'Succeeded' || phase === 'Failed') return []
    const given = containerStatuses
      .flatMap(({ allocatedResourcesStatus = [] }) => allocatedResourcesStatus)
      .filter(({ name }) => name === gpuResource)
      .flatMap(({ resources = [] }) => resources)
      .flatMap(({ resourceID, health }) => (health === 'Healthy' ? [resourceID] : []))
    return [{ name: pod.metadata.name, gpus, given }]
  })
}
