import { parseAllDocuments } from 'yaml'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { KubeObject } from '../kube/client.ts'
import type { Paths } from '../plan/options.ts'
import { runCommand } from '../process/run-command.ts'
import { kubectlPath } from '../tools/kubectl.ts'

/**
 * The objects of a kustomization, in its order, as `kubectl apply -k` would send them: no flag makes it more lenient.
 * @throws LocalCloudError RENDER_FAILED with the command and its last lines, or when what it wrote is not a list of objects
 */
export async function renderKustomization(
  directory: string,
  options: { paths: Paths; signal: AbortSignal },
): Promise<KubeObject[]> {
  const kubectl = await kubectlPath(options)
  const { stdout } = await runCommand(kubectl, ['kustomize', directory], {
    signal: options.signal,
    errorCode: 'RENDER_FAILED',
    // Kustomize reads nothing of a cluster; a broken kubeconfig of the user must not matter.
    env: { KUBECONFIG: '/dev/null' },
  })
  return parseObjects(stdout, directory)
}

/**
 * The objects of a stream of YAML documents; empty documents are left out.
 * @throws LocalCloudError RENDER_FAILED with source, document and line
 */
export function parseObjects(text: string, source: string): KubeObject[] {
  return [...parseAllDocuments(text)].flatMap((document, index) => {
    const [error] = document.errors
    const place = `${source}, document ${String(index + 1)}`
    if (error)
      throw new LocalCloudError('RENDER_FAILED', {
        message: `${place} is no YAML: ${error.message}`,
        cause: error,
      })
    const value: unknown = document.toJS()
    if (value === null || value === undefined) return []
    if (!isObject(value)) {
      throw new LocalCloudError('RENDER_FAILED', {
        message: `${place} is no Kubernetes object: it needs apiVersion, kind and metadata.name`,
      })
    }
    return [value]
  })
}

function isObject(value: unknown): value is KubeObject {
  if (typeof value !== 'object' || value === null) return false
  const { apiVersion, kind, metadata } = value as Record<string, unknown>
  const name = (metadata as { name?: unknown } | null | undefined)?.name
  return typeof apiVersion === 'string' && typeof kind === 'string' && typeof name === 'string'
}
