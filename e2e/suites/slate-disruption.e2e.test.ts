import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject, ListQuery } from '../../bootstrap/kube/client.ts'
import { selectorQuery } from '../../bootstrap/kube/label-selector.ts'
import { conditionOf } from '../../bootstrap/kube/shapes.ts'
import { readContract } from '../../manifests/slate/contract.ts'
import { deploymentFacts } from '../../manifests/slate/facts/deployments.ts'
import { scalingFacts } from '../../manifests/slate/facts/scaling.ts'
import { at, listAt, textAt } from '../../manifests/checks/manifest.ts'
import { adminCaller, type ApiCaller } from '../harness/api-caller.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { readyPodOf } from '../harness/component-exec.ts'
import { assertNegative } from '../harness/controls.ts'
import { eventually } from '../harness/eventually.ts'
import { evict } from '../harness/eviction.ts'
import { isReady } from '../harness/is-ready.ts'
import { expectLiveFacts, factsCalled } from '../harness/live-facts.ts'
import type { Look } from '../harness/look.ts'
import { createNamespace } from '../harness/namespace.ts'
import { evictOneByOne } from '../harness/one-by-one.ts'
import { parkedPod } from '../harness/parked-pod.ts'
import { least } from '../harness/quota-fill.ts'
import { recordOf } from '../harness/record.ts'
import { movedTo, openGate, reducedCopy } from '../harness/reduced-copy.ts'
import { runLabel } from '../harness/run-id.ts'
import { objectNamed, slateObjects } from '../harness/slate-objects.ts'
import { requireSlate } from '../harness/slate.ts'
import { CheckBroke, ExpectationFailed, NotProven } from '../harness/verdict.ts'

/*
 * What may be taken away at a time: the budgets as they count the system's own pods, and copies of them over copies of the Deployments, whose pods are
 * really evicted. The system's own pods are asked for by dry runs only.
 */
const contract = readContract()
const namespace = contract.namespace.name
/** As long as a pod may take to start beside other suites. */
const settle = { timeoutMs: 90_000, intervalMs: 200 }

/** Every budget with the Deployment whose pods it selects. */
const budgets = contract.disruptionBudgets.map((budget) => {
  const deployment = contract.deployments.find(
    ({ name, component }) =>
      budget.selector['app.kubernetes.io/name'] === name ||
      budget.selector['app.kubernetes.io/component'] === component,
  )
  if (!deployment) throw new Error(`The budget ${budget.name} selects no Deployment of the contract.`)
  return { ...budget, deployment }
})
/** Those with a pod to spare; the single Ollama has none (A28). */
const sparing = budgets.filter(({ minAvailable, deployment }) => deployment.replicas > minAvailable)
const unsparing = budgets.filter((one) => !sparing.includes(one))

let cluster: Cluster
let admin: ApiCaller
let objects: KubeObject[]
const stack = new AsyncDisposableStack()
beforeAll(async () => {
  const signal = AbortSignal.timeout(60_000)
  cluster = await attach(choiceFromEnvironment(), signal)
  requireSlate(cluster)
  admin = stack.use(await adminCaller(cluster))
  objects = await slateObjects(cluster, signal)
})
afterAll(() => stack.disposeAsync())

const podsOf = (place: string, selector: Readonly<Record<string, string>>): ListQuery => ({
  apiVersion: 'v1',
  kind: 'Pod',
  namespace: place,
  labelSelector: selectorQuery({ matchLabels: selector }),
})

