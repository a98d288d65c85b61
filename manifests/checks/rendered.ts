import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { renderKustomization } from '../../bootstrap/manifests/render.ts'
import { validateSystem } from '../../bootstrap/manifests/validate.ts'

const repo = fileURLToPath(new URL('../..', import.meta.url))
const stateDir = join(repo, '.local-cloud')

const paths = { repo, stateDir, cacheDir: join(stateDir, 'cache') }

/** The objects of a kustomization; `folder` is relative to the repository. @throws LocalCloudError RENDER_FAILED */
export async function rendered(folder: string): Promise<KubeObject[]> {
  return renderKustomization(join(repo, folder), { paths, signal: AbortSignal.timeout(30_000) })
}

/** The objects of a system's overlay with options of the system (system.yaml). @throws LocalCloudError RENDER_FAILED, MANIFEST_INVALID */
export async function renderedWith(
  system: string,
  environment: string,
  choices: Record<string, string>,
): Promise<KubeObject[]> {
  const choice = { system, environment, choices }
  return validateSystem(choice, { paths, signal: AbortSignal.timeout(30_000) })
}
