import { readFileSync } from 'node:fs'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../bootstrap/kube/client.ts'
import { kubectl } from '../../bootstrap/tools/kubectl.ts'
import { attach, choiceFromEnvironment, type Cluster } from '../harness/cluster.ts'
import { eventually } from '../harness/eventually.ts'
import { describeHttp, request } from '../harness/http-client.ts'
import { recordOf } from '../harness/record.ts'
import { readSlateContract, requireSlate } from '../harness/slate.ts'
import { sameFlags, upAgain } from '../harness/up-again.ts'
import { CheckBroke } from '../harness/verdict.ts'

/*
 * The guide's "Reset Deployment": SLATE's namespace is deleted with everything in it, and `up` puts it there again. Destroys SLATE's data, hence
 * runs only when it is named: npm run e2e -- --suite reset
 */
const choice = choiceFromEnvironment()
const slate = readSlateContract()
const page = readFileSync(path.join(choice.paths.repo, 'docs', 'troubleshooting.md'), 'utf8')
const settle = { timeoutMs: 60_000, intervalMs: 500 }

let cluster: Cluster
beforeAll(async () => {
  cluster = await attach(choice, AbortSignal.timeout(30_000))
  requireSlate(cluster)
})

const answers = (wanted: boolean): Promise<string> =>
  eventually(
    `SLATE ${wanted ? 'answers' : 'does not answer'}`,
    async (signal) => {
      const outcome = await request(`${cluster.ingressUrl}/api/agents`, {
        host: slate.host,
        timeoutMs: 5_000,
        signal,
      })
      if (outcome.kind !== 'answered') throw new CheckBroke(`The ingress: ${describeHttp(outcome)}`)
      return { ok: (outcome.status === 200) === wanted, seen: describeHttp(outcome) }
    },
    settle,
  )
const list = (kind: string, signal: AbortSignal): Promise<KubeObject[]> =>
  cluster.kube.list(
    kind === 'PersistentVolume'
      ? { apiVersion: 'v1', kind }
      : { apiVersion: 'v1', kind, namespace: slate.namespace },
    signal,
  )
const namespace = (signal: AbortSignal): Promise<KubeObject | undefined> =>
  cluster.kube.get({ apiVersion: 'v1', kind: 'Namespace', name: slate.namespace }, signal)

describe('reset', () => {
  it(
    'after the namespace is deleted, up makes everything anew: claims bound, SLATE answers, and then nothing to do',
    async ({ task, signal }) => {
      const flags = sameFlags(cluster, choice)
      await answers(true)
      const before = await namespace(signal)
      const volumes = (await list('PersistentVolume', signal)).filter(
        (volume) =>
          (volume['spec'] as { claimRef?: { namespace?: string }; persistentVolumeReclaimPolicy?: string })
            .claimRef?.namespace === slate.namespace &&
          (volume['spec'] as { persistentVolumeReclaimPolicy?: string }).persistentVolumeReclaimPolicy ===
            'Retain',
      )
      expect(page).toContain(`\nkubectl delete namespace ${slate.namespace}\n`)
      const { kubeconfigFile, context } = cluster
      await kubectl(['--context', context, 'delete', 'namespace', slate.namespace], {
        kubeconfigFile,
        signal,
      })
      expect(await namespace(signal)).toBeUndefined()
      await answers(false)
      for (const { metadata } of volumes) {
        const volume = (await list('PersistentVolume', signal)).find(
          (one) => one.metadata.name === metadata.name,
        )
        expect((volume?.['status'] as { phase?: string } | undefined)?.phase, metadata.name).toBe('Released')
      }

      const up = await upAgain(flags, choice)
      expect(up.exitCode, up.words).toBe(0)
      const after = await namespace(signal)
      expect(after?.metadata.uid).toBeDefined()
      expect(after?.metadata.uid).not.toBe(before?.metadata.uid)
      const notices = up.events.flatMap(({ type, message }) => (type === 'notice' ? [message ?? ''] : []))
      for (const { metadata } of volumes)
        expect(notices.join('\n')).toContain(`PersistentVolume ${metadata.name} is deleted and made again`)
      recordOf(task.meta).facts.push({
        name: 'volumes made again',
        value: volumes.map(({ metadata }) => metadata.name).join(', ') || 'none',
      })

      const claims = await list('PersistentVolumeClaim', signal)
      const phases = new Map(
        claims.map(({ metadata, ...claim }) => [
          metadata.name,
          (claim['status'] as { phase?: string } | undefined)?.phase,
        ]),
      )
      for (const name of slate.claims) expect(phases.get(name), name).toBe('Bound')
      await answers(true)

      const again = await upAgain(flags, choice)
      expect(again.exitCode, again.words).toBe(0)
      expect(again.events.at(-1)).toMatchObject({ type: 'result', changed: false })
    },
    20 * 60_000,
  )
})
