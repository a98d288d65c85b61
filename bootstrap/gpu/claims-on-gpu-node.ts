import { podRequests } from '../fit/pod-requests.ts'
import type { KubeObject } from '../kube/client.ts'
import { podTemplateOf } from '../manifests/pod-template.ts'
import { gpuResource } from '../plan/gpu-plan.ts'
import type { Plan } from '../plan/plan.ts'

/** By which the scheduler tells a provisioner of volumes for which node a volume is. */
export const selectedNodeAnnotation = 'volume.kubernetes.io/selected-node'

/**
 * The objects, in which on a cluster of several nodes with GPUs the claims of pods with a GPU are for the node that has them. Otherwise the first
 * of several pods that share a claim decides where its volume is, and when that is another node, none can ever take the pod with the GPU: a
 * local volume is on one node (https://kubernetes.io/docs/concepts/storage/storage-classes/#volume-binding-mode). Claims that name their
 * volume stay as they are. Pure.
 */
export function claimsOnGpuNode(
  objects: readonly KubeObject[],
  { gpu, nodes }: Pick<Plan, 'gpu' | 'nodes'>,
): readonly KubeObject[] {
  const node = nodes.at(-1)?.name
  if (gpu === undefined || nodes.length < 2 || node === undefined) return objects
  const claims = new Set(
    objects.flatMap((object) => {
      const spec = podTemplateOf(object)?.spec
      if (!spec || (podRequests(spec)[gpuResource] ?? 0) === 0) return []
      return (spec.volumes ?? []).flatMap(({ persistentVolumeClaim: claim }) =>
        claim?.claimName === undefined ? [] : [`${object.metadata.namespace ?? ''}/${claim.claimName}`],
      )
    }),
  )
  return objects.map((object) => {
    const { kind, metadata } = object
    const namesVolume = (object['spec'] as { volumeName?: string } | undefined)?.volumeName !== undefined
    if (kind !== 'PersistentVolumeClaim' || namesVolume) return object
    if (!claims.has(`${metadata.namespace ?? ''}/${metadata.name}`)) return object
    const annotations = { ...metadata.annotations, [selectedNodeAnnotation]: node }
    return { ...object, metadata: { ...metadata, annotations } }
  })
}
