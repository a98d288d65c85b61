import { stringify } from 'yaml'
import { quietRequests } from '../../fit/control-plane.ts'

/** Where kubeadm finds the patches in a node (kubeadm.k8s.io/v1beta4, Patches.directory). */
export const patchesFolder = '/kind/local-cloud-patches'

/** Name → content of the patches that give the static pods our requests, as kubeadm reads them: COMPONENT+strategic.yaml. */
export function controlPlanePatches(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(quietRequests).map(([name, millicores]) => [
      `${name}+strategic.yaml`,
      stringify({
        spec: { containers: [{ name, resources: { requests: { cpu: `${String(millicores)}m` } } }] },
      }),
    ]),
  )
}
