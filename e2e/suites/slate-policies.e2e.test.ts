import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { violationsOf } from '../../manifests/checks/violations.ts'
import { readContract } from '../../manifests/slate/contract.ts'
import { networkPolicyFacts } from '../../manifests/slate/facts/network.ts'
import { requireCanary } from '../harness/canaries.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { assertNegative } from '../harness/controls.ts'
import { eventually } from '../harness/eventually.ts'
import { describeViolation } from '../harness/live-facts.ts'
import { takesItsTime } from '../harness/profile.ts'
import { recordOf } from '../harness/record.ts'
import { requireSlate } from '../harness/slate.ts'
import { stableFor } from '../harness/stable-for.ts'
import { CheckBroke } from '../harness/verdict.ts'
import type { PolicyWorld } from '../reachability/evaluate-policies.ts'
import { compare, createGeneratedNetwork, tellingPolicies } from '../reachability/generated-network.ts'
import { measureLeak } from '../reachability/leak-window.ts'
import { copyPolicies, dialOf, dials, type PolicyCopy } from '../reachability/policy-copy.ts'
import { createStage, type Stage } from '../reachability/stage.ts'

/*
 * SLATE's policies as objects, what happens when they come and go, and whether the evaluator that the tables of reachability rest on says
 * of any policies what the network does.
 */
const contract = readContract()
const namespace = contract.namespace.name

let cluster: Cluster
let stage: Stage
const stack = new AsyncDisposableStack()

beforeAll(async () => {
  cluster = await attach(choiceFromEnvironment(), AbortSignal.timeout(30_000))
  stage = stack.use(createStage(cluster, contract))
})
afterAll(() => stack.disposeAsync())
beforeEach(() => {
  requireCanary('enforcement')
  requireSlate(cluster)
})

