import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { beforeAll, describe, it } from 'vitest'
import type { Probe } from '../../bootstrap/addons/addon.ts'
import { runProbe } from '../../bootstrap/addons/run-probe.ts'
import { canaryFile, readCanaries, type CanaryName } from '../harness/canaries.ts'
import { marksOf } from '../../bootstrap/existing/ours.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { probeImage } from '../harness/probe-pod.ts'
import { recordOf, type TestRecord } from '../harness/record.ts'
import { ExpectationFailed, NotProven } from '../harness/verdict.ts'
import { reportVariable } from '../report/run-report.ts'

/*
 * What the other suites stand on. Each writes what it saw where `requireCanary` finds it; a red one here makes its dependants not proven,
 * with this reason, instead of red with a wrong one.
 */

const choice = choiceFromEnvironment()

let cluster: Cluster
beforeAll(async () => {
  cluster = await attach(choice, AbortSignal.timeout(30_000))
})

const addonCanaries: readonly { name: CanaryName; addon: string; title: string }[] = [
  {
    name: 'enforcement',
    addon: 'cilium',
    title: 'a network policy silences a pod, and only while it is there',
  },
  { name: 'dns', addon: 'coredns', title: 'a name resolves inside the cluster' },
  { name: 'storage', addon: 'local-path', title: 'a claim is bound and keeps its bytes' },
  { name: 'metrics', addon: 'metrics-server', title: 'a running pod has a sample' },
  { name: 'ingress', addon: 'traefik', title: 'the ingress answers a known host, and 404 to an unknown one' },
]

describe.concurrent('canary', () => {
  for (const { name, addon, title } of addonCanaries)
    it(`${name}: ${title}`, async ({ task, signal }) => {
      await tell(name, recordOf(task.meta), async () => {
        const { kube } = cluster
        const ingressUrl = name === 'ingress' ? cluster.ingressUrl : ''
        const file = path.join(choice.paths.repo, 'manifests', 'addons', addon, 'probe.ts')
        const { probe } = (await import(/* @vite-ignore */ pathToFileURL(file).href)) as { probe: Probe }
        const result = await runProbe({ name: addon, probe }, kube, {
          shellImage: probeImage,
          ingressUrl,
          ...(isExisting(cluster) ? { labels: marksOf(cluster.name) } : {}),
          theirs: isExisting(cluster) && !hasAddon(cluster, addon),
          signal,
        })
        if (result.result === 'not-proven') throw new NotProven(result.reason)
        if (result.result === 'fail') throw new ExpectationFailed(result.seen)
        return result.seen
      })
    })

  it('gpu: a node offers nvidia.com/gpu', async ({ task, signal }) => {
    await tell('gpu', recordOf(task.meta), async () => {
      const nodes = await cluster.kube.list({ apiVersion: 'v1', kind: 'Node' }, signal)
      const offered = nodes.flatMap(({ metadata, ['status']: status }) => {
        const { allocatable = {} } = status as { allocatable?: Record<string, string> }
        const count = Number(allocatable['nvidia.com/gpu'] ?? 0)
        return count > 0 ? [`${metadata.name}: ${String(count)}`] : []
      })
      if (offered.length > 0) return offered.join(', ')
      throw new NotProven(
        `No node of ${cluster.name} offers nvidia.com/gpu, so nothing about GPUs can be proven here.`,
      )
    })
  })
})

/** Whether somebody else made the cluster; then what is probed is theirs, but for add-ons that were put there. */
const isExisting = ({ record }: Cluster): boolean => record?.plan.provider === 'existing'
const hasAddon = ({ record }: Cluster, name: string): boolean =>
  record?.plan.addons.some((addon) => addon.name === name) === true

/** Runs a canary and writes what it saw, also when it threw. */
async function tell(name: CanaryName, record: TestRecord, look: () => Promise<string>): Promise<void> {
  try {
    const seen = await look()
    record.facts.push({ name: 'seen', value: seen })
    write(name, { ok: true, seen })
  } catch (error) {
    write(name, { ok: false, seen: error instanceof Error ? error.message : String(error) })
    throw error
  }
}

function write(name: CanaryName, result: { ok: boolean; seen: string }): void {
  const directory = process.env[reportVariable]
  if (directory === undefined) return
  mkdirSync(directory, { recursive: true })
  const file = path.join(directory, canaryFile)
  writeFileSync(`${file}.part`, JSON.stringify({ ...readCanaries(), [name]: result }))
  renameSync(`${file}.part`, file)
}
