import { beforeAll, describe, it } from 'vitest'
import type { KubeObject, ObjectRef } from '../../bootstrap/kube/client.ts'
import { deploymentAvailable } from '../../bootstrap/kube/conditions/deployment-available.ts'
import { kubectl } from '../../bootstrap/tools/kubectl.ts'
import { readContract } from '../../manifests/slate/contract.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { consistently } from '../harness/consistently.ts'
import { eventually } from '../harness/eventually.ts'
import { createNamespace, type TestNamespace } from '../harness/namespace.ts'
import { startProbePod, type ProbePod } from '../harness/probe-pod.ts'
import { recordOf } from '../harness/record.ts'
import { startRequestStream, type RequestStream, type StreamTally } from '../harness/request-stream.ts'
import { requireSlate } from '../harness/slate.ts'
import { expectFacts } from '../harness/slate-facts.ts'
import { slateObjects } from '../harness/slate-objects.ts'
import { podsWith } from '../harness/slate-pods.ts'
import { CheckBroke } from '../harness/verdict.ts'
import { startCopy, type CopiedDeployment, type RunningCopy } from '../harness/workload-copy.ts'

/*
 * How pods of SLATE are replaced (ADR 0006), on copies of the dashboard with its own program and its own probes: two replicas behind its
 * Service, and a client that asks all the time, each time on a new connection.
 */
const contract = readContract()
const { deployments } = contract
const waitFor = { timeoutMs: 120_000 }

let cluster: Cluster
beforeAll(async () => {
  cluster = await attach(choiceFromEnvironment(), AbortSignal.timeout(30_000))
  requireSlate(cluster)
})

describe('Deployments of SLATE', () => {
  it.each(deployments)(
    '$name runs the stated image with the stated command and pull policy',
    async ({ name, entrypoint }) => {
      const facts = ['containers', 'image', ...(entrypoint === undefined ? [] : ['entrypoint'])]
      await expectFacts(cluster, `Deployment/${name}`, facts, AbortSignal.timeout(20_000))
    },
  )

  it.each(deployments)(
    '$name is replaced as stated, and has the stated ports and labels',
    async ({ name }) => {
      const facts = ['rollout', 'container ports', 'pod labels', 'service variables']
      await expectFacts(cluster, `Deployment/${name}`, facts, AbortSignal.timeout(20_000))
    },
  )

  it.each(deployments)(
    '$name wants the stated number of replicas, or what its autoscaler may choose',
    async ({ name, replicas }) => {
      const autoscaler = contract.autoscalers.find(({ target }) => target === name)
      const [least, most] = autoscaler ? [autoscaler.min, autoscaler.max] : [replicas, replicas]
      await eventually(
        name,
        async (signal) => {
          const deployment = await cluster.kube.get(
            { apiVersion: 'apps/v1', kind: 'Deployment', namespace: contract.namespace.name, name },
            signal,
          )
          const wanted = (deployment?.['spec'] as { replicas?: number } | undefined)?.replicas ?? 0
          return { ok: wanted >= least && wanted <= most, seen: `${String(wanted)} replicas wanted` }
        },
        { timeoutMs: 20_000, intervalMs: 500 },
      )
    },
  )
})

interface Trial extends AsyncDisposable {
  space: TestNamespace
  copy: RunningCopy
  client: ProbePod
  stream: RequestStream
}

