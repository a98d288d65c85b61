import { beforeAll, describe, expect, it } from 'vitest'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { isCalm } from '../harness/calm.ts'
import { eventually } from '../harness/eventually.ts'
import { duration } from '../harness/look.ts'
import { recordOf } from '../harness/record.ts'
import { differences, snapshot } from '../harness/snapshot.ts'
import { stableFor } from '../harness/stable-for.ts'
import { ExpectationFailed } from '../harness/verdict.ts'
import { sameFlags, upAgain } from '../harness/up-again.ts'

const choice = choiceFromEnvironment()

let cluster: Cluster
beforeAll(async () => {
  cluster = await attach(choice, AbortSignal.timeout(30_000))
})

describe('a second up', () => {
  it('changes nothing, and says so', { timeout: 20 * 60_000 }, async ({ task, signal }) => {
    const flags = sameFlags(cluster, choice)
    // An autoscaler comes back one pod at a time, and a scheduled run would be taken for what up did. Not for ever: the longest runs take hours.
    const calm = await eventually('nothing moves by itself', (stop) => isCalm(cluster.kube, 90_000, stop), {
      timeoutMs: 8 * 60_000,
      intervalMs: 2_000,
      signal,
    }).catch((error: unknown) => {
      if (!(error instanceof ExpectationFailed)) throw error
      return error.message
    })
    // Whatever earlier suites left behind has ended: three equal looks in a row.
    let last = await snapshot(cluster.kube, signal)
    await stableFor(
      3,
      'the cluster is quiet',
      async (stop) => {
        const now = await snapshot(cluster.kube, stop)
        const changes = differences(last, now)
        last = now
        return {
          ok: changes.length === 0,
          seen: changes.join('; ') || `${String(now.size)} objects unchanged`,
        }
      },
      { timeoutMs: 60_000, intervalMs: 2_000, signal },
    )
    const started = performance.now()
    const { exitCode, events, words } = await upAgain(flags, choice)
    const took = performance.now() - started
    expect(exitCode, words).toBe(0)
    const after = await snapshot(cluster.kube, signal)
    recordOf(task.meta).facts.push(
      { name: 'took', value: duration(took) },
      { name: 'what moves by itself', value: calm },
      { name: 'objects compared', value: String(after.size) },
    )
    expect(differences(last, after)).toEqual([])

    expect(events.at(-1)).toMatchObject({ type: 'result', changed: false })
    // Every step was looked at, none was applied.
    expect(events.filter(({ type }) => type === 'succeeded').map(({ title }) => title)).toEqual([])
    expect(events.filter(({ type }) => type === 'skipped').length).toBeGreaterThan(5)
  })
})
