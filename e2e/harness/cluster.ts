import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import type { ConnectedKube } from '../../bootstrap/kube/client.ts'
import type { Paths } from '../../bootstrap/plan/options.ts'
import { packageRoot } from '../../bootstrap/state/package-root.ts'
import { resolvePaths } from '../../bootstrap/state/paths.ts'
import { clusterFiles } from '../../bootstrap/steps/cluster-files.ts'
import { parseRecord, type ClusterRecord } from '../../bootstrap/steps/record.ts'
import { runId } from './run-id.ts'
import { CheckBroke, NotProven } from './verdict.ts'

/** What a run is told about its cluster; crosses to the workers of vitest in the environment. */
export interface ClusterChoice {
  name: string
  paths: Paths
  /** Whether a cluster that local-cloud did not make may be tested, that is, written to. */
  allowForeign: boolean
  /** Overrides where the ingress answers; needed for a foreign cluster. */
  ingressUrl?: string
}

/** The cluster under test, its context named on every call. */
export interface Cluster {
  name: string
  /** Holds connections, but does not keep the process alive. */
  kube: ConnectedKube
  kubeconfigFile: string
  context: string
  runId: string
  paths: Paths
  /** Where the ingress answers on this host: http://127.0.0.1:8080. NotProven is thrown where nobody told for an existing cluster. */
  readonly ingressUrl: string
  /** What the cluster remembers of how it was made; absent for a foreign one. */
  record?: ClusterRecord
}

/** Variables by which `scripts/e2e` tells its workers what to test. */
export const clusterVariables = {
  name: 'LOCAL_CLOUD_E2E_CLUSTER',
  allowForeign: 'LOCAL_CLOUD_E2E_ALLOW_FOREIGN',
  ingressUrl: 'LOCAL_CLOUD_E2E_INGRESS',
} as const

/** The choice that the environment describes; without any variable, the cluster `local-cloud` of this checkout. */
export function choiceFromEnvironment(env: NodeJS.ProcessEnv = process.env): ClusterChoice {
  const ingressUrl = env[clusterVariables.ingressUrl]
  return {
    name: env[clusterVariables.name] ?? 'local-cloud',
    paths: resolvePaths(packageRoot, {}, env, process.cwd()),
    allowForeign: env[clusterVariables.allowForeign] === '1',
    ...(ingressUrl === undefined || ingressUrl === '' ? {} : { ingressUrl }),
  }
}

/** Opens the API that a kubeconfig file names; sends nothing. */
export type Connect = (options: {
  kubeconfigFile: string
  context: string
  signal: AbortSignal
}) => Promise<ConnectedKube> | ConnectedKube

/**
 * Attaches to the cluster that the state directory knows under this name.
 * @throws CheckBroke when there is none, when local-cloud did not make it (it has no ConfigMap kube-system/local-cloud-plan) and nobody
 * said that it may be used, or when nobody knows where its ingress answers; LocalCloudError when its API does not answer.
 */
export async function attach(
  choice: ClusterChoice,
  signal: AbortSignal,
  connect: Connect = connectLazily,
): Promise<Cluster> {
  const { name, paths, allowForeign } = choice
  const files = clusterFiles(paths, name)
  const kubeconfigFile = files.kubeconfig
  if (!existsSync(kubeconfigFile)) {
    throw new CheckBroke(
      `There is no cluster ${name}: no ${kubeconfigFile}. Make it: npx zx bootstrap/up.mjs`,
    )
  }
  const context = currentContext(await readFile(kubeconfigFile, 'utf8'), kubeconfigFile)
  const kube = await connect({ kubeconfigFile, context, signal })
  const recordRef = await files.recordRef()
  const record = parseRecord(await kube.get(recordRef, signal))
  if (!record && !allowForeign) {
    throw new CheckBroke(
      `The cluster ${name} was not made by local-cloud (no ConfigMap ${recordRef.namespace ?? ''}/${recordRef.name}); nothing was written to it. ` +
        'Say --allow-foreign if it may be used for tests.',
    )
  }
  const isExisting = record?.plan.provider === 'existing'
  const ingressUrl =
    choice.ingressUrl ??
    (isExisting
      ? record.plan.ingressUrl
      : record && `http://${hostOf(record.plan.listenAddress)}:${String(record.plan.httpPort)}`)
  if (ingressUrl === undefined && !isExisting) {
    throw new CheckBroke(
      `Nobody knows where the ingress of the foreign cluster ${name} answers. Say --ingress-url URL.`,
    )
  }
  return {
    name,
    kube,
    kubeconfigFile,
    context,
    runId: runId(),
    paths,
    get ingressUrl() {
      if (ingressUrl !== undefined) return ingressUrl
      throw new NotProven(
        `Nobody knows where the ingress of the cluster ${name} answers: say --ingress-url URL.`,
      )
    },
    ...(record ? { record } : {}),
  }
}

/** @throws CheckBroke when the file names none */
function currentContext(text: string, file: string): string {
  const { 'current-context': context } = (parse(text) ?? {}) as { 'current-context'?: string }
  if (context === undefined) throw new CheckBroke(`${file} has no current-context.`)
  return context
}

/** An address that listens on every interface is reached over loopback; IPv6 goes into brackets. */
const hostOf = (address: string): string =>
  address === '0.0.0.0'
    ? '127.0.0.1'
    : address === '::'
      ? '[::1]'
      : address.includes(':')
        ? `[${address}]`
        : address

const connectLazily: Connect = async (options) => {
  const { connect } = await import('../../bootstrap/kube/connect.ts')
  return connect(options)
}
