import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { attach, choiceFromEnvironment, type Cluster } from './cluster.ts'
import { startTwin, type TwinOptions } from './cron-twin.ts'
import { createNamespace } from './namespace.ts'
import type { TestRecord } from './record.ts'
import { objectNamed, slateObjects } from './slate-objects.ts'
import { requireSlate } from './slate.ts'

/** The shipped CronJob of which twins are made. */
export const shippedName = 'slate-instruction-sync'

/** A namespace for twins of a shipped CronJob. Leaving its scope deletes it with them. */
export interface TwinStage extends AsyncDisposable {
  cluster: Cluster
  namespace: string
  /** Makes a twin, as `startTwin` of cron-twin does. @throws CheckBroke when it is gone at once */
  startTwin(
    record: TestRecord,
    options: Omit<TwinOptions, 'namespace' | 'runId'>,
    signal: AbortSignal,
  ): Promise<KubeObject>
}

/**
 * Makes the namespace on the cluster of this run; `purpose` becomes a part of its name.
 * @throws NotProven when SLATE is not on the cluster; CheckBroke when there is no cluster that may be tested
 */
export async function setTwinStage(purpose: string, signal: AbortSignal): Promise<TwinStage> {
  await using stack = new AsyncDisposableStack()
  const cluster = await attach(choiceFromEnvironment(), signal)
  requireSlate(cluster)
  const { kube, runId } = cluster
  const { name: namespace } = stack.use(await createNamespace({ kube, runId, purpose, signal }))
  const shipped = objectNamed(await slateObjects(cluster, signal), `CronJob/${shippedName}`)
  const kept = stack.move()
  return {
    cluster,
    namespace,
    startTwin: (record, options, stop) =>
      startTwin(kube, shipped, { ...options, namespace, runId, record, signal: stop }),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}
