import { execa } from 'execa'
import type { Engine } from '../../bootstrap/engine/engine.ts'
import { runInNode } from '../../bootstrap/providers/in-node.ts'
import { conditionOf } from '../../bootstrap/kube/shapes.ts'
import type { UpInput } from '../../bootstrap/plan/options.ts'
import { startEphemeralCluster, type EphemeralCluster } from '../../e2e/harness/ephemeral.ts'
import type { EphemeralOptions } from '../../e2e/harness/ephemeral-values.ts'

export interface EphemeralBench {
  cacheDir: string
  images: UpInput['images']
  engine: Engine
  /** Reference of the node image, and of an image that it holds and pods can be made of. */
  nodeImage: string
  shellImage: string
  signal: AbortSignal
}

/** Milliseconds, except where the name says bytes. */
export interface EphemeralTimes {
  ephemeralReady: number
  ephemeralPod: number
  ephemeralMemoryBytes: number
  ephemeralStop: number
  /** Exact to a second, as the times of the API are. */
  ephemeralCiliumReady: number
  ephemeralCilium: number
  ephemeralFour: number
  ephemeralSlate: number
  nodeImageBytes: number
}

/** How many are started at once. */
const atOnce = 4

/** Disposable clusters: bare, with Cilium, several at once, and with SLATE; each is gone before the next is made. */
export async function measureEphemeral(bench: EphemeralBench): Promise<EphemeralTimes> {
  const { cacheDir, images, signal } = bench
  const start = (options: EphemeralOptions = {}) =>
    startEphemeralCluster({ cacheDir, images, signal, ...options })
  const [ephemeralReady, bare] = await timed(() => start())
  await using cluster = bare
  const [ephemeralPod] = await timed(() => firstPod(cluster, bench))
  const ephemeralMemoryBytes = await memoryOf(cluster, bench)
  const [ephemeralStop] = await timed(() => cluster.stop())
  const since = Date.now()
  const [ephemeralCilium, enforcing] = await timed(() => start({ cni: 'cilium' }))
  const ephemeralCiliumReady = (await readySince(enforcing, bench)) - since
  await enforcing.stop()
  const [ephemeralFour, four] = await timed(() => Promise.all(Array.from({ length: atOnce }, () => start())))
  await Promise.all(four.map((one) => one.stop()))
  const ephemeralSlate = await startAndStop(() => start({ system: 'slate' }))
  return {
    ephemeralReady,
    ephemeralPod,
    ephemeralMemoryBytes,
    ephemeralStop,
    ephemeralCiliumReady,
    ephemeralCilium,
    ephemeralFour,
    ephemeralSlate,
    nodeImageBytes: await imageSize(bench),
  }
}

async function timed<T>(work: () => Promise<T>): Promise<[ms: number, T]> {
  const since = performance.now()
  const done = await work()
  return [performance.now() - since, done]
}

async function startAndStop(start: () => Promise<EphemeralCluster>): Promise<number> {
  const [ms, cluster] = await timed(start)
  await cluster.stop()
  return ms
}

/** When its node became Ready, milliseconds since 1970. */
async function readySince({ kube, name }: EphemeralCluster, { signal }: EphemeralBench): Promise<number> {
  const node = await kube.get({ apiVersion: 'v1', kind: 'Node', name: `${name}-control-plane` }, signal)
  const at = node && conditionOf(node, 'Ready')?.lastTransitionTime
  if (at === undefined) throw new Error(`The node of ${name} does not say since when it is Ready.`)
  return Date.parse(at)
}

async function firstPod({ kube }: EphemeralCluster, { shellImage, signal }: EphemeralBench): Promise<void> {
  const ref = { apiVersion: 'v1', kind: 'Pod', namespace: 'default', name: 'first' }
  await kube.apply(
    [
      {
        apiVersion: ref.apiVersion,
        kind: ref.kind,
        metadata: { name: ref.name, namespace: ref.namespace },
        spec: {
          terminationGracePeriodSeconds: 0,
          containers: [
            { name: 'shell', image: shellImage, imagePullPolicy: 'Never', command: ['sleep', '3600'] },
          ],
        },
      },
    ],
    { signal, dryRun: 'skip' },
  )
  await kube.waitFor(
    ref,
    (pod) => {
      const { phase = 'no phase' } = (pod?.['status'] ?? {}) as { phase?: string }
      return { met: phase === 'Running', seen: phase }
    },
    { timeoutMs: 60_000, signal },
  )
}

/** Proportional set size of all processes of the node (proc_pid_smaps_rollup), bytes. */
async function memoryOf({ name }: EphemeralCluster, { engine, signal }: EphemeralBench): Promise<number> {
  const script = 'cat /proc/[0-9]*/smaps_rollup 2>/dev/null | grep ^Pss:'
  const lines = await runInNode(engine, `${name}-control-plane`, ['sh', '-c', script], { signal })
  const kib = [...lines.matchAll(/^Pss:\s+(\d+) kB$/gm)].map(([, value]) => Number(value))
  return kib.reduce((sum, value) => sum + value, 0) * 1024
}

async function imageSize({ engine, nodeImage, signal }: EphemeralBench): Promise<number> {
  const { stdout } = await execa(engine.program, ['image', 'inspect', '--format', '{{.Size}}', nodeImage], {
    env: { ...engine.env },
    cancelSignal: signal,
  })
  return Number(stdout.trim())
}
