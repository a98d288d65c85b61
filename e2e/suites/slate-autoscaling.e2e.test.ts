import { isDeepStrictEqual } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { violationsOf as contractViolations } from '../../manifests/checks/violations.ts'
import { readContract } from '../../manifests/slate/contract.ts'
import { scalingFacts } from '../../manifests/slate/facts/scaling.ts'
import {
  autoscalerRef,
  autoscalerState,
  conditionWords,
  wholeBehavior,
  withoutWindows,
} from '../harness/autoscaler.ts'
import { requireCanary } from '../harness/canaries.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { describeViolation } from '../harness/live-facts.ts'
import { eventually } from '../harness/eventually.ts'
import { freshMs, requireFresh } from '../harness/metrics-samples.ts'
import { takesItsTime } from '../harness/profile.ts'
import { recordOf, type TestRecord } from '../harness/record.ts'
import { runScaling, type ScalingPace, type ScalingRun } from '../harness/scaling-run.ts'
import { stepsOf, violationsOf } from '../harness/scaling-steps.ts'
import {
  originals,
  shortenedCopies,
  type AutoscalerRow,
  type ScalingSubject,
} from '../harness/scaling-subject.ts'
import { requireSlate } from '../harness/slate.ts'
import { standIn } from '../harness/stand-in.ts'
import { CheckBroke, ExpectationFailed, NotProven } from '../harness/verdict.ts'

/*
 * SLATE's autoscalers: as the contract has them, in force at their limits, and under real load with real metrics. In the profile quick the
 * load is on copies whose windows are shorter; in full it is on the originals, one after the other, for the quota holds no two at their
 * maxima (A02). chromadb is not loaded: several writers on one store are not promised (A25).
 */
const contract = readContract()
const namespace = contract.namespace.name
const profile = takesItsTime() ? 'full' : 'quick'
/** Autoscalers whose Deployment may be loaded: services of SLATE's own. */
const loaded = contract.autoscalers.filter(({ target }) =>
  contract.deployments.some(({ name, entrypoint }) => name === target && entrypoint !== undefined),
)

const paces: Record<typeof profile, ScalingPace> = {
  quick: {
    samplesMs: 90_000,
    activeMs: 60_000,
    // The decision that was seen, and one more.
    quietMs: 16_000,
    firstStepMs: 90_000,
    maximumMs: 120_000,
    holdMs: 16_000,
    minimumMs: 180_000,
    load: 2,
    more: 1.5,
  },
  full: {
    samplesMs: 90_000,
    activeMs: 60_000,
    quietMs: 45_000,
    firstStepMs: 240_000,
    maximumMs: 300_000,
    holdMs: 45_000,
    minimumMs: 1_200_000,
    load: 1.5,
    more: 1.3,
  },
}
/** The longest sum of waits that end well, of the run before it, and until others have ended that mind its load. */
const runMs = profile === 'quick' ? 1_200_000 : 3_600_000

let cluster: Cluster
beforeAll(async () => {
  cluster = await attach(choiceFromEnvironment(), AbortSignal.timeout(30_000))
  requireSlate(cluster)
})

const liveAutoscaler = ({ name }: AutoscalerRow, signal: AbortSignal): Promise<KubeObject | undefined> =>
  cluster.kube.get(autoscalerRef(namespace, name), signal)

/** @throws ExpectationFailed with what the live object has in place of a statement of the contract */
async function holds(row: AutoscalerRow, fact: string, signal: AbortSignal): Promise<void> {
  const live = await liveAutoscaler(row, signal)
  const mine = scalingFacts({ ...contract, autoscalers: [row], disruptionBudgets: [] }).filter(
    (one) => one.fact === fact,
  )
  if (mine.length === 0) throw new CheckBroke(`The contract does not say the ${fact} of ${row.name}.`)
  const violations = contractViolations(mine, live ? [live] : [])
  if (violations.length > 0) throw new ExpectationFailed(violations.map(describeViolation).join('; '))
}

