import { execFile } from 'node:child_process'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { duration } from '../harness/look.ts'
import { recordOf } from '../harness/record.ts'
import { differences, snapshot } from '../harness/snapshot.ts'
import { stableFor } from '../harness/stable-for.ts'
import { NotProven } from '../harness/verdict.ts'

const choice = choiceFromEnvironment()

let cluster: Cluster
beforeAll(async () => {
  cluster = await attach(choice, AbortSignal.timeout(30_000))
})

/** The flags with which this cluster was made. */
function sameFlags({ record }: Cluster): string[] {
  if (!record) throw new NotProven('The cluster was not made by local-cloud.')
  const { plan } = record
  if (plan.kubeadmPatches.length > 0)
    throw new NotProven('The cluster was made with patch files that are not known here.')
  const [system] = plan.systems
  return [
    ...[
      '--name',
      plan.name,
      '--nodes',
      String(plan.nodes.length),
      '--kubernetes-version',
      plan.kubernetesVersion,
    ],
    ...[
      '--http-port',
      String(plan.httpPort),
      '--https-port',
      String(plan.httpsPort),
      '--listen-address',
      plan.listenAddress,
    ],
    ...(system ? ['--system', system.name, '--environment', system.environment] : ['--system', 'none']),
    ...plan.extraMounts.flatMap(({ hostPath, containerPath, readOnly }) => [
      '--mount',
      `${hostPath}:${containerPath}${readOnly ? ':ro' : ''}`,
    ]),
    ...(plan.mergeKubeconfig ? ['--merge-kubeconfig'] : []),
    ...['--state-dir', choice.paths.stateDir, '--cache-dir', choice.paths.cacheDir],
  ]
}

interface Ended {
  exitCode: number
  stdout: string
  stderr: string
}

const up = (flags: string[]): Promise<Ended> =>
  new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [path.join(choice.paths.repo, 'bootstrap', 'up.mjs'), '--json', ...flags],
      { cwd: choice.paths.repo, maxBuffer: 64 * 1024 * 1024 },
      (_, stdout, stderr) => {
        resolve({ exitCode: child.exitCode ?? -1, stdout, stderr })
      },
    )
  })

describe('a second up', () => {
  it('changes nothing, and says so', async ({ task, signal }) => {
    const flags = sameFlags(cluster)
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
      { timeoutMs: 120_000, intervalMs: 2_000, signal },
    )
    const started = performance.now()
    const { exitCode, stdout, stderr } = await up(flags)
    const took = performance.now() - started
    expect(exitCode, stderr + stdout.slice(-2_000)).toBe(0)
    const after = await snapshot(cluster.kube, signal)
    recordOf(task.meta).facts.push(
      { name: 'took', value: duration(took) },
      { name: 'objects compared', value: String(after.size) },
    )
    expect(differences(last, after)).toEqual([])

    const events = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type?: string; title?: string; changed?: boolean })
    expect(events.at(-1)).toMatchObject({ type: 'result', changed: false })
    // Every step was looked at, none was applied.
    expect(events.filter(({ type }) => type === 'succeeded').map(({ title }) => title)).toEqual([])
    expect(events.filter(({ type }) => type === 'skipped').length).toBeGreaterThan(5)
  })
})