describe('budgets of the system', () => {
  it.for(budgets)('$name is the specified one', async ({ name }, { signal }) => {
    const about = (object: string): boolean => object === `PodDisruptionBudget/${name}`
    const facts = factsCalled(scalingFacts(contract), ['disruption budget'], about)
    await expectLiveFacts(cluster, namespace, facts, signal)
  })

  it.for(budgets)('$name counts exactly the pods of its Deployment', async (budget, { task }) => {
    const { name, minAvailable, deployment } = budget
    const { kube } = cluster
    const ref = { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', name, namespace }
    const seen = await eventually(
      name,
      async (stop) => {
        const component = { 'app.kubernetes.io/component': deployment.component }
        const pods = (await kube.list(podsOf(namespace, component), stop)).filter(
          ({ metadata }) =>
            metadata.deletionTimestamp === undefined && metadata.labels?.[runLabel] === undefined,
        )
        const healthy = pods.filter(isReady).length
        const status = at(await kube.get(ref, stop), 'status')
        const counted = {
          expectedPods: pods.length,
          currentHealthy: healthy,
          desiredHealthy: minAvailable,
          disruptionsAllowed: Math.max(0, healthy - minAvailable),
        }
        const ok =
          pods.length > 0 && Object.entries(counted).every(([key, value]) => at(status, key) === value)
        return { ok, seen: `${JSON.stringify(status)}, computed ${JSON.stringify(counted)}` }
      },
      settle,
    )
    recordOf(task.meta).facts.push({ name, value: seen })
  })

  it.for(sparing)('$name would let a pod go now', async ({ deployment: { component } }, { task, signal }) => {
    const seen = await eventually(
      `a pod of ${component} may go`,
      async (stop) => {
        const { metadata } = await readyPodOf(cluster.kube, { namespace, component }, stop)
        const answer = await evict(admin, { namespace, name: metadata.name }, { signal: stop, dryRun: true })
        return { ok: answer.kind === 'granted', seen: answer.seen }
      },
      { ...settle, signal },
    )
    recordOf(task.meta).facts.push({ name: component, value: seen })
  })

  it.for(unsparing)(
    '$name never lets its only pod go',
    async ({ name, minAvailable, deployment: { component } }, { task, signal }) => {
      const { kube } = cluster
      const { metadata } = await readyPodOf(kube, { namespace, component }, signal)
      const unguarded = contract.deployments.find((one) =>
        budgets.every(({ deployment }) => deployment !== one),
      )
      if (!unguarded)
        throw new CheckBroke('Every Deployment has a budget, so that none is left for a control.')
      const ask = async (pod: string, stop: AbortSignal) =>
        evict(admin, { namespace, name: pod }, { signal: stop, dryRun: true })
      await assertNegative(recordOf(task.meta), {
        negative: {
          title: `evicting ${component}`,
          async run(stop) {
            const answer = await ask(metadata.name, stop)
            const refused =
              answer.kind === 'refused' && answer.budget === name && answer.needs === minAvailable
            const now = await kube.get(
              { apiVersion: 'v1', kind: 'Pod', namespace, name: metadata.name },
              stop,
            )
            return { ok: refused && now?.metadata.uid === metadata.uid, seen: answer.seen }
          },
        },
        control: {
          title: `evicting ${unguarded.component}, which has no budget`,
          async run(stop) {
            const place = { namespace, component: unguarded.component }
            const answer = await ask((await readyPodOf(kube, place, stop)).metadata.name, stop)
            return { ok: answer.kind === 'granted', seen: answer.seen }
          },
        },
        settle: { ...settle, signal },
        hold: { timeoutMs: 2_500, intervalMs: 250, signal },
      })
    },
  )
})

type Budget = (typeof budgets)[number]
interface Copy extends AsyncDisposable {
  namespace: string
  /** Of one of the copied Deployments, as they were when all of their containers ran. */
  podsOf: (budget: Budget) => { query: ListQuery; pods: KubeObject[] }
}

/** A namespace with these budgets and reduced copies of their Deployments. With `gated` the pods are ready when the test says so. */
async function copied(
  which: readonly Budget[],
  options: { gated: boolean; signal: AbortSignal },
): Promise<Copy> {
  const { kube, runId } = cluster
  const { gated, signal } = options
  const space = await createNamespace({ kube, runId, purpose: 'evict', signal })
  try {
    const copies = which.flatMap(({ name, deployment }) => [
      movedTo(space.name, objectNamed(objects, `PodDisruptionBudget/${name}`)),
      reducedCopy(objectNamed(objects, `Deployment/${deployment.name}`), {
        namespace: space.name,
        runId,
        gated,
      }),
    ])
    await kube.apply(copies, { signal, dryRun: 'skip' })
    const awaited = gated ? 'ContainersReady' : 'Ready'
    const found = await Promise.all(
      which.map(async ({ name, deployment: { component, replicas } }) => {
        const query = podsOf(space.name, { 'app.kubernetes.io/component': component })
        const pods = await kube.waitForList(
          query,
          (all) => {
            const running = all.filter((pod) => conditionOf(pod, awaited)?.status === 'True').length
            const seen = `${String(running)} of ${String(replicas)} ${awaited}`
            return { met: running === replicas && all.length === running, seen }
          },
          { timeoutMs: 60_000, signal },
        )
        return [name, { query, pods }] as const
      }),
    )
    const byBudget = new Map(found)
    return {
      namespace: space.name,
      podsOf({ name }) {
        const one = byBudget.get(name)
        if (!one) throw new CheckBroke(`${name} was not copied.`)
        return one
      },
      [Symbol.asyncDispose]: () => space[Symbol.asyncDispose](),
    }
  } catch (error) {
    await space[Symbol.asyncDispose]()
    throw error
  }
}

describe('budgets of copies', () => {
  const bystander = 'bystander'
  let copy: Copy
  beforeAll(async () => {
    const signal = AbortSignal.timeout(90_000)
    const { kube, runId } = cluster
    copy = stack.use(await copied(sparing, { gated: true, signal }))
    const containers = [least(contract.limitRange)]
    const pod = parkedPod({ namespace: copy.namespace, runId, name: bystander, containers })
    await kube.apply([pod], { signal, dryRun: 'skip' })
  })

  it.for(sparing)(
    '$name lets one of two pods go, and the other not before that one is replaced',
    async (budget, { task, signal }) => {
      const { kube } = cluster
      const { name, minAvailable } = budget
      const { query, pods } = copy.podsOf(budget)
      const refOf = (pod: string) => ({ namespace: copy.namespace, name: pod })
      const [first, second] = pods
      if (!first || !second) throw new CheckBroke('There are no two pods.')
      for (const { metadata } of pods) await openGate(kube, refOf(metadata.name), signal)
      const counts = await eventually(
        'the budget sees both pods healthy',
        async (stop) => {
          const ref = {
            apiVersion: 'policy/v1',
            kind: 'PodDisruptionBudget',
            name,
            namespace: copy.namespace,
          }
          const status = at(await kube.get(ref, stop), 'status')
          return { ok: at(status, 'currentHealthy') === pods.length, seen: JSON.stringify(status) }
        },
        { ...settle, signal },
      )
      expect(JSON.parse(counts)).toMatchObject({
        expectedPods: pods.length,
        desiredHealthy: minAvailable,
        disruptionsAllowed: pods.length - minAvailable,
      })
      const ask = async (pod: string, stop: AbortSignal, dryRun = true): Promise<Look> => {
        const answer = await evict(admin, refOf(pod), { signal: stop, dryRun })
        return { ok: answer.kind === 'granted', seen: answer.seen }
      }
      await assertNegative(recordOf(task.meta), {
        negative: {
          title: 'the other pod is not let go',
          async run(stop) {
            const answer = await evict(admin, refOf(second.metadata.name), { signal: stop })
            const now = await kube.get(
              { apiVersion: 'v1', kind: 'Pod', ...refOf(second.metadata.name) },
              stop,
            )
            const stays =
              now?.metadata.uid === second.metadata.uid && now?.metadata.deletionTimestamp === undefined
            const refused =
              answer.kind === 'refused' && answer.budget === name && answer.needs === minAvailable
            return { ok: refused && stays, seen: `${answer.seen}; the pod ${stays ? 'stays' : 'goes'}` }
          },
        },
        control: { title: 'the other pod would be let go', run: (stop) => ask(second.metadata.name, stop) },
        beside: { title: 'a pod without a budget would be let go', run: (stop) => ask(bystander, stop) },
        cause: {
          title: 'one pod is evicted, and its successor is not ready yet',
          async apply() {
            const { ok, seen } = await ask(first.metadata.name, signal, false)
            if (!ok) throw new ExpectationFailed(`Not even one pod is let go: ${seen}`)
          },
          async remove() {
            const stop = AbortSignal.timeout(90_000)
            const old = pods.map(({ metadata }) => metadata.uid)
            const successors = await kube.waitForList(
              query,
              (all) => {
                const fresh = all.filter(({ metadata }) => !old.includes(metadata.uid))
                return { met: fresh.length > 0, seen: `${String(fresh.length)} successors` }
              },
              { timeoutMs: 60_000, signal: stop },
            )
            for (const { metadata } of successors) {
              if (!old.includes(metadata.uid)) await openGate(kube, refOf(metadata.name), stop)
            }
          },
        },
        settle: { ...settle, signal },
        hold: { timeoutMs: 3_000, intervalMs: 300, signal },
      })
      expect(await ask(second.metadata.name, signal, false)).toMatchObject({ ok: true })
    },
  )

  it('pods that are evicted one after the other are never too few', async ({ task, signal }) => {
    const [budget] = sparing
    if (!budget) throw new CheckBroke('No budget has a pod to spare.')
    await using own = await copied([budget], { gated: false, signal })
    const { query, pods } = own.podsOf(budget)
    const { fewest, refusals } = await evictOneByOne({ kube: cluster.kube, admin }, pods, {
      query,
      least: budget.minAvailable,
      timeoutMs: settle.timeoutMs,
      signal,
    })
    recordOf(task.meta).facts.push({
      name: budget.name,
      value: `${String(pods.length)} pods evicted, refused ${String(refusals)} times meanwhile, never fewer than ${String(fewest)} healthy`,
    })
  })
})

describe('several nodes', () => {
  const { topologySpread } = contract
  const spread = budgets.find(({ deployment }) => deployment.name === topologySpread.deployment)

  /** Nodes that take pods. @throws NotProven when there is one, and nowhere else to go */
  async function nodesFor(what: string, signal: AbortSignal): Promise<string[]> {
    const nodes = await cluster.kube.list({ apiVersion: 'v1', kind: 'Node' }, signal)
    const open = nodes.filter(
      (node) =>
        conditionOf(node, 'Ready')?.status === 'True' &&
        at(node, 'spec', 'unschedulable') !== true &&
        listAt(node, 'spec', 'taints').every((taint) => at(taint, 'effect') === 'PreferNoSchedule'),
    )
    if (open.length >= 2) return open.map(({ metadata }) => metadata.name)
    throw new NotProven(
      `${what} takes two nodes, and ${String(open.length)} of this cluster's ${String(nodes.length)} takes pods.`,
    )
  }

  it('the dashboard is to be spread as the table says', async ({ signal }) => {
    const about = (object: string): boolean => object === `Deployment/${topologySpread.deployment}`
    const facts = factsCalled(deploymentFacts(contract, 'local', []), ['topology spread'], about)
    await expectLiveFacts(cluster, namespace, facts, signal)
  })

  it('pods of the dashboard are spread over the nodes', async ({ task, signal }) => {
    const nodes = await nodesFor('Spreading pods', signal)
    if (!spread) throw new CheckBroke(`${topologySpread.deployment} has no budget to make a copy with.`)
    const { maxSkew } = (topologySpread.constraints as { maxSkew: number }[])[0] ?? { maxSkew: 0 }
    // Without its claim, which holds the original on the node of its volume (A24).
    await using copy = await copied([spread], { gated: false, signal })
    const { pods } = copy.podsOf(spread)
    const counts = nodes.map((node) => pods.filter((pod) => textAt(pod, 'spec', 'nodeName') === node).length)
    recordOf(task.meta).facts.push({ name: 'pods on the nodes', value: counts.join(', ') })
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(maxSkew)
  })

  it('a drained node gives its pods to another one within the budget', async ({ task, signal }) => {
    await nodesFor('A drain', signal)
    const { kube } = cluster
    const [budget] = sparing
    if (!budget) throw new CheckBroke('No budget has a pod to spare.')
    await using copy = await copied([budget], { gated: false, signal })
    const { query, pods } = copy.podsOf(budget)
    const node = textAt(pods[0], 'spec', 'nodeName')
    const on = (some: readonly KubeObject[]) => some.filter((pod) => textAt(pod, 'spec', 'nodeName') === node)
    const cordon = (unschedulable: boolean, stop: AbortSignal) =>
      kube.patch(
        { apiVersion: 'v1', kind: 'Node', name: node },
        { spec: { unschedulable } },
        { signal: stop },
      )
    await cordon(true, signal)
    try {
      const { fewest } = await evictOneByOne({ kube, admin }, on(pods), {
        query,
        least: budget.minAvailable,
        timeoutMs: settle.timeoutMs,
        signal,
      })
      const left = on(await kube.list(query, signal)).filter(isReady)
      expect(left.map(({ metadata }) => metadata.name)).toEqual([])
      recordOf(task.meta).facts.push({
        name: 'drained',
        value: `${node}, never fewer than ${String(fewest)} healthy`,
      })
    } finally {
      await cordon(false, AbortSignal.timeout(15_000))
    }
  })
})
