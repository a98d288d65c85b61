import type { ConnectedKube, KubeClient, KubeObject } from '../../bootstrap/kube/client.ts'
import { collectDiagnostics, type CollectedFile } from '../../bootstrap/kube/collect.ts'
import { redact } from '../../bootstrap/process/redact.ts'

/** How long looking at a namespace may take before it goes, milliseconds. */
const lookMs = 5_000
/** Pods whose last words are kept, and how many lines of each. */
const most = { pods: 6, lines: 100 }

let remembered: CollectedFile[] = []

/**
 * Keeps, in memory, how the pods of a namespace are, its events and the last words of its containers: a test deletes its namespace before
 * anybody knows whether it failed. What cannot be read is left out.
 */
export async function rememberNamespace(kube: KubeClient, namespace: string): Promise<void> {
  const signal = AbortSignal.timeout(lookMs)
  const list = (kind: string) => kube.list({ apiVersion: 'v1', kind, namespace }, signal).catch(() => [])
  const [pods, events] = await Promise.all([list('Pod'), list('Event')])
  const folder = `namespaces/${namespace}`
  const logs = await Promise.all(
    pods.slice(0, most.pods).map(async ({ metadata: { name } }): Promise<CollectedFile> => ({
      path: `${folder}/logs/${name}.log`,
      content: redact(
        await kube
          .logs({ namespace, name, tailLines: most.lines }, signal)
          .catch((error: unknown) => `not read: ${error instanceof Error ? error.message : String(error)}`),
      ),
    })),
  )
  remembered.push(
    { path: `${folder}/pods.json`, content: json(pods) },
    { path: `${folder}/events.json`, content: json(events) },
    ...logs,
  )
}

const json = (objects: readonly KubeObject[]): string => redact(`${JSON.stringify(objects, undefined, 2)}\n`)

/** What was remembered since the last call. */
export function takeRemembered(): CollectedFile[] {
  const files = remembered
  remembered = []
  return files
}

/** Everything about these namespaces that are still there, and the cluster's nodes, versions and events. */
export async function evidenceOf(
  kube: ConnectedKube,
  namespaces: readonly string[],
  signal: AbortSignal,
): Promise<CollectedFile[]> {
  const files: CollectedFile[] = []
  for await (const file of collectDiagnostics(kube, { namespaces, signal })) files.push(file)
  return files
}