/** A copy of the dashboard with a client that asks all the time. */
async function trial(
  purpose: string,
  signal: AbortSignal,
  change?: (deployment: CopiedDeployment) => void,
): Promise<Trial> {
  const { kube, runId } = cluster
  await using stack = new AsyncDisposableStack()
  const [objects, space] = await Promise.all([
    slateObjects(cluster, signal),
    createNamespace({ kube, runId, purpose, signal }),
  ])
  stack.use(space)
  const [copy, client] = await Promise.all([
    startCopy(kube, {
      objects,
      deployment: 'slate-dashboard',
      namespace: space.name,
      runId,
      signal,
      ...(change === undefined ? {} : { change }),
    }),
    startProbePod({ kube, runId, namespace: space.name, name: 'client', signal }),
  ])
  const url = `http://${copy.clusterIP}:${String(copy.service?.port)}/health`
  const stream = await startRequestStream(client, { name: 'stream', url, signal })
  await eventually(
    'the client is answered',
    async (stop) => {
      const { answered, failures } = await stream.tally(stop)
      return { ok: answered >= 20, seen: `${String(answered)} answers, ${String(failures.length)} failures` }
    },
    { timeoutMs: 30_000, intervalMs: 300, signal },
  )
  const kept = stack.move()
  return { space, copy, client, stream, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}

const labelsOf = ({ deployment }: RunningCopy) => deployment.spec.selector.matchLabels

const uidsOf = async ({ space, copy }: Trial, signal: AbortSignal): Promise<string[]> =>
  (await podsWith(cluster, { namespace: space.name, labels: labelsOf(copy) }, signal))
    .map(({ uid }) => uid)
    .sort()

/** Replaces the pods of a copy as `kubectl rollout restart` does. */
const restart = ({ copy }: Trial, signal: AbortSignal): Promise<KubeObject> =>
  cluster.kube.patch(
    copy.ref,
    {
      spec: {
        template: {
          metadata: { annotations: { 'kubectl.kubernetes.io/restartedAt': new Date().toISOString() } },
        },
      },
    },
    { signal },
  )

/** Waits for the end of a rollout; ends at once with the first request that failed. */
async function rolledOut({ copy, stream }: Trial, signal: AbortSignal): Promise<void> {
  const over = new AbortController()
  const watched = AbortSignal.any([signal, over.signal])
  const watching = (async () => {
    await consistently(
      'every request is answered',
      async (stop) => {
        const { failures } = await stream.tally(stop)
        return { ok: failures.length === 0, seen: failures[0] ?? 'no failure' }
      },
      { ...waitFor, intervalMs: 1_000, signal: watched },
    )
  })()
  const rolling = cluster.kube.waitFor(copy.ref, deploymentAvailable, { ...waitFor, signal: watched })
  try {
    await Promise.race([rolling, watching])
  } finally {
    over.abort()
    await Promise.allSettled([rolling, watching])
  }
}

/** Waits until so many different pods have answered since the stream began; which one is asked is chance. */
const answeredBy = (count: number, { stream }: Trial, signal: AbortSignal): Promise<string> =>
  eventually(
    `${String(count)} pods have answered`,
    async (stop) => {
      const seen = await stream.tally(stop)
      return { ok: Object.keys(seen.bodies).length >= count, seen: inWords(seen) }
    },
    { timeoutMs: 30_000, intervalMs: 300, signal },
  )

const inWords = ({ answered, failures, bodies }: StreamTally): string =>
  `${String(answered)} answers of ${String(Object.keys(bodies).length)} pods, ${String(failures.length)} failures`

/** Which ReplicaSet a Deployment has now: the hash that its pods carry. */
async function templateHash(
  ref: ObjectRef,
  labels: Record<string, string>,
  signal: AbortSignal,
): Promise<string[]> {
  const pods = await podsWith(cluster, { namespace: ref.namespace ?? '', labels }, signal)
  return [...new Set(pods.map(({ object }) => object.metadata.labels?.['pod-template-hash'] ?? ''))]
}

describe.concurrent('replacing pods', () => {
  it('a rolling update of the dashboard under constant requests loses none', async ({
    task,
    signal,
    expect: check,
  }) => {
    await using one = await trial('rolling', signal)
    const before = await uidsOf(one, signal)
    await answeredBy(before.length, one, signal)
    await restart(one, signal)
    await rolledOut(one, signal)
    // The old ones still drain: their end is part of the update.
    await eventually(
      'only new pods are left',
      async (stop) => {
        const after = await uidsOf(one, stop)
        return {
          ok: after.length === before.length && !after.some((uid) => before.includes(uid)),
          seen: after.join(', '),
        }
      },
      { timeoutMs: 60_000, intervalMs: 500, signal },
    )
    // Both the pods that went and the ones that came have answered.
    await answeredBy(before.length * 2, one, signal)
    const seen = await one.stream.stop(signal)
    recordOf(task.meta).facts.push(
      { name: 'requests', value: inWords(seen) },
      { name: 'the copy differs', value: one.copy.differs },
    )
    check(seen.failures).toEqual([])
  })

  it('the same update with Recreate loses requests: a loss would have been seen', async ({
    task,
    signal,
    expect: check,
  }) => {
    await using one = await trial('recreate', signal, ({ spec }) => {
      spec.strategy = { type: 'Recreate' }
      spec.replicas = 1
    })
    const calm = await one.stream.tally(signal)
    check(calm.failures).toEqual([])
    await restart(one, signal)
    const seen = await eventually(
      'requests fail',
      async (stop) => {
        const { failures } = await one.stream.tally(stop)
        return { ok: failures.length > 0, seen: failures[0] ?? 'no failure' }
      },
      { timeoutMs: 60_000, intervalMs: 300, signal },
    )
    recordOf(task.meta).facts.push(
      { name: 'before', value: inWords(calm) },
      { name: 'first loss', value: seen },
    )
  })

  it('a revision that never becomes ready takes no pod away, and a rollback restores the old one', async ({
    task,
    signal,
    expect: check,
  }) => {
    await using one = await trial('rollback', signal)
    const { copy, space } = one
    const { kubeconfigFile, context } = cluster
    const labels = labelsOf(copy)
    const before = await uidsOf(one, signal)
    const [revision] = await templateHash(copy.ref, labels, signal)
    if (revision === undefined) throw new CheckBroke('The copy has no pods.')
    const broken = structuredClone(copy.deployment)
    const [container] = broken.spec.template.spec.containers
    if (container) container.command = ['node', '-e', 'process.exit(3)']
    await cluster.kube.apply([broken], { signal, dryRun: 'skip' })
    await eventually(
      'the new revision fails',
      async (stop) => {
        const pods = await podsWith(cluster, { namespace: space.name, labels }, stop)
        const fresh = pods.filter(({ uid }) => !before.includes(uid))
        return { ok: fresh.some(({ restarts }) => restarts > 0), seen: `${String(fresh.length)} new pods` }
      },
      { timeoutMs: 60_000, intervalMs: 500, signal },
    )
    await consistently(
      'the old pods stay',
      async (stop) => {
        const pods = await podsWith(cluster, { namespace: space.name, labels }, stop)
        const kept = pods.filter(({ uid, ready }) => before.includes(uid) && ready)
        return {
          ok: kept.length === before.length,
          seen: `${String(kept.length)} of ${String(before.length)} old pods are ready`,
        }
      },
      { timeoutMs: 5_000, intervalMs: 500, signal },
    )
    const ref = `deployment/${copy.deployment.metadata.name}`
    await kubectl(['--context', context, '--namespace', space.name, 'rollout', 'undo', ref], {
      kubeconfigFile,
      signal,
    })
    await rolledOut(one, signal)
    await eventually(
      'only the old revision is left',
      async (stop) => {
        const hashes = await templateHash(copy.ref, labels, stop)
        return { ok: hashes.length === 1 && hashes[0] === revision, seen: hashes.join(', ') }
      },
      { timeoutMs: 30_000, intervalMs: 300, signal },
    )
    const live = await cluster.kube.get(copy.ref, signal)
    const command = (live as CopiedDeployment | undefined)?.spec.template.spec.containers[0]?.command
    check(command).toEqual(copy.deployment.spec.template.spec.containers[0]?.command)
    check(await uidsOf(one, signal)).toEqual(before)
    const seen = await one.stream.stop(signal)
    check(seen.failures).toEqual([])
    recordOf(task.meta).facts.push(
      { name: 'revision before and after', value: revision },
      { name: 'requests meanwhile', value: inWords(seen) },
    )
  })
})