describe('policies', () => {
  it.each(contract.networkPolicies)('$name is in the cluster as the specification states it', async (row) => {
    const signal = AbortSignal.timeout(20_000)
    const found = await cluster.kube.get(
      { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', namespace, name: row.name },
      signal,
    )
    const violations = violationsOf(networkPolicyFacts(row), found ? [found] : [])
    expect(violations.map(describeViolation)).toEqual([])
  })

  it('there is no other in the namespace', async () => {
    const found = await cluster.kube.list(
      { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', namespace },
      AbortSignal.timeout(20_000),
    )
    expect(found.map(({ metadata }) => metadata.name).sort()).toEqual(
      contract.networkPolicies.map(({ name }) => name).sort(),
    )
  })
})

describe('policies that come and go', () => {
  let copy: PolicyCopy
  beforeAll(async () => {
    copy = await copyPolicies(cluster, stage, contract, AbortSignal.timeout(120_000))
  })
  afterEach(() => copy.remove())

  const settle = (signal: AbortSignal) => ({ timeoutMs: 15_000, intervalMs: 200, signal })
  const hold = (signal: AbortSignal) => ({ timeoutMs: 12_000, intervalMs: 200, signal })

  it("SLATE's policies silence a pod of another namespace as soon as they are there, and only while they are", async ({
    task,
    signal,
  }) => {
    const { source } = await stage.outsider()
    const ollama = dialOf(copy.ollama)
    await assertNegative(recordOf(task.meta), {
      negative: dials('Ollama is silent to a pod of another namespace', source, ollama, 'timeout'),
      control: dials('Ollama answers a pod of another namespace', source, ollama, 'connected'),
      beside: dials('Ollama answers the dashboard', copy.dashboard.source, ollama, 'connected'),
      cause: {
        title: "copies of SLATE's policies in the namespace",
        // The one that allows first: then nothing between the pods is interrupted.
        apply: async () => {
          await copy.apply(['allow-intra-slate'])
          await copy.apply()
        },
        remove: () => copy.remove(),
      },
      settle: settle(signal),
      hold: hold(signal),
    })
  })

  it('without allow-intra-slate the pods of SLATE no longer reach each other, and again with it', async ({
    task,
    signal,
  }) => {
    const { source } = await stage.outsider()
    await copy.apply()
    const from = copy.dashboard.source
    const ollama = dialOf(copy.ollama)
    await assertNegative(recordOf(task.meta), {
      negative: dials('Ollama is silent to the dashboard', from, ollama, 'timeout'),
      control: dials('Ollama answers the dashboard', from, ollama, 'connected'),
      beside: dials(
        'the dashboard answers a pod of another namespace',
        source,
        dialOf(copy.dashboard),
        'connected',
      ),
      cause: {
        title: 'allow-intra-slate deleted',
        apply: () => copy.remove(['allow-intra-slate']),
        remove: () => copy.apply(['allow-intra-slate']),
      },
      settle: settle(signal),
      hold: hold(signal),
    })
  })

  it('a pod that starts under them gets nothing forbidden through, from its first instruction on', async ({
    task,
    signal,
  }) => {
    const { pod, source } = await stage.outsider()
    const forbidden = { protocol: 'TCP', address: pod.ip, port: 8080 } as const
    await copy.apply()
    const record = recordOf(task.meta)
    const [heard, guarded] = await Promise.all([
      eventually(
        'the forbidden target answers itself',
        dials('', source, forbidden, 'connected').run,
        settle(signal),
      ),
      eventually(
        'the policies hold for a pod that was there before',
        dials('', copy.dashboard.source, forbidden, 'timeout').run,
        settle(signal),
      ),
    ])
    const windows = await Promise.all(
      Array.from({ length: 3 }, async () =>
        measureLeak(cluster, {
          namespace: copy.namespace,
          image: copy.dashboard.pod.image,
          labels: copy.dashboard.pod.labels,
          forbidden,
          allowed: dialOf(copy.ollama),
          lastingMs: 3_000,
          signal,
        }),
      ),
    )
    const leaks = windows.flatMap((window) => window.leaks)
    const window = leaks.length === 0 ? 0 : Math.max(...leaks) - Math.min(...leaks) + 10
    const allowed = windows.map(({ firstAllowedMs }) => firstAllowedMs)
    record.facts.push(
      { name: 'start-up leak window', value: `${String(window)} ms` },
      { name: 'attempts', value: windows.map(({ attempts }) => String(attempts)).join(', ') },
      { name: 'what is allowed got through after', value: `${allowed.join(', ')} ms` },
      { name: 'controls', value: `forbidden target: ${heard}; pod that was there: ${guarded}` },
    )
    if (allowed.includes(undefined))
      throw new CheckBroke('A starting pod got nothing through, not even what is allowed.')
    expect(leaks, 'milliseconds after the first instruction').toEqual([])
  })
})

describe('evaluator', () => {
  /** Lists of five policies each; the same in every run. */
  const seeds = takesItsTime() ? [1, 2, 3, 4, 5, 6, 7, 8] : [1, 2]

  it('says of generated policies what the network does: selectors, blocks with holes, named ports and ranges', async ({
    task,
    signal,
  }) => {
    const record = recordOf(task.meta)
    const network = await createGeneratedNetwork(cluster, stage, signal)
    const agree = (title: string, world: PolicyWorld) => async (stop: AbortSignal) => {
      const { look, matrix } = await compare(network, world, title, stop)
      record.matrices = [...(record.matrices ?? []).filter((one) => one.title !== title), matrix]
      return look
    }
    // A look is at 112 squares: on a busy machine it takes seconds, and three in a row are wanted.
    const pace = { timeoutMs: 60_000, intervalMs: 100, signal }
    const before = await network.world(signal)
    const open = await eventually('without policies', agree('no generated policies', before), pace)
    record.facts.push({ name: 'without policies', value: open })
    for (const seed of seeds) {
      const policies = tellingPolicies(network, before, { seed, policies: 5 })
      await network.apply(policies, signal)
      const world = await network.world(signal)
      const title = `generated policies, seed ${String(seed)}`
      const seen = await stableFor(3, title, agree(title, world), pace)
      record.facts.push({ name: title, value: seen.at(-1) ?? '' })
      await network.clear(policies, signal)
    }
  })
})
