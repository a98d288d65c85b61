import { hostname } from 'node:os'
import type { KubeClient, KubeObject } from '../kube/client.ts'
import { exists } from '../kube/conditions/exists.ts'
import { selectorQuery } from '../kube/label-selector.ts'

/** Label of every namespace made for a probe; its value is the add-on's name. */
export const probeLabel = 'local-cloud.io/probe'
const ownerAnnotation = 'local-cloud.io/probe-owner'

/** Longer than any probe takes: after that a namespace has no owner any more, wherever it ran. */
const longestProbeMs = 30 * 60_000

/** Makes a throw-away namespace and returns when pods can be made in it. */
export async function makeProbeNamespace(
  kube: KubeClient,
  name: string,
  addon: string,
  signal: AbortSignal,
  labels: Readonly<Record<string, string>> = {},
): Promise<void> {
  const namespace: KubeObject = {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name,
      labels: {
        ...labels,
        'app.kubernetes.io/name': 'probe',
        'app.kubernetes.io/managed-by': 'local-cloud',
        [probeLabel]: addon,
        'pod-security.kubernetes.io/enforce': 'privileged',
      },
      annotations: { [ownerAnnotation]: owner() },
    },
  }
  await kube.apply([namespace], { signal, dryRun: 'skip' })
  await kube.waitFor({ apiVersion: 'v1', kind: 'ServiceAccount', namespace: name, name: 'default' }, exists, {
    timeoutMs: 30_000,
    signal,
  })
}

const owner = (): string => `${hostname()}/${String(process.pid)}`

/** Names of the namespaces that probes of this process made and that are not gone yet. */
export async function ownProbeNamespaces(
  kube: Pick<KubeClient, 'list'>,
  signal: AbortSignal,
): Promise<string[]> {
  const found = await kube.list({ apiVersion: 'v1', kind: 'Namespace', labelSelector: probeLabel }, signal)
  return found
    .filter(({ metadata }) => metadata.annotations?.[ownerAnnotation] === owner())
    .map(({ metadata }) => metadata.name)
}

/** Starts the deletion of the namespaces and does not wait for its end. */
export async function dropProbeNamespaces(
  kube: KubeClient,
  names: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(
    names.map((name) => kube.delete({ apiVersion: 'v1', kind: 'Namespace', name }, { signal })),
  )
}

/** Deletes the add-on's probe namespaces, of those with these labels, whose process has ended without doing so. */
export async function dropStaleProbeNamespaces(
  kube: KubeClient,
  addon: string,
  signal: AbortSignal,
  labels: Readonly<Record<string, string>> = {},
): Promise<void> {
  const labelSelector = selectorQuery({ matchLabels: { [probeLabel]: addon, ...labels } })
  const found = await kube.list({ apiVersion: 'v1', kind: 'Namespace', labelSelector }, signal)
  const stale = found.filter(
    ({ metadata }) => metadata.deletionTimestamp === undefined && !ownerLives(metadata),
  )
  await dropProbeNamespaces(
    kube,
    stale.map(({ metadata }) => metadata.name),
    signal,
  )
}

function ownerLives({ annotations, creationTimestamp }: KubeObject['metadata']): boolean {
  const made = Date.parse(creationTimestamp ?? '')
  if (Number.isFinite(made) && Date.now() - made > longestProbeMs) return false
  const owner = annotations?.[ownerAnnotation] ?? ''
  const split = owner.lastIndexOf('/')
  if (owner.slice(0, split) !== hostname()) return true
  try {
    process.kill(Number(owner.slice(split + 1)), 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
