import type { KubeObject } from '../kube/client.ts'
import { as } from '../kube/shapes.ts'

/** A claim and the volume it has. */
export interface ClaimHealth {
  namespace: string
  name: string
  phase: string
  volume?: string
  /** Of the volume, or as asked for while there is none. */
  size: string
  /** Empty for a claim that wants no class. */
  storageClass: string
}

/** Each claim as its status tells it. Pure. */
export function claimHealth(claims: readonly KubeObject[]): ClaimHealth[] {
  return claims.map((object) => {
    const { spec = {}, status = {} } = as<{
      spec?: {
        volumeName?: string
        storageClassName?: string
        resources?: { requests?: { storage?: string } }
      }
      status?: { phase?: string; capacity?: { storage?: string } }
    }>(object)
    return {
      namespace: object.metadata.namespace ?? '',
      name: object.metadata.name,
      phase: status.phase ?? 'Pending',
      ...(spec.volumeName === undefined ? {} : { volume: spec.volumeName }),
      size: status.capacity?.storage ?? spec.resources?.requests?.storage ?? '',
      storageClass: spec.storageClassName ?? '',
    }
  })
}
