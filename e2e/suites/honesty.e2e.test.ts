import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Sabotage } from '../../bootstrap/addons/sabotage.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { assertNegative } from '../harness/controls.ts'
import { eventually } from '../harness/eventually.ts'
import { createNamespace } from '../harness/namespace.ts'
import { probePort, startProbePod } from '../harness/probe-pod.ts'
import { recordOf } from '../harness/record.ts'
import { refersTo } from '../harness/reference.ts'
import { runE2e, type E2eRun } from '../harness/run-e2e.ts'
import { requireSlate } from '../harness/slate.ts'
import { leftBy } from '../harness/sweep.ts'
import { CheckBroke } from '../harness/verdict.ts'

/*
 * The suites on a cluster that is broken on purpose: they have to say what is broken, and not something else.
 */

const choice = choiceFromEnvironment()
const again = { timeoutMs: 120_000, intervalMs: 2_000 }

/** A quick test of policies, and one of autoscaling: what they say on a broken cluster is judged here. */
const policyTest = 'slate-reachability: who reaches whom › no pod of SLATE reaches a pod of another namespace'
const scalingTest =
  'slate-autoscaling: slate-dashboard-hpa › is able to scale, and has measured what it looks at'

let cluster: Cluster
beforeAll(async () => {
  cluster = await attach(choice, AbortSignal.timeout(30_000))
  requireSlate(cluster)
})

const sabotageOf = async (addon: string): Promise<Sabotage> => {
  const file = path.join(choice.paths.repo, 'manifests', 'addons', addon, 'sabotage.ts')
  return ((await import(/* @vite-ignore */ pathToFileURL(file).href)) as { sabotage: Sabotage }).sabotage
}

const verdicts = (run: E2eRun, reference: string): string[] =>
  (run.report?.tests ?? []).filter((test) => refersTo(reference, test)).map(({ verdict }) => verdict)

const reasons = (run: E2eRun, reference: string): string =>
  (run.report?.tests ?? [])
    .filter((test) => refersTo(reference, test))
    .flatMap((test) => test.reasons.map(({ message }) => message))
    .join('\n')

/** Runs a test on the whole cluster, then with an add-on broken, and returns both runs; the add-on is whole again after. */
async function wholeAndBroken(
  addon: string,
  test: string,
  canary: string,
  signal: AbortSignal,
): Promise<{ whole: E2eRun; broken: E2eRun }> {
  const sabotage = await sabotageOf(addon)
  const whole = await runE2e(['--only', test], { signal })
  expect(verdicts(whole, `canary: canary › ${canary}`), whole.output).toEqual(['pass'])
  try {
    await sabotage.break(cluster.kube, signal)
    return { whole, broken: await runE2e(['--only', test], { signal }) }
  } finally {
    await sabotage.restore(cluster.kube, AbortSignal.timeout(150_000))
  }
}

describe('a cluster that is broken on purpose', () => {
  it('a network that enforces nothing fails the canary, and leaves policies not proven', async ({
    signal,
  }) => {
    const { whole, broken } = await wholeAndBroken('cilium', policyTest, 'enforcement', signal)
    expect(new Set(verdicts(whole, policyTest)), whole.output).toEqual(new Set(['pass']))
    expect(verdicts(broken, 'canary: canary › enforcement')).toEqual(['fail'])
    expect(new Set(verdicts(broken, policyTest)), broken.output).toEqual(new Set(['not-proven']))
    expect(reasons(broken, policyTest)).toContain('The canary enforcement failed')
    expect(broken.exitCode, broken.output).toBe(1)
  }, 600_000)

  it('without metrics there are no samples, and autoscaling is not proven instead of broken', async ({
    signal,
  }) => {
    const { whole, broken } = await wholeAndBroken('metrics-server', scalingTest, 'metrics', signal)
    expect(verdicts(whole, scalingTest), whole.output).toEqual(['pass'])
    expect(verdicts(broken, 'canary: canary › metrics')).toEqual(['fail'])
    expect(verdicts(broken, scalingTest), broken.output).toEqual(['not-proven'])
    expect(reasons(broken, scalingTest)).toContain('The canary metrics failed')
    expect(broken.exitCode, broken.output).toBe(1)
  }, 600_000)
})

describe('a check that cannot see', () => {
  it('a dead server is an error, never blocked', async ({ task, signal }) => {
    const { kube, runId } = cluster
    await using space = await createNamespace({ kube, runId, purpose: 'dead', signal })
    const pod = (name: string) => startProbePod({ kube, namespace: space.name, runId, name, signal })
    await using server = await pod('server')
    await using client = await pod('client')
    const reaches = async (stop: AbortSignal) => {
      const { kind, detail } = await client.connect(server.ip, probePort, { timeoutSeconds: 2, signal: stop })
      return { ok: kind === 'connected', seen: `${kind}: ${detail}` }
    }
    await eventually('the server answers while it lives', reaches, { ...again, signal })
    const dead = { apiVersion: 'v1', kind: 'Pod', namespace: space.name, name: server.name }
    await kube.delete(dead, { signal, wait: true, gracePeriodSeconds: 0 })
    const silent = async (stop: AbortSignal) => {
      const look = await reaches(stop)
      return { ...look, ok: !look.ok }
    }
    await eventually('the server is dead', silent, { ...again, signal })
    const entry = recordOf(task.meta)
    await expect(
      assertNegative(entry, {
        negative: {
          title: 'the client does not get through',
          run: silent,
        },
        control: { title: 'the client gets through', run: reaches },
        settle: { timeoutMs: 8_000, intervalMs: 500, signal },
        hold: { timeoutMs: 2_000, intervalMs: 500, signal },
      }),
    ).rejects.toThrow(CheckBroke)
    // What is recorded is the attempt, not a proof.
    entry.controls.length = 0
  })
})

describe('Ctrl-C', () => {
  it('leaves nothing on the cluster, and says what was not proven', async ({ signal }) => {
    let interrupted = false
    const run = await runE2e(['--suite', 'canary', '--suite', 'smoke'], {
      signal,
      onOutput: (output, interrupt) => {
        if (interrupted || !output.includes('canary › dns')) return
        // Once: a second one ends the run without cleaning up.
        interrupted = true
        interrupt()
      },
    })
    expect(run.exitCode, run.output).toBe(130)
    const { tests = [] } = run.report ?? {}
    expect(tests.filter(({ verdict }) => verdict === 'error' || verdict === 'fail')).toEqual([])
    expect(tests.some(({ suite, verdict }) => suite === 'smoke' && verdict === 'not-proven')).toBe(true)
    expect(tests.some(({ verdict }) => verdict === 'pass')).toBe(true)
    expect(await leftBy(cluster.kube, run.runId, signal)).toEqual([])
    const spaces = await cluster.kube.list({ apiVersion: 'v1', kind: 'Namespace' }, signal)
    expect(spaces.map(({ metadata }) => metadata.name).filter((name) => name.includes(run.runId))).toEqual([])
  })
})
