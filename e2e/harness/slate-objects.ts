import path from 'node:path'
import { claimsOnGpuNode } from '../../bootstrap/gpu/claims-on-gpu-node.ts'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { renderKustomization } from '../../bootstrap/manifests/render.ts'
import { validateSystem } from '../../bootstrap/manifests/validate.ts'
import { packageRoot } from '../../bootstrap/state/package-root.ts'
import { changed } from '../mutations/changed.ts'
import type { Cluster } from './cluster.ts'
import { CheckBroke } from './verdict.ts'

/**
 * The objects of SLATE as its local overlay renders them, in a run of the mutations with the change that is on trial. For copies in a
 * namespace of a test; what they must be stands in the contract.
 * @throws LocalCloudError RENDER_FAILED
 */
export async function slateObjects(
  { paths }: Pick<Cluster, 'paths'>,
  signal: AbortSignal,
): Promise<KubeObject[]> {
  return changed(await renderKustomization(path.join(packageRoot, 'overlays/slate/local'), { paths, signal }))
}

/**
 * The objects of a system as `up` put them on this cluster: its overlay with the options that were chosen.
 * @throws LocalCloudError RENDER_FAILED, MANIFEST_INVALID; CheckBroke when the system is not of the recorded plan
 */
export async function systemAsUpHasIt(
  { paths, record }: Pick<Cluster, 'paths' | 'record'>,
  wanted: string,
  signal: AbortSignal,
): Promise<KubeObject[]> {
  const plan = record?.plan
  const system = plan?.systems.find(({ name }) => name === wanted)
  if (!plan || !system)
    throw new CheckBroke(`The system ${wanted} is not of the plan that this cluster was made by.`)
  const { name, environment, choices = {} } = system
  const objects = await validateSystem({ system: name, environment, choices }, { paths, signal })
  return [...claimsOnGpuNode(objects, plan)]
}

/** One of them, as `Kind/name`. @throws Error when it is not there */
export function objectNamed(objects: readonly KubeObject[], id: string): KubeObject {
  const found = objects.find(({ kind, metadata }) => `${kind}/${metadata.name}` === id)
  if (!found) throw new Error(`The overlay has no ${id}.`)
  return structuredClone(found)
}
