import { threadId } from 'node:worker_threads'
import type { KubeClient, KubeObject } from '../../bootstrap/kube/client.ts'
import { marksOf } from '../../bootstrap/existing/ours.ts'
import { choiceFromEnvironment } from './cluster.ts'
import { hurries } from './hurry.ts'
import { keeps } from './keep.ts'
import { rememberNamespace } from './namespace-evidence.ts'
import { runLabel } from './run-id.ts'

export interface NamespaceOptions {
  kube: KubeClient
  runId: string
  /** Part of the name: what the namespace is for, a few lower-case letters. */
  purpose: string
  labels?: Record<string, string>
  /** Level that Pod Security enforces; `restricted` unless a test needs more. */
  podSecurity?: 'privileged' | 'baseline' | 'restricted'
  signal: AbortSignal
}

/**
 * A namespace of one test. Leaving its scope (`await using`) deletes it with everything in it and waits until it is gone, unless the run
 * keeps what it makes or is in a hurry (hurry.ts).
 */
export interface TestNamespace extends AsyncDisposable {
  name: string
  /** Labels by which a policy may select it. */
  labels: Record<string, string>
}

/** How long the deletion of a namespace may take, milliseconds: copies of a system have half a minute of grace, and the controller looks twice. */
const deletionTimeoutMs = 180_000

let count = 0

/** Makes a namespace whose name holds the purpose, the run id and a counter, so that no two of any run meet. */
export async function createNamespace(options: NamespaceOptions): Promise<TestNamespace> {
  const { kube, runId, purpose, podSecurity = 'restricted', signal } = options
  count += 1
  const name = `e2e-${purpose}-${runId}-${String(process.pid)}-${String(threadId)}-${String(count)}`
  const labels = { [runLabel]: runId, ...options.labels }
  const object: KubeObject = {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name,
      // By these `down` finds on an existing cluster what a run that was killed has left.
      labels: {
        ...marksOf(choiceFromEnvironment().name),
        ...labels,
        'pod-security.kubernetes.io/enforce': podSecurity,
      },
    },
  }
  await kube.apply([object], { signal, dryRun: 'skip' })
  return {
    name,
    labels: { ...labels, 'kubernetes.io/metadata.name': name },
    async [Symbol.asyncDispose]() {
      await rememberNamespace(kube, name)
      if (keeps()) return
      await kube.delete(
        { apiVersion: 'v1', kind: 'Namespace', name },
        { signal: AbortSignal.timeout(deletionTimeoutMs), wait: !hurries() },
      )
    },
  }
}
