import { beforeAll, describe, it } from 'vitest'
import { readContract, type DeploymentRow } from '../../manifests/slate/contract.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { consistently } from '../harness/consistently.ts'
import { eventually } from '../harness/eventually.ts'
import type { Look } from '../harness/look.ts'
import { startProbePod } from '../harness/probe-pod.ts'
import { takesItsTime } from '../harness/profile.ts'
import { recordOf } from '../harness/record.ts'
import { startRequestStream } from '../harness/request-stream.ts'
import { requireSlate } from '../harness/slate.ts'
import { expectFacts } from '../harness/slate-facts.ts'
import { podsOfRow, requestPod, type PodOfSlate } from '../harness/slate-pods.ts'
import { stableFor } from '../harness/stable-for.ts'
import { CheckBroke } from '../harness/verdict.ts'
import {
  killings,
  lived,
  neverWell,
  podsOfCopy,
  setHealth,
  startWebCopies,
  wellAt,
} from '../harness/web-copy.ts'
import type { CopiedContainer, CopiedDeployment, RunningCopy } from '../harness/workload-copy.ts'

/*
 * What the health probes do (000 Health Probes). SLATE's services are well as long as they run and have no switch that makes them ill, so
 * the copies of the dashboard have its probes, ports and Service, and in place of its program a small web server whose /health is a file.
 */
const contract = readContract()
const { probes, deployments } = contract
const full = takesItsTime()
/** Of a probe that says nothing else. */
const failures = 3

let cluster: Cluster
beforeAll(async () => {
  cluster = await attach(choiceFromEnvironment(), AbortSignal.timeout(30_000))
  requireSlate(cluster)
})

describe('probes of SLATE', () => {
  it.each(deployments)('$name has the stated startup, liveness and readiness probes', async ({ name }) => {
    const facts = ['startup probe', 'liveness probe', 'readiness probe']
    await expectFacts(cluster, `Deployment/${name}`, facts, AbortSignal.timeout(20_000))
  })
})

describe.concurrent('health of SLATE', () => {
  it.each(deployments)(
    'every pod of $name is ready, stays so without a restart, and answers its health path',
    async (row) => {
      let last = ''
      await stableFor(
        3,
        row.name,
        async (signal): Promise<Look> => {
          const pods = await podsOfRow(cluster, row, signal)
          const answers = await Promise.all(pods.map((pod) => healthOf(pod, row, signal)))
          const seen = pods
            .map((pod, index) => `${pod.name} restarts ${String(pod.restarts)}: ${answers[index] ?? ''}`)
            .join(', ')
          const same = last === '' || last === seen
          last = seen
          const well = pods.length >= row.replicas && answers.every((answer) => answer === 'well')
          return { ok: well && same, seen: seen === '' ? 'no pods' : seen }
        },
        { timeoutMs: 120_000, intervalMs: 1_000 },
      )
    },
  )
})

async function healthOf(pod: PodOfSlate, row: DeploymentRow, signal: AbortSignal): Promise<string> {
  if (!pod.ready) return 'not ready'
  const outcome = await requestPod(cluster, pod, row.ports[0] ?? 0, row.healthPath, signal)
  if (outcome.kind !== 'answered') return `${outcome.kind} ${outcome.detail}`
  const service = outcome.headers['x-slate-service']
  return outcome.status === 200 && service === row.entrypoint
    ? 'well'
    : `${String(outcome.status)} ${String(service)}`
}

/** UIDs of the pods that a Service leads to now. */
async function behind(namespace: string, service: string, signal: AbortSignal): Promise<string[]> {
  const slices = await cluster.kube.list(
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      namespace,
      labelSelector: `kubernetes.io/service-name=${service}`,
    },
    signal,
  )
  const ends = slices.flatMap(
    (slice) =>
      (slice['endpoints'] ?? []) as { conditions?: { ready?: boolean }; targetRef?: { uid: string } }[],
  )
  return ends
    .flatMap(({ conditions, targetRef }) => (conditions?.ready === true && targetRef ? [targetRef.uid] : []))
    .sort()
}