it('SLATE has the stated autoscalers and no other', async ({ signal }) => {
  const live = await cluster.kube.list(
    { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler', namespace },
    signal,
  )
  expect(live.map(({ metadata }) => metadata.name).sort()).toEqual(
    contract.autoscalers.map(({ name }) => name).sort(),
  )
})

describe.each(contract.autoscalers)('$name', (row) => {
  it('is for the stated Deployment', async ({ signal }) => {
    await holds(row, 'autoscaler target', signal)
  })

  it('has the stated minimum and maximum', async ({ signal }) => {
    await holds(row, 'autoscaler limits', signal)
  })

  it('has the stated targets for CPU and memory', async ({ signal }) => {
    await holds(row, 'autoscaler metrics', signal)
  })

  it('has the stated pace, or that of Kubernetes where none is stated', async ({ task, signal }) => {
    const live = await liveAutoscaler(row, signal)
    if (!live) throw new ExpectationFailed(`There is no autoscaler ${row.name}.`)
    const { behavior } = live['spec'] as { behavior?: unknown }
    const seen = wholeBehavior(behavior)
    const stated = wholeBehavior(row.behavior)
    if (!isDeepStrictEqual(seen, stated) || (row.behavior === undefined && behavior !== undefined))
      throw new ExpectationFailed(
        `${row.name} (${row.section}): behavior is ${JSON.stringify(behavior)}, not ${JSON.stringify(row.behavior ?? 'none')}`,
      )
    recordOf(task.meta).facts.push({ name: 'behavior', value: JSON.stringify(seen) })
  })
})

/** A Deployment without running pods under a copy of the autoscaler goes from one size to the other at the next decision or two. */
async function moves(row: AutoscalerRow, from: number, to: number): Promise<void> {
  const signal = AbortSignal.timeout(120_000)
  await using parked = await standIn(cluster, row, from, signal)
  const { value } = await parked.replicas.until(
    `${row.name} takes ${String(from)} replicas to ${String(to)}`,
    ({ wanted }) => ({
      ok: wanted === to,
      seen: `${String(wanted)} replicas`,
      fatal: wanted !== from && wanted !== to,
    }),
    { timeoutMs: 60_000, signal },
  )
  expect(value.wanted).toBe(to)
}

describe.concurrent('at work', () => {
  const runs = new Map<string, Promise<{ subject: ScalingSubject; run: ScalingRun }>>()

  /** The run of an autoscaler, made once; the test that begins it gets the plots into its record. */
  const runOf = (row: AutoscalerRow, record: TestRecord, signal: AbortSignal) => {
    const made = runs.get(row.name) ?? begin(row, record, signal)
    runs.set(row.name, made)
    return made
  }
  const begin = async (row: AutoscalerRow, record: TestRecord, signal: AbortSignal) => {
    requireCanary('metrics')
    if (profile === 'full') await Promise.allSettled(runs.values())
    const make = profile === 'quick' ? shortenedCopies : originals
    await using subject = await make(cluster, contract, row, signal)
    if (profile === 'quick') await onlyWindowsDiffer(subject, signal)
    return { subject, run: await runScaling(cluster.kube, subject, paces[profile], record, signal) }
  }
  /** What the other tests look at. @throws CheckBroke when the run itself has failed, which its own test tells */
  const ended = async (row: AutoscalerRow, record: TestRecord, signal: AbortSignal) => {
    try {
      return await runOf(row, record, signal)
    } catch (error) {
      if (error instanceof NotProven) throw error
      throw new CheckBroke(
        `The run of ${row.name} did not end: ${error instanceof Error ? error.message : String(error)}`,
      )
    }
  }

  it.for(loaded)(
    '$target goes from $min to $max replicas and not beyond, and back to $min when the load ends',
    { timeout: runMs },
    async (row, { task, signal }) => {
      const record = recordOf(task.meta)
      const { run } = await runOf(row, record, signal)
      record.facts.push({ name: 'profile', value: profile })
      const sizes = run.replicas.map(([, value]) => value)
      expect([sizes[0], Math.max(...sizes), Math.min(...sizes), sizes.at(-1)]).toEqual([
        row.min,
        row.max,
        row.min,
        row.min,
      ])
      // Nobody else changed the size: each step is one that the autoscaler reports.
      const reported = run.rescales.map(({ size }) => size)
      expect(
        sizes.slice(1).filter((size) => !reported.includes(size)),
        JSON.stringify(run.rescales),
      ).toEqual([])
      expect(run.rescales.filter(({ message }) => message.includes('cpu resource utilization'))).not.toEqual(
        [],
      )
    },
  )

  it.each(contract.autoscalers)('$name takes back what is above its maximum', async (row) => {
    await moves(row, row.max + 1, row.max)
  })

  // Zero replicas would turn an autoscaler off.
  it.each(contract.autoscalers.filter(({ min }) => min > 1))(
    '$name fills up what is below its minimum',
    async (row) => {
      await moves(row, row.min - 1, row.min)
    },
  )

  it.for(loaded)(
    '$target goes no faster than its behavior allows',
    { timeout: runMs },
    async (row, { task, signal }) => {
      const record = recordOf(task.meta)
      const { run, subject } = await ended(row, record, signal)
      const { min, max } = row
      expect(violationsOf(run.replicas, { ...run, min, max, behavior: subject.behavior })).toEqual([])
      const steps = stepsOf(run.replicas).map(({ from, to }) => `${String(from)} → ${String(to)}`)
      record.facts.push(
        { name: 'steps', value: steps.join(', ') },
        { name: 'allowed', value: JSON.stringify(subject.behavior) },
      )
    },
  )

  it.for(loaded)(
    'a twin of $target without an autoscaler never moves under the same load',
    { timeout: runMs },
    async (row, { task, signal }) => {
      const record = recordOf(task.meta)
      const { run } = await ended(row, record, signal)
      const target = row.utilization['cpu'] ?? 0
      const sizes = run.twin.map(([, value]) => value)
      record.controls.push({
        negative: {
          title: 'the twin changes its size',
          seen: `${sizes.join(' → ')} replicas at ${String(run.twinPercent)} % of its CPU request`,
        },
        before: {
          title: 'the same Deployment with an autoscaler',
          seen: run.replicas.map(([, value]) => value).join(' → '),
        },
        after: {
          title: 'the load was on the twin as well',
          seen: `${String(run.twinPercent)} %, target ${String(target)} %`,
        },
      })
      if (run.twinPercent <= target * 1.1)
        throw new CheckBroke(
          `The twin was at ${String(run.twinPercent)} % of its request only, so that it stays proves nothing.`,
        )
      expect(sizes).toEqual([row.min])
    },
  )

  it.for(loaded)(
    '$name is afterwards as it was before',
    { timeout: runMs },
    async (row, { task, signal }) => {
      const { run } = await ended(row, recordOf(task.meta), signal)
      expect(run.after.metadata.uid).toBe(run.before.metadata.uid)
      expect(run.after['spec']).toEqual(run.before['spec'])
    },
  )

  /** A copy is as good as the original only as far as it is the same. */
  async function onlyWindowsDiffer(
    { row, deployment, autoscaler }: ScalingSubject,
    signal: AbortSignal,
  ): Promise<void> {
    const [original, copy] = await Promise.all([
      liveAutoscaler(row, signal),
      cluster.kube.get(autoscalerRef(deployment.namespace, autoscaler), signal),
    ])
    if (!original || !copy) throw new ExpectationFailed(`There is no autoscaler ${row.name}.`)
    const specOf = (object: KubeObject) => withoutWindows(object['spec'] as Record<string, unknown>)
    expect(specOf(copy), 'the copy differs in more than its windows').toEqual(specOf(original))
  }
})

// After the load: a namespace that was just filled has no samples yet, and the load need not wait for them.
describe.each(contract.autoscalers)('$name', (row) => {
  it('is able to scale, and has measured what it looks at', async ({ task, signal }) => {
    requireCanary('metrics')
    const fresh = await requireFresh(cluster.kube, namespace, {
      timeoutMs: freshMs + 20_000,
      intervalMs: 1_000,
      signal,
    })
    let state = autoscalerState(undefined)
    // An autoscaler that was just made has its first metrics at its second decision or its third.
    const said = await eventually(
      `${row.name} is able to scale and has its metrics`,
      async (stop) => {
        state = autoscalerState(await liveAutoscaler(row, stop))
        const types = ['AbleToScale', 'ScalingActive']
        const ok =
          types.every((type) => state.conditions[type]?.status === 'True') &&
          isDeepStrictEqual(new Set(Object.keys(state.utilization)), new Set(Object.keys(row.utilization)))
        return { ok, seen: types.map((type) => conditionWords(state, type)).join(', ') }
      },
      { timeoutMs: 50_000, intervalMs: 1_000, signal },
    )
    const { facts } = recordOf(task.meta)
    facts.push({ name: 'samples', value: fresh }, { name: 'conditions', value: said })
    for (const [name, percent] of Object.entries(state.utilization))
      facts.push({
        name,
        value: `${String(percent)} % of the request, target ${String(row.utilization[name])} %`,
      })
  })
})
