import { existsSync } from 'node:fs'
import { LocalCloudError } from '../errors/local-cloud-error.ts'
import type { ConnectedKube } from '../kube/client.ts'
import type { Paths } from '../plan/options.ts'
import { clusterFiles } from './cluster-files.ts'
import { parseRecord, type ClusterRecord } from './record.ts'

/** A running cluster of ours. */
export interface AttachedCluster {
  name: string
  kube: ConnectedKube
  kubeconfigFile: string
  record: ClusterRecord
}

/** Milliseconds for the API to answer. */
const answerMs = 10_000

/**
 * The cluster that the state directory knows under this name, by its kubeconfig alone: no engine is asked and nothing is started.
 * @throws LocalCloudError NO_CLUSTER when there is none or local-cloud did not make it; API_UNREACHABLE
 */
export async function attachCluster(
  paths: Paths,
  name: string,
  signal: AbortSignal,
): Promise<AttachedCluster> {
  const files = clusterFiles(paths, name)
  const kubeconfigFile = files.kubeconfig
  if (!existsSync(kubeconfigFile)) {
    const flag = name === 'local-cloud' ? '' : ` --name ${name}`
    throw new LocalCloudError('NO_CLUSTER', {
      message: `There is no cluster ${name}: no ${kubeconfigFile}.`,
      hint: `Make it: npx zx bootstrap/up.mjs${flag}`,
    })
  }
  const { connect } = await import('../kube/connect.ts')
  const kube = await connect({ kubeconfigFile, signal })
  try {
    const soon = AbortSignal.any([signal, AbortSignal.timeout(answerMs)])
    const record = parseRecord(await kube.get(await files.recordRef(), soon))
    if (record) return { name, kube, kubeconfigFile, record }
    throw new LocalCloudError('NO_CLUSTER', {
      message: `The cluster ${name} was not made by local-cloud, or its first up has not come far enough.`,
    })
  } catch (error) {
    kube.close()
    throw error
  }
}

/**
 * The system on the cluster, by name or, without one, the first.
 * @throws LocalCloudError NO_SYSTEM
 */
export function systemOn(
  { name, record }: Pick<AttachedCluster, 'name' | 'record'>,
  system?: string,
): ClusterRecord['plan']['systems'][number] {
  const { systems } = record.plan
  const found = system === undefined ? systems[0] : systems.find((one) => one.name === system)
  if (found) return found
  const has = systems.length === 0 ? 'no system' : `the system ${systems.map((one) => one.name).join(', ')}`
  throw new LocalCloudError('NO_SYSTEM', {
    message: `The cluster ${name} has ${has}${system === undefined ? '' : `, not ${system}`}.`,
  })
}