describe.concurrent('on copies', () => {
  it('a pod that is not ready leaves its Service without a restart and without a failed request, and comes back', async ({
    task,
    signal,
    expect,
  }) => {
    const { kube, runId } = cluster
    await using all = await startWebCopies(cluster, 'ready', signal)
    const { name: namespace } = all.space
    const [copy, client] = await Promise.all([
      // The same file makes it ill for both probes; it must not be restarted meanwhile.
      all.start('ready', wellAt(0), ({ livenessProbe }) => {
        if (livenessProbe) livenessProbe.failureThreshold = 20
      }),
      startProbePod({ kube, runId, namespace, name: 'client', signal }),
    ])
    const service = copy.service?.name ?? ''
    const pods = await podsOfCopy(cluster, copy, signal)
    const uids = pods.map(({ uid }) => uid).sort()
    const [ill, well] = pods
    if (!ill || !well || pods.length !== 2) throw new CheckBroke(`The copy has ${String(pods.length)} pods.`)
    const stream = await startRequestStream(client, {
      name: 'stream',
      url: `http://${copy.clusterIP}:${String(copy.service?.port)}/`,
      signal,
    })
    const look =
      (wanted: string[]) =>
      async (stop: AbortSignal): Promise<Look> => {
        const [seen, { failures: lost }] = await Promise.all([
          behind(namespace, service, stop),
          stream.tally(stop),
        ])
        if (lost.length > 0) expect.fail(`A request failed: ${lost[0] ?? ''}`)
        return { ok: JSON.stringify(seen) === JSON.stringify(wanted), seen: seen.join(', ') || 'nobody' }
      }
    const both = async (stop: AbortSignal): Promise<Look> => {
      const { bodies } = await stream.tally(stop)
      return { ok: pods.every(({ name }) => (bodies[name] ?? 0) > 0), seen: JSON.stringify(bodies) }
    }
    await eventually('both pods are asked', both, { timeoutMs: 30_000, intervalMs: 500, signal })
    await setHealth(cluster, ill, false, signal)
    const since = performance.now()
    const within = (probes.readiness['periodSeconds'] ?? 0) * (failures + 1) * 1_000 + 10_000
    await eventually('the pod has left the Service', look([well.uid]), {
      timeoutMs: within,
      intervalMs: 500,
      signal,
    })
    const leftAfter = performance.now() - since
    const answersOfIll = async (stop: AbortSignal): Promise<number> =>
      (await stream.tally(stop)).bodies[ill.name] ?? 0
    // The node hears of it a moment later, and what was under way is answered.
    let before = await answersOfIll(signal)
    await eventually(
      'the pod that left has given its last answer',
      async (stop) => {
        const now = await answersOfIll(stop)
        const more = now - before
        before = now
        return { ok: more === 0, seen: `${String(more)} more answers` }
      },
      { timeoutMs: 15_000, intervalMs: 1_500, signal },
    )
    await consistently(
      'only the other pod is asked',
      async (stop) => {
        const more = (await answersOfIll(stop)) - before
        return { ok: more === 0, seen: `${String(more)} more answers of the pod that left` }
      },
      { timeoutMs: 5_000, intervalMs: 1_000, signal },
    )
    await setHealth(cluster, ill, true, signal)
    await eventually('the pod is back', look(uids), { timeoutMs: within, intervalMs: 500, signal })
    const seen = await stream.stop(signal)
    expect(seen.failures).toEqual([])
    const after = await podsOfCopy(cluster, copy, signal)
    expect(after.map(({ uid, restarts }) => [uid, restarts]).sort()).toEqual(uids.map((uid) => [uid, 0]))
    recordOf(task.meta).facts.push(
      { name: 'left after', value: `${String(Math.round(leftAfter / 1_000))} s` },
      {
        name: 'requests',
        value: `${String(seen.answered)} answered, none failed: ${JSON.stringify(seen.bodies)}`,
      },
      {
        name: 'the copy differs',
        value: `${copy.differs}, a web server whose /health is a file, 20 failures of its liveness probe`,
      },
    )
  })

  it('a container that is not alive is restarted once, its neighbour is not', async ({
    task,
    signal,
    expect,
  }) => {
    await using all = await startWebCopies(cluster, 'alive', signal)
    const copy = await all.start('alive', wellAt(0), ({ livenessProbe }) => {
      if (!full && livenessProbe) Object.assign(livenessProbe, { initialDelaySeconds: 5, periodSeconds: 5 })
    })
    const { initialDelaySeconds: delay = 0, periodSeconds: period = 0 } = full
      ? probes.liveness
      : { initialDelaySeconds: 5, periodSeconds: 5 }
    const [ill, well] = await podsOfCopy(cluster, copy, signal)
    if (!ill || !well) throw new CheckBroke('The copy has no two pods.')
    expect([ill.restarts, well.restarts]).toEqual([0, 0])
    await setHealth(cluster, ill, false, signal)
    const since = performance.now()
    const restarts = async (wanted: [number, number], stop: AbortSignal): Promise<Look> => {
      const pods = await podsOfCopy(cluster, copy, stop)
      const seen = [ill, well].map(({ uid }) => pods.find((pod) => pod.uid === uid)?.restarts)
      return { ok: seen[0] === wanted[0] && seen[1] === wanted[1], seen: `restarts ${seen.join(' and ')}` }
    }
    const within = (delay + period * (failures + 1) + 20) * 1_000
    await eventually('the container is restarted', (stop) => restarts([1, 0], stop), {
      timeoutMs: within,
      intervalMs: 500,
      signal,
    })
    const after = performance.now() - since
    const said = await eventually(
      'the kubelet says why',
      async (stop) => {
        const seen = await killings(cluster, ill, stop)
        return { ok: /failed liveness probe/.test(seen), seen: seen || 'no word' }
      },
      { timeoutMs: 10_000, intervalMs: 500, signal },
    )
    // Long enough for it to be killed again, if it were not well.
    await consistently('and not again', (stop) => restarts([1, 0], stop), {
      timeoutMs: (delay + period * (failures + 1)) * 1_000,
      intervalMs: 1_000,
      signal,
    })
    await eventually(
      'both are ready again',
      async (stop) => {
        const pods = await podsOfCopy(cluster, copy, stop)
        return {
          ok: pods.length === 2 && pods.every(({ ready }) => ready),
          seen: pods.map(({ ready }) => String(ready)).join(', '),
        }
      },
      { timeoutMs: 30_000, intervalMs: 500, signal },
    )
    recordOf(task.meta).facts.push(
      { name: 'restarted after', value: `${String(Math.round(after / 1_000))} s` },
      { name: 'the kubelet', value: said },
      {
        name: 'the copy differs',
        value: `${copy.differs}, a web server whose /health is a file${full ? '' : ', liveness after 5 s every 5 s'}`,
      },
    )
  }, 420_000)

  it('a start that takes most of the startup budget is not killed, one beyond it is', async ({
    task,
    signal,
    expect,
  }) => {
    await using all = await startWebCopies(cluster, 'slow', signal)
    const shorter = { initialDelaySeconds: 2, periodSeconds: 1 }
    const startup = { ...probes.startup, ...(full ? {} : shorter) } as {
      initialDelaySeconds: number
      periodSeconds: number
      failureThreshold: number
    }
    const budget = startup.initialDelaySeconds + startup.periodSeconds * startup.failureThreshold
    const slow = Math.round(budget * (full ? 0.88 : 0.78))
    const one = (container: CopiedContainer, { spec }: CopiedDeployment) => {
      spec.replicas = 1
      if (full) return
      Object.assign(container.startupProbe ?? {}, shorter)
      Object.assign(container.livenessProbe ?? {}, { initialDelaySeconds: 3, periodSeconds: 4 })
    }
    const [within, beyond, unguarded] = await Promise.all([
      all.start('within', wellAt(slow), one, false),
      all.start('beyond', neverWell, one, false),
      all.start(
        'unguarded',
        wellAt(slow),
        (container, deployment) => {
          one(container, deployment)
          delete container.startupProbe
        },
        false,
      ),
    ])
    const killed = (copy: RunningCopy, why: RegExp) =>
      eventually(
        `${copy.ref.name} is killed`,
        async (stop) => {
          const [pod] = await podsOfCopy(cluster, copy, stop)
          const after = pod && lived(pod)
          const words = pod ? await killings(cluster, pod, stop) : ''
          return {
            ok: after !== undefined && why.test(words),
            seen: after === undefined ? 'not restarted' : `after ${String(after)} s: ${words}`,
          }
        },
        { timeoutMs: (budget + 60) * 1_000, intervalMs: 1_000, signal },
      )
    const ready = eventually(
      'the slow one is ready',
      async (stop) => {
        const [pod] = await podsOfCopy(cluster, within, stop)
        if (pod && pod.restarts > 0)
          expect.fail(`The slow one was killed: ${await killings(cluster, pod, stop)}`)
        return { ok: pod?.ready === true, seen: pod ? `ready ${String(pod.ready)}` : 'no pod' }
      },
      { timeoutMs: (budget + 60) * 1_000, intervalMs: 1_000, signal },
    )
    const [, tooSlow, withoutGuard] = await Promise.all([
      ready,
      killed(beyond, /failed startup probe/),
      killed(unguarded, /failed liveness probe/),
    ])
    await consistently(
      'the slow one stays',
      async (stop) => {
        const [pod] = await podsOfCopy(cluster, within, stop)
        return {
          ok: pod?.restarts === 0 && pod.ready,
          seen: pod ? `restarts ${String(pod.restarts)}` : 'no pod',
        }
      },
      { timeoutMs: 5_000, intervalMs: 1_000, signal },
    )
    const [pod] = await podsOfCopy(cluster, beyond, signal)
    expect(pod && lived(pod)).toBeGreaterThanOrEqual(budget - startup.periodSeconds - 1)
    const record = recordOf(task.meta)
    record.controls.push({
      negative: {
        title: `well after ${String(slow)} s of ${String(budget)} s: not killed`,
        seen: 'ready, no restart',
      },
      before: { title: 'the same without a startup probe is killed', seen: withoutGuard },
      after: { title: 'one that is never well is killed when the budget is over', seen: tooSlow },
    })
    record.facts.push({
      name: 'the copies differ',
      value: `${within.differs}, a web server whose /health is a file${full ? '' : ', shorter delays and periods'}`,
    })
  }, 420_000)
})
