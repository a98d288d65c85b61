import type { KubeObject } from '../../bootstrap/kube/client.ts'
import type { Contract } from '../../manifests/slate/contract.ts'
import type { Cluster } from '../harness/cluster.ts'
import type { Check } from '../harness/controls.ts'
import type { Dial, Outcome } from './client.ts'
import { dialAll } from './matrix.ts'
import type { Peer } from './peer-pod.ts'
import { startPeer } from './peer-pod.ts'
import type { Source } from './source.ts'
import type { Stage } from './stage.ts'

/** A namespace with copies of SLATE's policies at hand and two pods for which they were written. */
export interface PolicyCopy {
  namespace: string
  /** Has Ollama's labels and its port. */
  ollama: Peer
  /** Has the dashboard's labels and its port. */
  dashboard: Peer
  /** SLATE's policies for this namespace; not applied. */
  policies: KubeObject[]
  apply(names?: readonly string[]): Promise<void>
  remove(names?: readonly string[]): Promise<void>
}

/** How long applying or deleting policies may take, milliseconds. */
const changeMs = 30_000

/** Makes the namespace with its two pods; the stage removes it at its end. */
export async function copyPolicies(
  { kube, context, runId }: Pick<Cluster, 'kube' | 'context' | 'runId'>,
  stage: Stage,
  contract: Contract,
  signal: AbortSignal,
): Promise<PolicyCopy> {
  const [{ name: namespace }, image, objects] = await Promise.all([
    stage.namespace('policies'),
    stage.image(),
    stage.objects(),
  ])
  const standIn = async (component: string): Promise<Peer> => {
    const row = contract.deployments.find((one) => one.component === component)
    return startPeer({
      cluster: { kube, context, runId },
      namespace,
      name: component,
      image,
      labels: {
        'app.kubernetes.io/component': component,
        'app.kubernetes.io/part-of': contract.podLabels.partOf,
      },
      ports: (row?.ports ?? []).map((containerPort) => ({ containerPort })),
      signal,
    })
  }
  const [ollama, dashboard] = await Promise.all([standIn('ollama'), standIn('dashboard')])
  const policies = objects
    .filter(({ kind }) => kind === 'NetworkPolicy')
    .map(({ apiVersion, kind, metadata, spec }): KubeObject => ({
      apiVersion,
      kind,
      metadata: { name: metadata.name, namespace },
      spec: spec as unknown,
    }))
  const chosen = (names: readonly string[] | undefined): KubeObject[] =>
    policies.filter(({ metadata }) => names === undefined || names.includes(metadata.name))
  return {
    namespace,
    ollama,
    dashboard,
    policies,
    async apply(names) {
      await kube.apply(chosen(names), { signal: AbortSignal.timeout(changeMs), dryRun: 'skip' })
    },
    async remove(names) {
      await Promise.all(
        chosen(names).map(({ apiVersion, kind, metadata: { name } }) =>
          kube.delete(
            { apiVersion, kind, namespace, name },
            { signal: AbortSignal.timeout(changeMs), wait: true },
          ),
        ),
      )
    },
  }
}

/** A look at one new connection; ok when it does what is wanted. */
export const dials = (title: string, source: Source, dial: Dial, wanted: Outcome): Check => ({
  title,
  run: async (signal) => {
    const [[seen = 'nothing'] = []] = await dialAll(source, [dial], signal, { passes: 1, timeoutMs: 1_200 })
    return { ok: seen === wanted, seen }
  },
})

/** Port `index` of a peer. */
export const dialOf = ({ pod }: Peer, index = 0): Dial => ({
  protocol: 'TCP',
  address: pod.ip,
  port: pod.ports[index]?.containerPort ?? 0,
})
