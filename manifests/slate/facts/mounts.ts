import type { KubeObject } from '../../../bootstrap/kube/client.ts'
import { at, listAt, mainContainerOf, podSpecOf, textAt } from '../../checks/manifest.ts'

interface Mount {
  path: string
  readOnly: boolean
}

/** Claim → where the main container has it, of the claims that are both declared as a volume and mounted. */
export const claimMounts = (manifest: KubeObject): Map<string, Mount> =>
  mountsOf(manifest, 'persistentVolumeClaim', 'claimName')

/** ConfigMap → where the main container has it. */
export const configMapMounts = (manifest: KubeObject): Map<string, Mount> =>
  mountsOf(manifest, 'configMap', 'name')

function mountsOf(manifest: KubeObject, source: string, name: string): Map<string, Mount> {
  const mounts = listAt(mainContainerOf(manifest), 'volumeMounts')
  return new Map(
    listAt(podSpecOf(manifest), 'volumes').flatMap((volume): [string, Mount][] => {
      const named = textAt(volume, source, name)
      const mount = mounts.find((one) => at(one, 'name') === at(volume, 'name'))
      if (named === '' || mount === undefined) return []
      return [[named, { path: textAt(mount, 'mountPath'), readOnly: at(mount, 'readOnly') === true }]]
    }),
  )
}
