import type { ExecResult, KubeObject } from '../kube/client.ts'
import { fakeCluster, readyStatus, type FakeCluster } from '../kube/fake-client.ts'
import type { ProbeContext } from './addon.ts'

/** What a test lets a pod's shell answer to a script and its arguments; an error is thrown as the API would. */
export type Script = (call: {
  pod: string
  argv: readonly string[]
  args: readonly string[]
}) => Partial<ExecResult> | Error

export interface FakeProbeCluster {
  cluster: FakeCluster
  context: ProbeContext
  /** Pods that never get Ready. */
  stuck: Set<string>
  /** Sets what pods answer from now on. */
  answer(script: Script): void
  /** Sets what raw GETs answer from now on. */
  raw(answer: (path: string) => { status: number; body: string }): void
}

export const podStart = '2026-01-01T10:00:00Z'

/**
 * A cluster in memory as a probe sees it: namespaces come with their ServiceAccount, pods are Ready with an address
 * (`ip-<name>`) and a UID of their own, Services have the ClusterIP 10.96.0.7, what pods answer is scripted.
 */
export function fakeProbeCluster(): FakeProbeCluster {
  const cluster = fakeCluster()
  const stuck = new Set<string>()
  let script: Script = () => ({})
  let rawAnswer = (_path: string): { status: number; body: string } => ({ status: 404, body: 'not found' })
  let uids = 0

  cluster.status = (object) => {
    if (object.kind === 'Namespace') accountIn(cluster, object.metadata.name)
    if (object.kind === 'Service') (object.spec as { clusterIP?: string }).clusterIP ??= '10.96.0.7'
    if (object.kind !== 'Pod') return readyStatus(object)
    const status = stuck.has(object.metadata.name) ? 'False' : 'True'
    return {
      phase: 'Running',
      podIP: `ip-${object.metadata.name}`,
      startTime: podStart,
      conditions: [{ type: 'Ready', status }],
    }
  }

  const { client } = cluster
  const kube = {
    ...client,
    async waitFor(...args: Parameters<typeof client.waitFor>) {
      const found = await client.waitFor(...args)
      if (found?.kind === 'Pod') found.metadata.uid = `uid-${String((uids += 1))}`
      return found
    },
    async exec(pod: { name: string }, argv: readonly string[], { signal }: { signal: AbortSignal }) {
      signal.throwIfAborted()
      const answered = script({ pod: pod.name, argv, args: argv.slice(4) })
      if (answered instanceof Error) throw answered
      return { exitCode: 0, stdout: '', stderr: '', ...answered }
    },
    raw: async (path: string) => rawAnswer(path),
  }
  return {
    cluster,
    stuck,
    context: {
      kube,
      namespace: 'probe-ns',
      shellImage: 'docker.io/library/busybox:1.35.0',
      ingressUrl: 'http://127.0.0.1:1',
      signal: new AbortController().signal,
    },
    answer(next) {
      script = next
    },
    raw(next) {
      rawAnswer = next
    },
  }
}

function accountIn(cluster: FakeCluster, namespace: string): void {
  const account: KubeObject = {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'default', namespace },
  }
  cluster.objects.set(`ServiceAccount ${namespace}/default`, account)
}
