import { setTimeout as delay } from 'node:timers/promises'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { stamp } from '../../bootstrap/steps/objects.ts'
import type { Cluster } from '../harness/cluster.ts'
import { hurryVariable } from '../harness/hurry.ts'
import { patternOf, suiteOf } from '../harness/reference.ts'
import { sweep } from '../harness/sweep.ts'
import { runTests } from '../run/run-tests.ts'
import { applyChange, restore } from './apply.ts'
import { judgeMutation } from './judge.ts'
import { mutationVariable, type Mutation } from './mutation.ts'
import type { MutationResult } from './result.ts'

/** How long one mutation may take with its restoration, milliseconds. */
const oneMs = 300_000

/**
 * Makes one change on the cluster, runs the test that must catch it with its neighbours, judges, and puts everything back whatever happens.
 * `objects` are those of the overlay without any change, and stay as they are. The report of the run lies in `directory`. What tests made is
 * deleted, and perhaps not gone yet.
 * @throws LocalCloudError when the cluster could not be put back
 */
export async function tryMutation(
  { cluster, objects }: { cluster: Cluster; objects: readonly KubeObject[] },
  mutation: Mutation,
  directory: string,
  stop: AbortSignal,
): Promise<MutationResult> {
  const started = performance.now()
  const { name, breaks, object, caughtBy, neighbours } = mutation
  const result = (outcome: MutationResult['outcome'], why: string): MutationResult => ({
    name,
    breaks,
    object,
    outcome,
    why,
    caughtBy,
    durationMs: Math.round(performance.now() - started),
  })
  const signal = AbortSignal.any([stop, AbortSignal.timeout(oneMs)])
  const rendered = objects.find(({ kind, metadata }) => `${kind}/${metadata.name}` === object)
  if (!rendered) return result('broke', `the overlay has no ${object}`)
  const changed = mutation.change(structuredClone(rendered))
  const before = asUpAppliesIt(cluster, rendered)
  const after = changed && asUpAppliesIt(cluster, changed)
  try {
    await applyChange(cluster.kube, before, after, signal)
    if (mutation.settleMs !== undefined) await delay(mutation.settleMs, undefined, { signal })
    process.env[mutationVariable] = name
    process.env[hurryVariable] = '1'
    const references = [caughtBy, ...neighbours]
    const report = await runTests({
      suites: [...new Set(references.map(suiteOf))],
      pattern: patternOf(references),
      directory,
      signal,
    })
    const { outcome, why } = judgeMutation(mutation, report)
    return result(outcome, why)
  } catch (error) {
    return result('broke', error instanceof Error ? error.message : String(error))
  } finally {
    for (const variable of [mutationVariable, hurryVariable]) Reflect.deleteProperty(process.env, variable)
    await restore(cluster.kube, before, after, AbortSignal.timeout(oneMs))
    if (mutation.settleMs !== undefined) await delay(mutation.settleMs)
    await sweep(cluster.kube, cluster.runId, AbortSignal.timeout(60_000), { wait: false })
  }
}

/** With the labels and annotations of `up`, so that the object is restored to what it was, and not to something like it. */
const asUpAppliesIt = ({ record }: Cluster, object: KubeObject): KubeObject =>
  stamp([object], record?.images?.ids ?? {})[0]?.object ?? object
