import { execFile } from 'node:child_process'
import path from 'node:path'
import type { GpuPlan } from '../../bootstrap/plan/gpu-plan.ts'
import type { Cluster, ClusterChoice } from './cluster.ts'
import { NotProven } from './verdict.ts'

/** The flags with which this cluster was made, or with other GPUs. @throws NotProven when they are not known */
export function sameFlags(
  { record }: Cluster,
  { paths }: ClusterChoice,
  gpu: GpuPlan | undefined = record?.plan.gpu,
): string[] {
  if (!record) throw new NotProven('The cluster was not made by local-cloud.')
  const { plan } = record
  if (plan.kubeadmPatches.length > 0)
    throw new NotProven('The cluster was made with patch files that are not known here.')
  const [system] = plan.systems
  return [
    ...[
      '--name',
      plan.name,
      '--provider',
      plan.provider,
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
    ...(system
      ? [
          ...['--system', plan.systems.map(({ name }) => name).join(','), '--overlay', system.environment],
          ...Object.entries(system.choices ?? {})
            .filter(([option]) => option !== 'gpu')
            .flatMap(([option, value]) => [`--${option}`, value]),
        ]
      : ['--system', 'none']),
    ...(gpu === undefined ? [] : gpuFlags(gpu)),
    ...(plan.runtimeClasses ?? []).flatMap((name) => ['--runtime-class', name]),
    ...plan.extraMounts.flatMap(({ hostPath, containerPath, readOnly }) => [
      '--mount',
      `${hostPath}:${containerPath}${readOnly ? ':ro' : ''}`,
    ]),
    ...(plan.mergeKubeconfig ? ['--merge-kubeconfig'] : []),
    ...['--state-dir', paths.stateDir, '--cache-dir', paths.cacheDir],
  ]
}

/** The flags that ask for these GPUs. */
const gpuFlags = ({ tier, count, strategy, replicas }: GpuPlan): string[] => [
  `--gpu=${tier === 'mock' ? `mock:${String(count)}` : tier}`,
  ...['--gpu-strategy', strategy],
  ...['--gpu-replicas', String(replicas)],
]

/** What an `up --json` printed. */
export interface UpEvent {
  type?: string
  title?: string
  message?: string
  changed?: boolean
}

export interface UpEnd {
  exitCode: number
  events: UpEvent[]
  /** The end of what it printed, for a failure. */
  words: string
}

/** Runs `up` with these flags to its end. */
export function upAgain(flags: readonly string[], { paths }: ClusterChoice): Promise<UpEnd> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [path.join(paths.repo, 'bootstrap', 'up.mjs'), '--json', ...flags],
      { cwd: paths.repo, maxBuffer: 64 * 1024 * 1024 },
      (_, stdout, stderr) => {
        const events = stdout
          .split('\n')
          .filter((line) => line.trim() !== '')
          .map((line) => JSON.parse(line) as UpEvent)
        resolve({ exitCode: child.exitCode ?? -1, events, words: stderr + stdout.slice(-2_000) })
      },
    )
  })
}
